"""A loop that kicks the same thing off until it succeeds, and pays each time for what had succeeded."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from jackstay.checks.finding import Finding
from jackstay.checks.program import Function, Kickoff, Loop, Program, Project, keyword, names_in

NAME = "hand-made-retry"


def check(program: Program, project: Project) -> Iterator[Finding]:
    for kickoff in program.kickoffs:
        if (
            is_retry(program, kickoff)
            and keyword(kickoff.call, "run_key") is None
            and keyword(kickoff.call, "resume") is None
        ):
            yield Finding(
                NAME,
                "warn",
                program.shown,
                kickoff.call.lineno,
                "this loop begins at the beginning each time: what had succeeded is asked and paid for again",
                "give the kickoff a run_key (then it goes on where it failed), or leave the loop to Retry(max_attempts=…)",
            )


def is_retry(program: Program, kickoff: Kickoff) -> bool:
    """It stands in a `try` in a loop, the loop's variable is not what it is about, and success leaves the loop."""
    loop = loop_around(program, kickoff.call)
    if not isinstance(loop, ast.For | ast.AsyncFor | ast.While):
        return False
    inside = [
        each for each in program.tries_around(kickoff.call) if any(outer is loop for outer in program.around(each))
    ]
    if not inside or (isinstance(loop, ast.For | ast.AsyncFor) and names_in(loop.target) & names_in(kickoff.call)):
        return False
    leaves = [each for part in (*inside[0].body, *inside[0].orelse) for each in ast.walk(part)]
    leaves += [each for part in loop.body for each in ast.walk(part)] if isinstance(loop, ast.While) else []
    return any(isinstance(each, ast.Return | ast.Break) for each in leaves)


def loop_around(program: Program, node: ast.AST) -> ast.AST | None:
    """The innermost loop of its own function."""
    for outer in program.around(node):
        if isinstance(outer, Function | ast.Lambda):
            return None
        if isinstance(outer, Loop):
            return outer
    return None
