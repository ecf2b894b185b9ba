"""What model calls have used, summed by whom or what: the one place where usage of more than one run is reckoned.

Counts rows of model calls that are the run's own (copied ones are not billed again), and the reservations that a dead
process left behind. What can be grouped by a column is grouped by the database; what stands in a step's path (a tool,
a nested crew) is summed by enclosing step there and put together here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import add
from typing import Any, Literal, get_args
from urllib.parse import unquote

from sqlalchemy import ColumnElement, Connection, Text, and_, case, func, literal, select

from jackstay.core.usage import from_pico
from jackstay.journal import schema

By = Literal["model", "crew", "agent", "task", "tool", "flow", "run", "day"]
GROUPINGS: tuple[By, ...] = get_args(By)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US = 86_400_000_000
_TOOL = re.compile(r"(?:^|/)tool:([^/#~]*)#\d+(?=/)")
_KICKOFF = re.compile(r"(?:^|/)([^/#~]+)~[^/#~]+#\d+(?=/)")
_IDS_PER_QUERY = 500
_COUNT = re.compile(r"#\d+/?$")
_HASH_DIGITS = 10
"""See `core/paths.py`."""


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """Which calls to sum, and by what."""

    by: By = "model"
    since: datetime | None = None
    """Only calls that began then or later."""
    run_ids: tuple[str, ...] = ()
    """Only these runs; empty: all."""


@dataclass(frozen=True, slots=True)
class UsageRow:
    """The sums of one group. `key` None: the calls that nothing of that kind can be named for (by tool: no tool)."""

    key: str | None
    calls: int = 0
    """Questions to models, however often each was asked."""
    requests: int = 0
    """What was sent for them, by processes that lived to see the end of it."""
    failed: int = 0
    cancelled: int = 0
    retried: int = 0
    """Calls that took more than one request."""
    lost: int = 0
    """Requests in flight when their process died: they come on top of `requests` and may have been billed."""
    estimated: int = 0
    simulated: int = 0
    unpriced: int = 0
    """Calls that used something and whose price is unknown."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    known_pico: int = 0
    lost_pico: int = 0
    """What the lost requests cost at most."""

    @property
    def known_usd(self) -> Decimal:
        """The cost of the calls whose price is known."""
        return from_pico(self.known_pico) or Decimal(0)

    @property
    def cost_usd(self) -> Decimal | None:
        """None as soon as one of the calls has no known price."""
        return None if self.unpriced else self.known_usd

    @property
    def lost_usd(self) -> Decimal:
        return from_pico(self.lost_pico) or Decimal(0)

    def plus(self, other: UsageRow) -> UsageRow:
        """Both together, under this one's key."""
        return UsageRow(self.key, *(getattr(self, name) + getattr(other, name) for name in SUMS))


SUMS = tuple(field.name for field in fields(UsageRow))[1:]


def read_usage(connection: Connection, wanted: UsageFilter) -> list[UsageRow]:
    """One row for each group that was used, by its key; calls without one come last."""
    names = _Names(connection, wanted)
    groups = {row.key: row for row in _recorded(connection, wanted, names)}
    parts = [_lost(connection, wanted, names)]
    if wanted.by == "model":
        parts.append(_passed_over(connection, wanted))
    for row in (row for part in parts for row in part):
        groups[row.key] = groups.get(row.key, UsageRow(row.key)).plus(row)
    return sorted(groups.values(), key=lambda row: (row.key is None, row.key or ""))


# --- recorded calls ----------------------------------------------------------------------------------------------------


def _recorded(connection: Connection, wanted: UsageFilter, names: _Names) -> Iterator[UsageRow]:
    keys = _keys(wanted.by, connection.dialect.name)
    query = select(*keys, *_sums()).where(*_calls(wanted)).group_by(*keys)
    size = len(keys)
    sums: dict[str | None, list[int]] = {}
    rows = connection.execute(query).all()
    names.expect({row[0] for row in rows})
    for row in rows:
        key = names.key(row[:size])
        so_far = sums.get(key)
        # PostgreSQL sums BIGINT as NUMERIC, which `int` makes whole numbers of at the end.
        sums[key] = list(row[size:]) if so_far is None else list(map(add, so_far, row[size:]))
    for key, values in sums.items():
        yield UsageRow(key, **dict(zip(SUMS, map(int, values), strict=False)))


def _calls(wanted: UsageFilter) -> list[ColumnElement[bool]]:
    step = schema.step
    conditions: list[ColumnElement[bool]] = [schema.BILLED]  # type: ignore[list-item]
    if wanted.since is not None:
        conditions.append(step.c.started_at >= _micros(wanted.since))
    if wanted.run_ids:
        conditions.append(step.c.run_id.in_(wanted.run_ids))
    return conditions


