"""Commits that fail one after the other, without relying on how many a run needs.

That number depends on how busy the machine is: rows that wait together are written together.
"""

from __future__ import annotations

from collections.abc import Callable

from jackstay.errors import StorageUnavailable
from jackstay.testing import FaultPoints


def stops_at_commit(
    number: int,
    points: FaultPoints,
    kickoff: Callable[[], object],
    failure: Exception = StorageUnavailable("the disk is gone"),
) -> bool:
    """Whether `kickoff`, whose commit `number` fails, stopped; `False`: it ended before it came to that commit."""
    points.raise_at("journal.commit", failure, skip=number)
    try:
        kickoff()
    except StorageUnavailable:
        return True
    assert points.hits.count("journal.commit") <= number, "a commit failed and the run went on"
    return False
