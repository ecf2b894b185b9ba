"""A loop or a `gather` over inputs in which one item's failure takes the others with it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from jackstay.checks.finding import Finding
from jackstay.checks.program import Kickoff, Program, Project, is_true, keyword
from jackstay.checks.rules.hand_made_retry import is_retry, loop_around

NAME = "hand-made-batch"


def check(program: Program, project: Project) -> Iterator[Finding]:
    for kickoff in program.kickoffs:
        if kickoff.is_flow or keyword(kickoff.call, "run_key") is not None or is_retry(program, kickoff):
            continue
        if _is_looped(program, kickoff) or _is_gathered(program, kickoff):
            yield Finding(
                NAME,
                "warn",
                program.shown,
                kickoff.call.lineno,
                "a batch by hand: one item that fails ends the others, and what they had done is lost",
                "crew.kickoff_for_each(inputs=[…], concurrency=8): each item is a run of its own, and resume tries the failed ones",
            )


def _is_looped(program: Program, kickoff: Kickoff) -> bool:
    loop = loop_around(program, kickoff.call)
    if loop is None or isinstance(loop, ast.While):
        return False
    return not any(loop in set(program.around(each)) for each in program.tries_around(kickoff.call))


def _is_gathered(program: Program, kickoff: Kickoff) -> bool:
    """It stands in a function whose calls are given to `asyncio.gather` or a TaskGroup, and nobody keeps failures apart."""
    function = program.function_around(kickoff.call)
    if function is None or any(program.tries_around(kickoff.call)):
        return False
    for call in program.walk(ast.Call):
        if not isinstance(call, ast.Call) or program.name_of(call.func).rpartition(".")[2] != function.name:
            continue
        if loop_around(program, call) is not None and _feeds_gather(program, call):
            return True
    return False


def _feeds_gather(program: Program, call: ast.Call) -> bool:
    """`gather` in the function around, without `return_exceptions=True`."""
    scope: ast.AST = program.function_around(call) or program.tree
    gathers = [
        node
        for node in ast.walk(scope)
        if isinstance(node, ast.Call) and program.name_of(node.func).rpartition(".")[2] in ("gather", "create_task")
    ]
    return bool(gathers) and not any(is_true(keyword(each, "return_exceptions")) for each in gathers)