def _keys(by: By, dialect: str) -> list[ColumnElement[Any]]:
    """What the database groups by; `_Names.key` makes the group's name of it."""
    step = schema.step
    match by:
        case "agent":
            return [step.c.agent]
        case "task":
            return [step.c.task]
        case "run":
            return [_run_id()]
        case "day":
            return [(step.c.started_at // literal(_DAY_US)).label("day")]
        case "model":
            return [_paid_model().label("paid")]
        case "tool":
            return [_scope(by, dialect).label("scope")]
        case "crew" | "flow":
            return [_run_id(), _scope(by, dialect).label("scope"), step.c.task.is_not(None).label("in_task")]


def _run_id() -> ColumnElement[Any]:
    """Not the bare column: SQLite would go through all steps in the order of their key, which has the groups in order,
    rather than through those of the days that are asked for (a million steps: 600 ms instead of 30)."""
    return func.coalesce(schema.step.c.run_id, "").label("of_run")


def _scope(by: By, dialect: str) -> ColumnElement[Any]:
    """The beginning of the path up to the tool or kickoff around a call, where there is one, else nothing: so that groups
    stay few. Nearly always there is just one, which is found from the front; the innermost of several is dear."""
    path = literal("/").concat(schema.step.c.path)
    find = func.instr if dialect == "sqlite" else func.strpos
    if by == "tool":
        rest = func.substr(path, find(path, "/tool:"))
        only = func.substr(rest, 1, find(rest, "#"), type_=Text).concat("1/")
        return case((path.like("%/tool:%/tool:%/%"), _up_to_last("/", path)), (path.like("%/tool:%/%"), only), else_="")
    # How often a kickoff was asked for does not matter: the same question is the same kickoff, so the first one (`#1`)
    # says what it is.
    only = func.substr(path, 1, find(path, "~") + _HASH_DIGITS, type_=Text).concat("#1/")
    enclosing = _up_to_last("/", path)
    before = _up_to_last("~", enclosing)
    inner = before.concat(func.substr(enclosing, func.length(before) + 1, _HASH_DIGITS)).concat("#1/")
    return case((path.like("%~%/%~%/%"), inner), (path.like("%~%/%"), only), else_="")


def _up_to_last(mark: str, text: ColumnElement[Any]) -> ColumnElement[Any]:
    """To take from the end what is none of a character is what both databases can do; neither finds the last one."""
    return func.rtrim(text, func.replace(text, mark, ""), type_=Text)


def _paid_model() -> ColumnElement[Any]:
    """The model that was asked last, under the name that it was asked by: that of the row, unless others of a chain were
    tried (the row's `answered_by` is the provider's name for it, which is another one for each dated version)."""
    step, reservation = schema.step, schema.reservation.alias("of_call")
    last = (
        select(reservation.c.model)
        .where(
            reservation.c.run_id == step.c.run_id,
            reservation.c.path == step.c.path,
            reservation.c.rev == step.c.rev,
            reservation.c.outcome != "not_sent",
        )
        .order_by(reservation.c.attempt.desc())
        .limit(1)
        .scalar_subquery()
    )
    return case((step.c.tried.is_(None), step.c.model), else_=func.coalesce(last, step.c.model))


def _sums() -> list[ColumnElement[Any]]:
    """In the order of `SUMS`, without what is lost at most."""
    step = schema.step
    used = step.c.input_tokens + step.c.output_tokens > 0
    return [
        func.count(),
        func.sum(step.c.attempts),
        _count(step.c.status == "failed"),
        _count(step.c.status == "cancelled"),
        _count(step.c.attempts > 1),
        literal(0),
        _count(step.c.flags.like("%estimated%")),
        _count(step.c.flags.like("%simulated%")),
        _count(and_(step.c.cost_pico.is_(None), used)),
        func.sum(step.c.input_tokens),
        func.sum(step.c.cached_tokens),
        func.sum(step.c.cache_write_tokens),
        func.sum(step.c.output_tokens),
        func.sum(step.c.reasoning_tokens),
        func.coalesce(func.sum(step.c.cost_pico), 0),
    ]


def _count(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.count().filter(condition)


# --- requests that no row counts, or that count elsewhere ----------------------------------------------------------------


def _lost(connection: Connection, wanted: UsageFilter, names: _Names) -> Iterator[UsageRow]:
    """Requests whose process died. Agent and task are those of the call that was made instead, if it was."""
    lost, step = schema.reservation, schema.step
    again = and_(step.c.run_id == lost.c.run_id, step.c.path == lost.c.path)
    columns = [lost.c.run_id, lost.c.path, lost.c.model, lost.c.created_at, lost.c.worst_pico]
    query = select(*columns, func.max(step.c.agent).label("agent"), func.max(step.c.task).label("task"))
    query = query.select_from(lost).outerjoin(step, again).where(schema.LOST)
    query = query.group_by(*columns, lost.c.rev, lost.c.attempt)
    if wanted.since is not None:
        query = query.where(lost.c.created_at >= _micros(wanted.since))
    if wanted.run_ids:
        query = query.where(lost.c.run_id.in_(wanted.run_ids))
    for row in connection.execute(query):
        scope = row.path.rpartition("/")[0]
        found: dict[str, tuple[Any, ...]] = {
            "agent": (row.agent,),
            "task": (row.task,),
            "run": (row.run_id,),
            "day": (row.created_at // _DAY_US,),
            "model": (row.model,),
            "tool": (f"{scope}/",),
        }
        key = found.get(wanted.by, (row.run_id, f"{scope}/", row.task is not None))
        yield UsageRow(names.key(key), lost=1, lost_pico=row.worst_pico or 0)


def _passed_over(connection: Connection, wanted: UsageFilter) -> Iterator[UsageRow]:
    """Requests to models of a chain before the one that the call is counted for, which are those models' requests."""
    step, reservation = schema.step, schema.reservation
    paid = _paid_model().label("paid")
    same = and_(
        step.c.run_id == reservation.c.run_id, step.c.path == reservation.c.path, step.c.rev == reservation.c.rev
    )
    query = select(paid, reservation.c.model, func.count()).select_from(step).join(reservation, same)
    query = query.where(*_calls(wanted), step.c.tried.is_not(None), reservation.c.state == "settled")
    query = query.where(reservation.c.outcome != "not_sent").group_by(paid, reservation.c.model)
    for counted_for, asked, count in connection.execute(query):
        if counted_for != asked:
            yield UsageRow(counted_for, requests=-count)
            yield UsageRow(asked, requests=count)


# --- names -----------------------------------------------------------------------------------------------------------


class _Names:
    """What the groups are called. Crews and flows by the kickoffs that stand in the journal."""

    def __init__(self, connection: Connection, wanted: UsageFilter) -> None:
        self._by = wanted.by
        self._connection = connection
        self._runs: dict[str, str | None] = {}
        self._nested: dict[tuple[str, str], tuple[str, str]] = {}
        if wanted.by in ("crew", "flow"):
            self._read(wanted)

    def expect(self, run_ids: Collection[str]) -> None:
        """Reads what these runs are, where it matters: a few hundred at once, by their key."""
        if self._by not in ("crew", "flow"):
            return
        run, missing = schema.run, [each for each in run_ids if each not in self._runs]
        self._runs.update(dict.fromkeys(missing))
        for at in range(0, len(missing), _IDS_PER_QUERY):
            query = select(run.c.id, run.c.name).where(run.c.id.in_(missing[at : at + _IDS_PER_QUERY]))
            for each in self._connection.execute(query.where(run.c.kind == self._by)):
                self._runs[each.id] = each.name

    def key(self, values: tuple[Any, ...]) -> str | None:
        match self._by:
            case "day":
                return f"{(_EPOCH + timedelta(days=int(values[0]))).date()}"
            case "tool":
                found = _TOOL.findall(values[0])
                return unquote(found[-1]) if found else None
            case "crew" | "flow":
                return self._kickoff(*values)
            case _:
                name: str | None = values[0]
                return name

    def _kickoff(self, run_id: str, scope: str, in_task: bool) -> str | None:
        """The innermost crew (or flow) around the step, else the run if it is one."""
        for found in reversed(list(_KICKOFF.finditer(scope))):
            # No row: the kickoff has not ended, or was stopped. Tasks are a crew's; its name is that of its path.
            kind, name = self._nested.get((run_id, _first(scope[: found.end()]))) or (
                "crew" if in_task else "flow",
                found[1],
            )
            if kind == self._by:
                return name
        self.expect((run_id,))
        return self._runs[run_id]

    def _read(self, wanted: UsageFilter) -> None:
        step = schema.step
        nested = select(step.c.run_id, step.c.path, step.c.kind, step.c.name).where(schema.NESTED)
        if wanted.run_ids:
            nested = nested.where(step.c.run_id.in_(wanted.run_ids))
        if wanted.since is not None:
            # A kickoff may have begun before its calls: those that ended since then are looked at.
            nested = nested.where(step.c.finished_at >= _micros(wanted.since))
        found = self._connection.execute(nested)
        self._nested = {(each.run_id, _first(each.path)): (each.kind, each.name) for each in found}


def _first(path: str) -> str:
    """The path of the first kickoff that asked the same."""
    return _COUNT.sub("#1", path.removeprefix("/"))


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def total(rows: Iterable[UsageRow]) -> UsageRow:
    """All groups together."""
    whole = UsageRow(None)
    for row in rows:
        whole = whole.plus(row)
    return whole
