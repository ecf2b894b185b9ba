"""`jackstay runs`: the list, newest first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from jackstay.cli.environment import read_dotenv
from jackstay.cli.moments import moment_of
from jackstay.cli.outcome import UsageError
from jackstay.cli.stored import listed_from, top_runs
from jackstay.cli.terminal import print_table, say
from jackstay.core.records import RunFilter, RunRow, RunStatus
from jackstay.core.usage import NO_BILL
from jackstay.journal import Journal
from jackstay.observe.figures import UNKNOWN, cost, seconds, tokens
from jackstay.observe.runs import STYLES, State, duration_s, shortest, state_of

NOT_SUCCEEDED: tuple[RunStatus, ...] = ("queued", "running", "waiting", "failed", "cancelled")
PAGE = 50
_RECORDED = {"interrupted": ("running", "failed", "cancelled")}
"""The recorded statuses that a state is derived from, where it is not one."""

WAIT_SHOWN = 60
"""Characters of what a run waits for; 'show' and 'waits' say all of it."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A run with what the list says of it."""

    row: RunRow
    state: State
    duration_s: float | None
    tokens: int
    cost_usd: Decimal | None
    lost: int
    waits_for: str = ""
    """What a run is asked that waits for a person."""

    def to_json(self) -> dict[str, Any]:
        row = self.row
        return {
            "id": row.id,
            "kind": row.kind,
            "name": row.name,
            "status": row.status,
            "state": self.state,
            "reason": row.reason,
            "created_at": row.created_at.isoformat(),
            "finished_at": row.finished_at.isoformat() if row.finished_at else None,
            "duration_s": self.duration_s,
            "tokens": self.tokens,
            "cost_usd": None if self.cost_usd is None else float(self.cost_usd),
            "lost_calls": self.lost,
            "run_key": row.run_key,
            "model_override": row.model_override,
            "waits_for": self.waits_for or None,
        }


SORTS: dict[str, Callable[[Listed], Any]] = {
    "newest": lambda run: run.row.created_at,
    "cost": lambda run: -1 if run.cost_usd is None else run.cost_usd,
    "tokens": lambda run: run.tokens,
    "time": lambda run: run.duration_s or 0.0,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs, in which order. `since` is as it was typed."""

    unfinished: bool = False
    status: tuple[str, ...] = ()
    since: str | None = None
    crew: str | None = None
    sort: str = "newest"
    limit: int = 20

    @property
    def is_narrowed(self) -> bool:
        return self.unfinished or bool(self.status) or self.since is not None or self.crew is not None

    def filter(self) -> RunFilter:
        """What the database can tell of it; `interrupted` it cannot."""
        states = {recorded for status in self.status for recorded in _RECORDED.get(status, (status,))}
        found = set(NOT_SUCCEEDED) if self.unfinished else set(states)
        if self.unfinished and states:
            found &= states
        since = None if self.since is None else moment_of(self.since, datetime.now(UTC), "--since")
        order: tuple[RunStatus, ...] = tuple(sorted(found))  # type: ignore[arg-type]
        return RunFilter(status=order, since=since, crew=self.crew, limit=PAGE)


def runs(wanted: Wanted, *, as_json: bool) -> int:
    """Prints the list. Raises `UsageError` for a state or an order that there is not."""
    _check(wanted)
    read_dotenv()
    listed, place = listed_from(lambda journal: _chosen(journal, wanted))
    if as_json:
        print(json.dumps([run.to_json() for run in listed], indent=2))
    elif listed:
        print_table(_table(listed))
    elif place:
        say(f"no {'such ' if wanted.is_narrowed else ''}runs in {place}")
    return 0


def _check(wanted: Wanted) -> None:
    for status in wanted.status:
        if status not in STYLES:
            raise UsageError(f"--status {status}: a run is {', '.join(STYLES)}")
    if wanted.sort not in SORTS:
        raise UsageError(f"--sort {wanted.sort}: by {', '.join(SORTS)}")


def _chosen(journal: Journal, wanted: Wanted) -> list[Listed]:
    """The newest of them; all, before they are sorted otherwise."""
    fitting = (
        listed for listed in _all(journal, wanted.filter()) if not wanted.status or listed.state in wanted.status
    )
    if wanted.sort == "newest":
        return list(islice(fitting, wanted.limit))
    return sorted(fitting, key=SORTS[wanted.sort], reverse=True)[: wanted.limit]


def _all(journal: Journal, wanted: RunFilter) -> Iterator[Listed]:
    while rows := top_runs(journal, wanted):
        yield from (listed_run(journal, row) for row in rows)
        if len(rows) < wanted.limit:
            return
        wanted = replace(wanted, before=rows[-1].id)


def listed_run(journal: Journal, row: RunRow) -> Listed:
    state = state_of(row, journal.lease(row.id) if row.status == "running" else None)
    # How long an interrupted run worked is not known: nobody wrote down its end.
    unknown = state == "interrupted" and row.finished_at is None
    bills = [journal.bill(row.id), *(journal.bill(child.id) for child in _items(journal, row))]
    recorded = sum((bill.recorded for bill in bills), NO_BILL)
    return Listed(
        row,
        state,
        None if unknown else duration_s(row, datetime.now(UTC)),
        recorded.usage.total_tokens,
        recorded.cost_usd,
        sum(bill.lost.requests for bill in bills),
        _waits_for(journal, row),
    )


def _waits_for(journal: Journal, row: RunRow) -> str:
    waits = journal.waits(row.id) if row.status == "waiting" else []
    return "; ".join(" ".join((wait.prompt or "").split()) for wait in waits if wait.answered_at is None)


def _items(journal: Journal, row: RunRow) -> list[RunRow]:
    """A batch's runs: what they used, the batch used."""
    return journal.children(row.id) if row.kind == "batch" else []


def _table(listed: Sequence[Listed]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("run", "state", "what", "started"):
        table.add_column(column, no_wrap=column != "what", overflow="fold")
    for column in ("time", "tokens", "cost"):
        table.add_column(column, justify="right", no_wrap=True)
    ids = [run.row.id for run in listed]
    for run in listed:
        table.add_row(
            shortest(run.row.id, ids),
            Text(run.state, style=STYLES[run.state]),
            _what(run),
            when(run.row.created_at),
            UNKNOWN if run.duration_s is None else seconds(run.duration_s),
            tokens(run.tokens),
            cost(run.cost_usd),
        )
    return table


def _what(run: Listed) -> Text:
    key = f" [{run.row.run_key}]" if run.row.run_key else ""
    waits = run.waits_for if len(run.waits_for) <= WAIT_SHOWN else f"{run.waits_for[: WAIT_SHOWN - 1]}…"
    return Text.assemble(f"{run.row.kind} {run.row.name}{key}", (f" · {waits}" if waits else "", "yellow"))


def when(moment: datetime) -> str:
    """In the reader's own time zone."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
