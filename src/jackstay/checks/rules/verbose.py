"""`verbose=True` that goes to production."""

from __future__ import annotations

from collections.abc import Iterator

from jackstay.checks.finding import Finding
from jackstay.checks.program import Program, Project, is_true, keyword

NAME = "verbose"


def check(program: Program, project: Project) -> Iterator[Finding]:
    for call in program.calls("Crew", "Agent", "LLM"):
        given = keyword(call, "verbose")
        if given is not None and is_true(given):
            yield Finding(
                NAME,
                "warn",
                program.shown,
                given.lineno,
                "verbose=True prints prompts and answers of every run, in production too",
                "leave it out and read a run with jackstay show, or take it from a setting: verbose=bool(os.getenv('VERBOSE'))",
            )
