"""What a rule finds: where, why it matters, what to change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["note", "warn", "error"]
LEVELS: tuple[Level, ...] = ("note", "warn", "error")
"""Weakest first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One place in the user's code. `line` counts from 1."""

    rule: str
    level: Level
    file: str
    line: int
    why: str
    change: str


def at_least(finding: Finding, level: Level) -> bool:
    return LEVELS.index(finding.level) >= LEVELS.index(level)
