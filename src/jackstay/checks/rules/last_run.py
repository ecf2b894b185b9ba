"""What the program's latest run shows: that it has not succeeded, agents that came near their end, tools that fail."""

from __future__ import annotations

from collections.abc import Iterator

from jackstay.checks.finding import Finding, Level
from jackstay.checks.program import LastRun, Program, Project
from jackstay.tools.marks import sounds_like_writing

NAME = "last-run"
_MANY_CALLS = 20
"""Of the 25 turns that an agent has by default."""
_MANY_FAILURES = 3


def check(program: Program, project: Project) -> Iterator[Finding]:
    """Told once, with the first file."""
    if project.last_run is None or program is not project.programs[0]:
        return
    for level, why, change in _told(project.last_run):
        yield Finding(NAME, level, program.shown, 1, f"the latest run ({project.last_run.id}): {why}", change)


def _told(run: LastRun) -> Iterator[tuple[Level, str, str]]:
    if run.state in ("failed", "interrupted"):
        yield "warn", f"it has not succeeded ({run.state})", f"jackstay why {run.id}"
    for task, calls in run.calls.items():
        if calls >= _MANY_CALLS:
            yield (
                "warn",
                f"the task {task!r} took {calls} model calls",
                "narrow it, split it, or check what its tools return",
            )
    for tool, failures in run.failed_tools.items():
        if failures >= _MANY_FAILURES:
            yield (
                "warn",
                f"the tool {tool!r} failed {failures} times, and the model was told each time",
                f"jackstay show {run.id}",
            )
    for tool, marked in run.tools.items():
        if not marked and sounds_like_writing(tool):
            yield (
                "warn",
                f"the tool {tool!r} was called and is not marked as acting",
                "say side_effect=True, or side_effect=False",
            )
    for model in run.unpriced:
        yield (
            "note",
            f"the price of {model} is not known: what it costs is not counted, and a budget in money refuses it",
            "give its price in jackstay.toml",
        )
