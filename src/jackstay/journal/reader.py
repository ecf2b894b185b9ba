"""Reading the journal, from any thread, without waiting for the writer.

Functions take a connection, so that the writer can read inside its own transaction; `Reads` borrows one of the pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, literal, or_, select

from jackstay.core.budget import Amount
from jackstay.core.canonical import canonical_json
from jackstay.core.messages import EMPTY_CHAIN, Message
from jackstay.core.records import Intent, LeaseState, Reservation, RunFilter, RunRow, RunStatus, StepRow, Wait
from jackstay.core.usage import Bill, Usage, from_pico
from jackstay.errors import NotFoundError
from jackstay.journal import schema
from jackstay.journal.blobs import address_of, unpack, unpack_messages, unpack_text
from jackstay.journal.database import Database
from jackstay.journal.failures import storage_error
from jackstay.journal.owner import Owner
from jackstay.journal.rows import INTENTS, RESERVATIONS, RUNS, STEPS, WAITS, Codec, from_micros, to_micros
from jackstay.journal.statements import now
from jackstay.journal.usage import UsageFilter, UsageRow, read_usage

T = TypeVar("T")

_LAST = "\U0010ffff"
"""Sorts behind every other character: the end of a range of equal beginnings."""
_ADDRESSES_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class BillOfRun:
    """What a run, or a part of it, has used: by its recorded model calls, and at worst by calls that were lost."""

    recorded: Bill
    lost: Bill

    @property
    def total(self) -> Bill:
        return self.recorded + self.lost


class Reads:
    """The reading half of the journal."""

    _database: Database
    _owner: Owner

    def run(self, run_id: str) -> RunRow | None:
        """The run with exactly this id."""
        return self._read(lambda connection: read_run(connection, run_id))

    def find_runs(self, prefix_or_key: str) -> list[RunRow]:
        """Runs whose id begins with this text, or whose run key or flow state's id it is; newest first, ten at most."""
        run = schema.run
        begins = and_(run.c.id >= prefix_or_key, run.c.id < prefix_or_key + _LAST)
        # A flow's own state id stands in its tags; that is the whole JSON text unless more tags were given.
        state = run.c.tags.contains(f'"state_id":{canonical_json(prefix_or_key)}', autoescape=True)
        return self._runs(select(run).where(or_(begins, run.c.run_key == prefix_or_key, state)), limit=10)

    def runs(self, wanted: RunFilter) -> list[RunRow]:
        """Runs that fit the filter, newest first."""
        return self._runs(_filtered(wanted), limit=wanted.limit)

    def count_runs(self) -> list[tuple[str, str, str | None, int]]:
        """How many runs there are of each kind, status and reason; reads them all."""
        run = schema.run
        groups = (run.c.kind, run.c.status, run.c.reason)
        query = select(*groups, func.count()).group_by(*groups).order_by(*groups)
        return self._read(lambda connection: [tuple(row) for row in connection.execute(query)])

    def run_by_key(self, run_key: str, project_id: str | None = None) -> RunRow | None:
        """The run that has this run key in the project."""
        run = schema.run
        found = self._runs(
            select(run).where(run.c.run_key == run_key, func.coalesce(run.c.project_id, "") == (project_id or "")),
            limit=1,
        )
        return found[0] if found else None

    def children(self, run_id: str) -> list[RunRow]:
        """The runs of a batch run, oldest first."""
        return self._runs(select(schema.run).where(schema.run.c.parent_run == run_id))[::-1]

    def cancel_requested(self, run_ids: Sequence[str]) -> frozenset[str]:
        """Those of these runs that somebody has asked to stop."""
        run = schema.run
        query = select(run.c.id).where(run.c.id.in_(run_ids), run.c.cancel_requested)
        return self._read(lambda connection: frozenset(connection.scalars(query)))

    def steps(self, run_id: str, *, latest_only: bool = True) -> list[StepRow]:
        """The run's steps in the order of their completion; of each path the highest revision, or all."""
        return self._read(lambda connection: read_steps(connection, run_id, latest_only=latest_only))

    def reservations(self, run_id: str) -> list[Reservation]:
        """All reservations of the run, oldest first."""
        return self._read(lambda connection: read_reservations(connection, run_id))

    def waits(self, run_id: str) -> list[Wait]:
        """What the run has waited for, or waits for (not answered), oldest first."""
        return self._read(lambda connection: read_waits(connection, run_id))

    def open_waits(self, statuses: Sequence[RunStatus] = ("waiting",)) -> list[Wait]:
        """What all runs in one of these statuses wait for, oldest first."""
        run, wait = schema.run, schema.wait
        of_run = and_(run.c.id == wait.c.run_id, run.c.status.in_(statuses))
        query = select(wait).join(run, of_run).where(wait.c.answered_at.is_(None))
        ordered = query.order_by(wait.c.created_at, wait.c.run_id, wait.c.rev)
        return self._read(lambda connection: values_of(connection, WAITS, connection.execute(ordered).all()))

    def intents(self, run_id: str) -> list[Intent]:
        """Calls that tools with side effects were about to make, by path; the step of the same key says how one ended."""
        return self._read(lambda connection: read_intents(connection, run_id))

    def budget(self, name: str, period: str = "") -> tuple[Amount, Amount]:
        """What has been spent of a budget, and what is reserved."""
        table = schema.budget
        query = select(table).where(table.c.name == name, table.c.period == period)
        row = self._read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return Amount(), Amount()
        return (
            Amount(row.spent_pico, row.spent_tokens, row.spent_calls),
            Amount(row.reserved_pico, row.reserved_tokens, row.reserved_calls),
        )

    def lease(self, run_id: str) -> LeaseState | None:
        """Who drives the run, if it was ever driven."""
        lease = schema.lease
        clock = now(self._database.location.dialect).label("now")
        query = select(lease, clock).where(lease.c.run_id == run_id)
        row = self._read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return None
        owner = Owner.parse(row.owner) if row.owner else None
        gone = owner is not None and owner.is_gone(self._owner)
        live = row.owner is not None and row.expires_at >= row.now and not gone
        expires_at = from_micros(row.expires_at) if row.owner is not None else None
        return LeaseState(row.run_id, row.epoch, row.owner, live, row.activity, expires_at)

    def messages(self, ref: str) -> list[Message]:
        """The conversation whose hash is `ref`, from its beginning. Raises `NotFoundError` if a part is missing."""
        return self._read(lambda connection: read_messages(connection, ref))

    def blob(self, sha256: str) -> bytes:
        """The content of a blob. Raises `NotFoundError`."""
        blob = schema.blob
        query = select(blob.c.encoding, blob.c.bytes).where(blob.c.sha256 == sha256)
        row = self._read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise NotFoundError(f"there is no blob {sha256} in this journal")
        return unpack(row.encoding, row.bytes)

    def bill(self, run_id: str, path_prefix: str = "") -> BillOfRun:
        """What the run itself has used (copied rows are not billed again), below a path if one is given."""
        return self._read(lambda connection: read_bill(connection, run_id, path_prefix))

    def usage(self, wanted: UsageFilter) -> list[UsageRow]:
        """What model calls have used, by group: those of all runs, or of some."""
        return self._read(lambda connection: read_usage(connection, wanted))

    def _runs(self, query: Select[Any], limit: int | None = None) -> list[RunRow]:
        run = schema.run
        ordered = query.order_by(run.c.created_at.desc(), run.c.id.desc()).limit(limit)
        return self._read(lambda connection: values_of(connection, RUNS, connection.execute(ordered).all()))

    def _read(self, read: Callable[[Connection], T]) -> T:
        try:
            with self._database.reading() as connection:
                return read(connection)
        except self._database.errors as exc:
            raise storage_error(exc, self._database.location.shown) from exc


