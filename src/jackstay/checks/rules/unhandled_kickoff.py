"""A crew's failure that nobody catches, or that is caught and forgotten."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from jackstay.checks.finding import Finding
from jackstay.checks.program import Function, Program, Project

NAME = "unhandled-kickoff"


def check(program: Program, project: Project) -> Iterator[Finding]:
    for kickoff in program.kickoffs:
        if kickoff.is_flow:  # what fails in it fails in its methods
            continue
        tries = list(program.tries_around(kickoff.call)) or _around_its_callers(program, kickoff.call)
        line = kickoff.call.lineno
        if not tries:
            yield Finding(
                NAME,
                "warn",
                program.shown,
                line,
                "nothing catches what this kickoff raises: a model that is down ends the whole program",
                "wrap it: try: … except Exception: logger.exception('…'); a run that failed goes on with jackstay resume",
            )
        elif all(_is_forgotten(handler) for each in tries for handler in each.handlers):
            yield Finding(
                NAME,
                "warn",
                program.shown,
                tries[0].handlers[0].lineno,
                "the failure of this kickoff is caught and forgotten: nobody learns of it",
                "log it (logger.exception('…')), keep it, or raise it again",
            )


def _around_its_callers(program: Program, call: ast.Call) -> list[ast.Try]:
    """Of the function that it stands in, where that is called in this file."""
    function = program.function_around(call)
    found: list[ast.Try] = []
    seen: set[Function] = set()
    while function is not None and function not in seen and not found:
        seen.add(function)
        callers = [
            node
            for node in program.walk(ast.Call)
            if isinstance(node, ast.Call) and program.name_of(node.func).rpartition(".")[2] == function.name
        ]
        if not callers:
            return []
        caught = [list(program.tries_around(caller)) for caller in callers]
        if all(caught):
            found = [each for tries in caught for each in tries]
        function = program.function_around(callers[0])
    return found


def _is_forgotten(handler: ast.ExceptHandler) -> bool:
    """Its body does nothing: `pass`, `...`, `continue`, a text."""
    return all(
        isinstance(each, ast.Pass | ast.Continue)
        or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        for each in handler.body
    )
