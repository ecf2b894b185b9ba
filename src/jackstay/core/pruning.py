"""Which old runs may be deleted: decided from their rows alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from jackstay.core.records import TERMINAL, RunRow


@dataclass(frozen=True, slots=True)
class Rule:
    """What is kept: the `keep` newest runs that have ended, and those that ended at `before` or later (of both, a run is
    deleted only if neither keeps it). `ended_badly`: runs that failed or were cancelled may go, too."""

    keep: int | None = None
    before: datetime | None = None
    ended_badly: bool = False


@dataclass(frozen=True, slots=True)
class Pruned:
    """Ids, newest first. `needed`: runs that would go, if one that can still be resumed did not need them."""

    deleted: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()


def prunable(runs: Iterable[RunRow], rule: Rule) -> Pruned:
    """What the rule deletes of all runs of a journal. A batch goes with all its items, or stays with them."""
    groups: dict[str, list[RunRow]] = defaultdict(list)
    for run in runs:
        groups[run.parent_run or run.id].append(run)
    newest_first = sorted(groups.values(), key=_created, reverse=True)
    wanted = _wanted(newest_first, rule)
    kept = [run for group in newest_first if group[0].id not in wanted for run in group]
    # Started again, a program's finished kickoffs answer from their runs: without them they would be paid for again.
    sessions = {run.session_id for run in kept if run.status != "succeeded" and run.session_id is not None}
    deleted = [run.id for run in wanted.values() if run.session_id not in sessions]
    needed = [run.id for run in wanted.values() if run.session_id in sessions]
    of = {group[0].id: [run.id for run in group] for group in newest_first}
    return Pruned(_flat(deleted, of), _flat(needed, of))


def _wanted(newest_first: Sequence[Sequence[RunRow]], rule: Rule) -> Mapping[str, RunRow]:
    """The first run of each group that the rule would delete, by its id."""
    ended = [group for group in newest_first if all(_may_go(run, rule) for run in group)]
    found = ended[rule.keep :] if rule.keep is not None else ended
    return {group[0].id: group[0] for group in found if rule.before is None or _ended(group) < rule.before}


def _may_go(run: RunRow, rule: Rule) -> bool:
    if run.status == "succeeded":
        return True
    # What was interrupted waits to be resumed, though its row says that it has failed.
    return rule.ended_badly and run.status in TERMINAL and run.reason != "interrupted"


def _ended(group: Sequence[RunRow]) -> datetime:
    return max(run.finished_at or run.created_at for run in group)


def _created(group: Sequence[RunRow]) -> tuple[datetime, str]:
    return min((run.created_at, run.id) for run in group)


def _flat(firsts: Iterable[str], of: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    return tuple(run_id for first in firsts for run_id in of[first])
