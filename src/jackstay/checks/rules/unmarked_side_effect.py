"""A tool that acts on the world and does not say so."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from jackstay.checks.finding import Finding
from jackstay.checks.program import Function, Program, Project, keyword, text_of
from jackstay.tools.marks import sounds_like_writing

NAME = "unmarked-side-effect"
_ACTS = frozenset(
    [
        *(f"{library}.{verb}" for library in ("requests", "httpx") for verb in ("post", "put", "patch", "delete")),
        "os.remove",
        "os.unlink",
        "shutil.rmtree",
        "subprocess.run",
        "subprocess.check_call",
    ]
)
_ACTING_METHODS = frozenset({"sendmail", "send_message", "commit", "write_text", "write_bytes", "unlink"})


def check(program: Program, project: Project) -> Iterator[Finding]:
    for node in program.walk(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef):
        found = _tool(program, node)
        if found is None or found[1]:
            continue
        reason = "its name says so" if sounds_like_writing(found[0]) else _acts(program, node)
        if reason and isinstance(node, Function | ast.ClassDef):
            yield Finding(
                NAME,
                "warn",
                program.shown,
                node.lineno,
                f"the tool {found[0]!r} acts on the world ({reason}) and is not marked: a run resumed after a crash calls it again",
                "say side_effect=True (it is called once, or you are asked), or side_effect=False if it may be repeated",
            )


def _tool(program: Program, node: ast.AST) -> tuple[str, bool] | None:
    """The tool's name, and whether it says anything of side effects. None: it is no tool."""
    if isinstance(node, ast.ClassDef):
        if not any(program.names_ours(base, "BaseTool") for base in node.bases):
            return None
        fields = {_field(each): each for each in node.body}
        named = fields.get("name")
        name = text_of(getattr(named, "value", None)) or node.name
        return name, "side_effect" in fields
    if isinstance(node, Function):
        for decorator in node.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else None
            if program.names_ours(call.func if call else decorator, "tool"):
                given = text_of(call.args[0]) if call is not None and call.args else None
                return given or node.name, call is not None and keyword(call, "side_effect") is not None
    return None


def _field(node: ast.stmt) -> str:
    target = (
        node.target if isinstance(node, ast.AnnAssign) else node.targets[0] if isinstance(node, ast.Assign) else None
    )
    return target.id if isinstance(target, ast.Name) else ""


def _acts(program: Program, node: ast.AST) -> str:
    for call in ast.walk(node):
        if isinstance(call, ast.Call):
            name = program.name_of(call.func)
            method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            if name in _ACTS or method in _ACTING_METHODS:
                return f"it calls {name or method}"
            if name == "open" and len(call.args) > 1 and set(text_of(call.args[1]) or "") & set("wax"):
                return "it writes a file"
    return ""
