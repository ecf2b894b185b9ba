"""A key, token or password that is written into the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from jackstay.checks.finding import Finding
from jackstay.checks.program import Program, Project, text_of

NAME = "key-in-source"
_KEYS = re.compile(
    r"\b(?:sk|pk|rk)[-_](?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}"
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{30,}|\bhf_[A-Za-z0-9]{20,}"
)
_NAMES = re.compile(r"(^|_)(api_?key|secret|token|password|passwd)$", re.IGNORECASE)
_STAND_INS = re.compile(
    r"\.\.\.|…|<|>|\{|\$|your|example|dummy|fake|test|not-needed|no-key|placeholder|changeme|x{4}", re.IGNORECASE
)
_SHORTEST = 8


def check(program: Program, project: Project) -> Iterator[Finding]:
    lines: dict[int, str] = {}
    for node in program.walk(ast.Constant):
        text = text_of(node)
        if isinstance(node, ast.Constant) and text and _KEYS.search(text) and not _STAND_INS.search(text):
            lines.setdefault(node.lineno, "a text that has the form of a key")
    for name, value in _named(program):
        text = text_of(value)
        if text and _NAMES.search(name) and len(text) >= _SHORTEST and " " not in text and not _STAND_INS.search(text):
            lines[value.lineno] = name
    for line, what in sorted(lines.items()):
        # The key itself is not repeated: findings end up in logs.
        yield Finding(
            NAME,
            "error",
            program.shown,
            line,
            f"a secret is written into the source ({what}): everybody who can read the code can use it",
            "put it into .env or the environment, read it with os.environ, and revoke this one: it is in the history",
        )


def _named(program: Program) -> Iterator[tuple[str, ast.expr]]:
    """Values that are given a name: variables, arguments, entries, `os.environ["…"]`."""
    for node in ast.walk(program.tree):
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    yield _target(target), value
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield _target(target), value
            case ast.keyword(arg=str(name), value=value):
                yield name, value
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    yield text_of(key) or "", value


def _target(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=key):
            return text_of(key) or ""
        case _:
            return ""
