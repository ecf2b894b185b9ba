"""`jackstay check`: rules on the user's code, each in a file of its own under `rules/`. Nothing is executed.

This room looks at texts and at what it is told of a run; files and the journal are read by `cli/checking.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jackstay.checks.finding import LEVELS, Finding, Level, at_least
from jackstay.checks.program import LastRun, Program, Project
from jackstay.checks.rules import (
    fallback_in_constructor,
    hand_made_batch,
    hand_made_retry,
    key_in_source,
    large_model_first,
    last_run,
    not_persisted,
    print_not_logging,
    retries_off,
    unbounded,
    unhandled_kickoff,
    unmarked_side_effect,
    usage_ignored,
    verbose,
)

Rule = Callable[[Program, Project], Iterator[Finding]]

RULES: dict[str, Rule] = {
    rule.NAME: rule.check
    for rule in (
        key_in_source,
        unhandled_kickoff,
        hand_made_retry,
        hand_made_batch,
        retries_off,
        fallback_in_constructor,
        usage_ignored,
        unbounded,
        unmarked_side_effect,
        not_persisted,
        verbose,
        print_not_logging,
        large_model_first,
        last_run,
    )
}
"""By name, in the order in which findings of one line are told."""

__all__ = ["LEVELS", "RULES", "Finding", "LastRun", "Level", "Program", "Project", "Rule", "at_least", "examine"]


def examine(project: Project) -> list[Finding]:
    """All findings, by file and line, without those that a comment takes back."""
    found = [
        finding
        for program in project.programs
        for rule in RULES.values()
        for finding in rule(program, project)
        if not program.is_ignored(finding.line, finding.rule)
    ]
    return sorted(found, key=lambda finding: (finding.file, finding.line))
