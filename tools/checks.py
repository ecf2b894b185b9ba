"""House rules that no ready-made tool checks, and the size report. Run by `make check`.

Rules, over `src/`; each names the place and what to do, and fails the check:

* nothing happens at import: no bare call, no environment, file, thread or loop at module level;
* an import inside a function says why it is not on top (a comment on its line or on the line above);
* a `noqa` says why (`# noqa: BLE001 - users' code may raise anything`);
* `core/` asks no clock and makes no random id: both come in as arguments;
* only `models/` and `testing/` know the simulated model.

The size report names what has outgrown the house style; it never fails.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "jackstay"

MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_PUBLIC_METHODS = 400, 50, 15

# Calls that do something; what only makes a value (a regex, a TypeVar, a table, a context variable) is fine.
EFFECTS = re.compile(
    r"^(open|print|os\.(environ\b.*|getenv|mkdir|makedirs|register_at_fork)|load_dotenv|dotenv\.\w+|logging\.(basicConfig|config\..*)"
    r"|(threading\.)?(Thread|Timer)|asyncio\.\w+|subprocess\.\w+|socket\.\w+|signal\.\w+|atexit\.\w+|sqlite3\.connect"
    r"|(sqlalchemy\.)?create_engine|Path\.(cwd|home)|time\.\w+|datetime\.(now|utcnow)|uuid\.uuid\w+)$"
)
CLOCKS = re.compile(
    r"(^|\.)(datetime\.(now|utcnow|today)|date\.today|time\.(time|monotonic)|uuid[1-7]|urandom|getenv)$"
)
# A file that Alembic executes, and Typer's registration of commands, are calls at module level by nature.
RUNS_AT_IMPORT = ("journal/migrations/", "cli", "__main__.py")
KNOWS_SIM = ("models/", "testing/")


@dataclass(frozen=True, slots=True)
class Module:
    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """The path inside the package, with slashes on every platform."""
        return self.path.relative_to(SOURCE).as_posix()

    def place(self, line: int) -> str:
        return f"{self.path.relative_to(ROOT).as_posix()}:{line}"


def main() -> int:
    modules = [read(path) for path in sorted(SOURCE.rglob("*.py"))]
    faults = [fault for module in modules for rule in RULES for fault in rule(module)]
    for fault in faults:
        print(fault)
    print(f"house rules: {len(modules)} files, {len(faults)} faults\n")
    for line in size_report(modules):
        print(line)
    return 1 if faults else 0


def read(path: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    return Module(path, text, ast.parse(text, str(path)))


# --- the rules -----------------------------------------------------------------------------------------------------


def nothing_at_import(module: Module) -> Iterator[str]:
    if module.name.startswith(RUNS_AT_IMPORT):
        return
    for statement in import_time(module.tree.body):
        if (
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Call)
            and not makes_a_value(statement.value)
        ):
            yield f"{module.place(statement.lineno)}: a call at import: make it happen on first use"
            continue
        for node in ast.walk(statement):
            match node:
                case ast.Call(func=(ast.Name() | ast.Attribute()) as target):
                    named = EFFECTS.match(ast.unparse(target))
                case ast.Attribute() as target:
                    named = re.match(r"os\.environ$", ast.unparse(target))
                case _:
                    continue
            if named:
                yield f"{module.place(target.lineno)}: `{named.group()}` at import: make it happen on first use"


def makes_a_value(call: ast.Call) -> bool:
    """Whether a class is called, as in a table's `Index(…)`: a definition, not an effect."""
    return ast.unparse(call.func).rpartition(".")[2][:1].isupper()


def import_time(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when the module is imported: not those in functions, nor under a main or typing guard."""
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Import() | ast.ImportFrom():
                continue
            case ast.ClassDef():
                yield from import_time(statement.body)
            case ast.If() if re.search(r"__name__|TYPE_CHECKING", ast.unparse(statement.test)):
                continue
            case ast.If() | ast.Try() | ast.With() | ast.For():
                yield from import_time(statement.body)
            case _:
                # A lambda runs later, like a function.
                if not any(isinstance(node, ast.Lambda) for node in ast.walk(statement)):
                    yield statement


def function_imports_say_why(module: Module) -> Iterator[str]:
    lines = module.text.splitlines()
    functions = (node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    imports = {
        (node.lineno, node.end_lineno or node.lineno)
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    explained = 0  # the last line of an import whose reason was given: it covers those that follow without a gap
    for first, last in sorted(imports):
        above, own = lines[first - 2].strip(), lines[first - 1 : last]
        if first - 1 == explained or above.startswith("#") or any("#" in line for line in own):
            explained = last
        else:
            yield f"{module.place(first)}: an import inside a function says why, in a comment on its line or above it"


def noqa_says_why(module: Module) -> Iterator[str]:
    for number, line in enumerate(module.text.splitlines(), 1):
        if re.search(r"#\s*noqa\b", line) and not re.search(r"#\s*noqa:\s*[A-Z0-9, ]+\s*[-–—:#(]\s*\w", line):
            yield f"{module.place(number)}: a noqa says why: `# noqa: CODE - reason`"


def core_asks_no_clock(module: Module) -> Iterator[str]:
    if not module.name.startswith("core/"):
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and CLOCKS.search(ast.unparse(node.func)):
            yield f"{module.place(node.lineno)}: core is pure: `{ast.unparse(node.func)}` comes in as an argument"


def only_models_know_sim(module: Module) -> Iterator[str]:
    if module.name.startswith(KNOWS_SIM):
        return
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names=names):
                imported = [alias.name for alias in names]
            case ast.ImportFrom(module=str(source), names=names):
                imported = [f"{source}.{alias.name}" for alias in names]
            case ast.Constant(value=str(text)):
                imported = [text]
            case _:
                continue
        if any(re.match(r"jackstay\.models\.sim\w*(\.|$)", name) for name in imported):
            yield f"{module.place(node.lineno)}: the simulated model is chosen by its name (`sim/…`), never imported"


RULES = (nothing_at_import, function_imports_say_why, noqa_says_why, core_asks_no_clock, only_models_know_sim)


# --- the size report -----------------------------------------------------------------------------------------------


def size_report(modules: list[Module]) -> Iterator[str]:
    lengths = sorted(len(module.text.splitlines()) for module in modules)
    if lengths:
        yield f"size: {sum(lengths):,} lines, median file {lengths[len(lengths) // 2]}, longest {lengths[-1]}"
    for module in modules:
        if (length := len(module.text.splitlines())) > MAX_FILE_LINES:
            yield f"  {module.place(1)}: {length} lines (over {MAX_FILE_LINES}: a second concept is hiding)"
        yield from outgrown(module)


def outgrown(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    yield f"  {module.place(node.lineno)}: {node.name} has {length} lines (over {MAX_FUNCTION_LINES})"
            case ast.ClassDef():
                count = len(public_methods(node))
                if count > MAX_PUBLIC_METHODS:
                    yield f"  {module.place(node.lineno)}: {node.name} has {count} public methods (over {MAX_PUBLIC_METHODS})"
            case _:
                pass


def public_methods(node: ast.ClassDef) -> list[str]:
    members = (member for member in node.body if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef))
    return [member.name for member in members if not member.name.startswith("_")]


if __name__ == "__main__":
    sys.exit(main())
