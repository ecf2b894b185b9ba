"""How much of what is said in a run stays when the run has ended: all of it, hashes, or nothing."""

from __future__ import annotations

import json
from typing import Literal, get_args

from jackstay.core.ids import SHORT
from jackstay.errors import ConfigurationError

Content = Literal["full", "hashes", "off"]
LEVELS: tuple[Content, ...] = get_args(Content)
"""From the most that is kept to the least."""
TAG = "content"
"""In a run's tags: its level, if that is not full."""


def checked_content(value: object, where: str) -> Content | None:
    """The level; None: nothing is said. Raises `ConfigurationError`."""
    if value is None or value in LEVELS:
        return value
    raise ConfigurationError(f"{where} is {value!r}; it is one of {', '.join(LEVELS)}")


def least(*levels: Content | None) -> Content | None:
    """What is kept where several have a say: what one task says stands in the next one's prompt and in the run's result."""
    return max((level for level in levels if level is not None), key=LEVELS.index, default=None)


def content_of(tags: str | None) -> Content:
    """The level that a run's tags tell."""
    said: Content | None = json.loads(tags).get(TAG) if tags else None
    return said or "full"


def how_to_go_on(run_id: str, content: Content, *, called: str = "") -> str:
    """Of a run that has failed or was stopped: whether it can be resumed, and how. `called`: in place of its whole id."""
    run = called or f"run {run_id}"
    if content != "full":
        return f"{run} keeps no content ({content}): it cannot be resumed, kick off again"
    return f"{run} can go on where it stopped: jackstay resume {run_id[:SHORT]}"
