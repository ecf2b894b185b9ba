"""What happened in a run, told by `print` alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from jackstay.checks.finding import Finding
from jackstay.checks.program import Function, Program, Project

NAME = "print-not-logging"
_LOGS = ("logging", "structlog", "loguru")
_METHODS = ("start", "listen", "router", "tool")


def check(program: Program, project: Project) -> Iterator[Finding]:
    if not program.is_ours or any(origin.partition(".")[0] in _LOGS for origin in program.origins.values()):
        return
    for node in program.walk(ast.Call):
        if isinstance(node, ast.Call) and program.name_of(node.func) == "print" and _is_telling(program, node):
            yield Finding(
                NAME,
                "note",
                program.shown,
                node.lineno,
                "a printed line has no time, no run and no level, and is lost where nobody looks at the terminal",
                "logger = logging.getLogger(__name__); logger.info(…), and logger.exception(…) for failures",
            )
            return  # once for a file


def _is_telling(program: Program, node: ast.Call) -> bool:
    """In a handler, a flow's method or a tool: what a run says, not what a program answers."""
    for outer in program.around(node):
        if isinstance(outer, ast.ExceptHandler):
            return True
        if isinstance(outer, Function):
            return any(
                program.names_ours(d.func if isinstance(d, ast.Call) else d, *_METHODS) for d in outer.decorator_list
            )
    return False