def read_run(connection: Connection, run_id: str) -> RunRow | None:
    found = values_of(connection, RUNS, connection.execute(select(schema.run).where(schema.run.c.id == run_id)).all())
    return found[0] if found else None


def read_steps(connection: Connection, run_id: str, *, latest_only: bool = True) -> list[StepRow]:
    step = schema.step
    rows: Sequence[Sequence[Any]] = connection.execute(
        select(step).where(step.c.run_id == run_id).order_by(step.c.seq)
    ).all()
    steps = values_of(connection, STEPS, rows)
    if not latest_only:
        return steps
    highest: dict[str, int] = {}
    for each in steps:
        highest[each.path] = max(each.rev, highest.get(each.path, 0))
    return [each for each in steps if each.rev == highest[each.path]]


def read_step(connection: Connection, run_id: str, path: str, rev: int) -> StepRow | None:
    step = schema.step
    query = select(step).where(step.c.run_id == run_id, step.c.path == path, step.c.rev == rev)
    found = values_of(connection, STEPS, connection.execute(query).all())
    return found[0] if found else None


def read_reservations(connection: Connection, run_id: str) -> list[Reservation]:
    table = schema.reservation
    query = select(table).where(table.c.run_id == run_id)
    query = query.order_by(table.c.created_at, table.c.path, table.c.rev, table.c.attempt)
    return values_of(connection, RESERVATIONS, connection.execute(query).all())


