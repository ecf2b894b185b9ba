"""Runs whose content was erased: what is left of them, and which ones are meant."""

from __future__ import annotations

import json
from datetime import datetime

from jackstay.core.canonical import canonical_json
from jackstay.core.ids import SHORT
from jackstay.core.records import RunRow
from jackstay.errors import ContentForgotten

TAG = "forgotten"
"""In a run's tags: when."""


def forgotten_at(run: RunRow) -> str | None:
    """When its content was erased; None: it has it."""
    return forgotten_in(run.tags)


def forgotten_in(tags: str | None) -> str | None:
    """The same, by a run's tags."""
    when = json.loads(tags).get(TAG) if tags else None
    return str(when) if when is not None else None


def tagged(tags: str | None, now: datetime) -> str:
    """The run's tags when its content is erased. The others stay: they tell what the run was for."""
    return canonical_json({**json.loads(tags or "{}"), TAG: now.isoformat(timespec="seconds")})


def refuse_forgotten(run: RunRow) -> None:
    """Of a run that is to go on, or to be done again. Raises `ContentForgotten`."""
    when = forgotten_at(run)
    if when is not None:
        raise ContentForgotten(
            f"the content of run {run.id[:SHORT]} was erased at {when}: it cannot be resumed or replayed, and has no result "
            "any more; start a new run"
        )


def is_of(run: RunRow, name: str, value: str) -> bool:
    """Whether a tag or an input of the run has that value."""
    given = {**json.loads(run.inputs or "{}"), **json.loads(run.tags or "{}")}
    return name in given and value in (given[name], json.dumps(given[name]))
