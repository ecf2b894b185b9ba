"""Retries of model calls that are switched off."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from jackstay.checks.finding import Finding
from jackstay.checks.program import Program, Project, keyword

NAME = "retries-off"


def check(program: Program, project: Project) -> Iterator[Finding]:
    for call in program.calls("Retry", "LLM"):
        name = "max_attempts" if program.names_ours(call.func, "Retry") else "max_retries"
        given = keyword(call, name)
        if isinstance(given, ast.Constant) and given.value in ((1,) if name == "max_attempts" else (0,)):
            yield Finding(
                NAME,
                "warn",
                program.shown,
                call.lineno,
                f"{name}={given.value} switches retries off: one 429 or one lost connection ends the run",
                "leave it out (four requests, 1, 2 and 4 s apart), or raise it: Retry(max_attempts=4, backoff_s=1)",
            )