def read_waits(connection: Connection, run_id: str) -> list[Wait]:
    table = schema.wait
    query = select(table).where(table.c.run_id == run_id).order_by(table.c.created_at, table.c.path, table.c.rev)
    return values_of(connection, WAITS, connection.execute(query).all())


def read_intents(connection: Connection, run_id: str) -> list[Intent]:
    table = schema.intent
    query = select(table).where(table.c.run_id == run_id).order_by(table.c.path, table.c.rev)
    return values_of(connection, INTENTS, connection.execute(query).all())


def read_messages(connection: Connection, ref: str) -> list[Message]:
    blob = schema.blob
    stretches: list[list[Message]] = []
    while ref != EMPTY_CHAIN:
        row = connection.execute(select(blob).where(blob.c.sha256 == ref)).one_or_none()
        if row is None or row.parent is None:
            raise NotFoundError(f"the journal has no messages under {ref}")
        stretches.append(unpack_messages(row.encoding, row.bytes))
        ref = row.parent
    return [message for stretch in reversed(stretches) for message in stretch]


def read_bill(connection: Connection, run_id: str, path_prefix: str) -> BillOfRun:
    recorded = connection.execute(_recorded_sums(run_id, path_prefix)).one()
    lost = connection.execute(_lost_sums(run_id, path_prefix)).one()
    return BillOfRun(_bill(recorded), _bill(lost))


def _recorded_sums(run_id: str, path_prefix: str) -> Select[Any]:
    step = schema.step
    used = step.c.input_tokens + step.c.output_tokens > 0
    return select(
        _sum(step.c.input_tokens).label("input_tokens"),
        _sum(step.c.cached_tokens).label("cached_tokens"),
        _sum(step.c.cache_write_tokens).label("cache_write_tokens"),
        _sum(step.c.output_tokens).label("output_tokens"),
        _sum(step.c.reasoning_tokens).label("reasoning_tokens"),
        func.count().filter(step.c.flags.like("%estimated%")).label("estimated"),
        func.count().filter(and_(step.c.status == "succeeded", step.c.attempts > 0)).label("requests"),
        _sum(step.c.cost_pico).label("cost_pico"),
        func.count().filter(and_(step.c.cost_pico.is_(None), used)).label("unpriced"),
    ).where(step.c.run_id == run_id, step.c.kind == "llm", step.c.origin_run_id.is_(None), *_below(step, path_prefix))


def _lost_sums(run_id: str, path_prefix: str) -> Select[Any]:
    reservation = schema.reservation
    return select(
        _sum(reservation.c.worst_input_tokens).label("input_tokens"),
        literal(0).label("cached_tokens"),
        literal(0).label("cache_write_tokens"),
        _sum(reservation.c.worst_output_tokens).label("output_tokens"),
        literal(0).label("reasoning_tokens"),
        func.count().label("estimated"),
        func.count().label("requests"),
        _sum(reservation.c.worst_pico).label("cost_pico"),
        func.count().filter(reservation.c.worst_pico.is_(None)).label("unpriced"),
    ).where(reservation.c.run_id == run_id, reservation.c.state == "lost", *_below(reservation, path_prefix))


def _sum(column: ColumnElement[int]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(column), 0)


def _bill(sums: Row[Any]) -> Bill:
    usage = Usage(  # PostgreSQL sums BIGINT as NUMERIC
        input_tokens=int(sums.input_tokens),
        cached_tokens=int(sums.cached_tokens),
        cache_write_tokens=int(sums.cache_write_tokens),
        output_tokens=int(sums.output_tokens),
        reasoning_tokens=int(sums.reasoning_tokens),
        estimated=sums.estimated > 0,
    )
    return Bill(usage, sums.requests, None if sums.unpriced else from_pico(int(sums.cost_pico)))


def _below(table: Any, path_prefix: str) -> list[Any]:
    if not path_prefix:
        return []
    inside = and_(table.c.path >= path_prefix + "/", table.c.path < path_prefix + "0")  # "0" follows "/"
    return [or_(table.c.path == path_prefix, inside)]


def _filtered(wanted: RunFilter) -> Select[Any]:
    run = schema.run
    query = select(run)
    if wanted.status:
        query = query.where(run.c.status.in_(wanted.status))
    if wanted.kind:
        query = query.where(run.c.kind.in_(wanted.kind))
    if wanted.unfinished:
        query = query.where(schema.UNFINISHED)
    if wanted.since is not None:
        query = query.where(run.c.created_at >= to_micros(wanted.since))
    if wanted.crew is not None:
        query = query.where(_has_crew(wanted.crew))
    if wanted.before is not None:
        mark = select(run.c.created_at).where(run.c.id == wanted.before).scalar_subquery()
        query = query.where(or_(run.c.created_at < mark, and_(run.c.created_at == mark, run.c.id < wanted.before)))
    for column, value in (
        (run.c.name, wanted.name),
        (run.c.session_id, wanted.session_id),
        (run.c.parent_run, wanted.parent_run),
        (run.c.forked_from, wanted.forked_from),
    ):
        if value is not None:
            query = query.where(column == value)
    return query


def _has_crew(name: str) -> ColumnElement[bool]:
    """The run is that crew's, or has kicked it off: a crew that has ended has a row, one that has begun is named in its
    kickoff's."""
    run, step = schema.run, schema.step
    named = f'"kind":"crew","name":{canonical_json(name)}'
    begun = and_(step.c.kind == "input", step.c.name == "kickoff", step.c.request.contains(named, autoescape=True))
    inside = select(step.c.run_id).where(
        step.c.run_id == run.c.id, or_(and_(step.c.kind == "crew", step.c.name == name), begun)
    )
    return or_(and_(run.c.kind.in_(("crew", "batch")), run.c.name == name), inside.exists())


def values_of(connection: Connection, codec: Codec[T], rows: Sequence[Sequence[Any]]) -> list[T]:
    payloads = _payloads(connection, codec.markers(rows))
    return [codec.decode(row, payloads) for row in rows]


def _payloads(connection: Connection, markers: Iterable[str]) -> dict[str, str]:
    """The texts that stand for the markers."""
    blob, texts = schema.blob, {}
    wanted = {address_of(marker): marker for marker in markers}
    addresses = list(wanted)
    for at in range(0, len(addresses), _ADDRESSES_PER_QUERY):
        some = addresses[at : at + _ADDRESSES_PER_QUERY]
        for row in connection.execute(select(blob).where(blob.c.sha256.in_(some))):
            texts[wanted[row.sha256]] = unpack_text(row.encoding, row.bytes)
    return texts
