"""Deleting runs that have ended, and then the blobs that no row needs any more.

Two steps, each safe on its own: after a crash between them blobs are left over, which the next sweep finds. Nothing is
deleted that another process, writing meanwhile, refers to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, func, or_, select

from jackstay.core.records import TERMINAL
from jackstay.journal import schema
from jackstay.journal.blobs import address_of, is_marker, unpack_text
from jackstay.journal.leases import held_runs
from jackstay.journal.rows import RUNS, STEPS, WAITS
from jackstay.journal.statements import now
from jackstay.journal.write_connection import WriteConnection

MIN_AGE_S = 600.0
"""A run that has just ended stays: its process takes for granted for a while that the run's definition is there
(`engine.definitions.KNOWN_S`), and begins the next run, whose row it may not have written yet, without storing it again."""
_RUNS_PER_QUERY = 200
_BLOBS_PER_QUERY = 500
_ADDRESS = re.compile(r"[0-9a-f]{64}")
_OF_A_RUN = (schema.step, schema.reservation, schema.wait, schema.intent, schema.answer_cache, schema.lease)


def delete_runs(connection: WriteConnection, run_ids: Sequence[str]) -> frozenset[str]:
    """Delete those of the runs that ended `MIN_AGE_S` ago and that nobody holds, with all their rows. Returns them."""
    core, run = connection.core, schema.run
    clock = now(connection.dialect.name)
    held = held_runs(connection, run_ids)
    old = run.c.finished_at < clock - int(MIN_AGE_S * 1e6)
    ended = core.scalars(
        select(run.c.id).where(run.c.id.in_(run_ids), run.c.status.in_(TERMINAL), old).with_for_update()
    )
    gone = sorted(set(ended) - held)
    if not gone:
        return frozenset()
    for table in _OF_A_RUN:
        core.execute(delete(table).where(table.c.run_id.in_(gone)))
    budget = schema.budget
    own = delete(budget).where(budget.c.name >= bindparam("first"), budget.c.name < bindparam("behind"))
    core.execute(own, [{"first": f"run:{run_id}:", "behind": f"run:{run_id};"} for run_id in gone])  # ";" follows ":"
    core.execute(delete(run).where(run.c.id.in_(gone)))
    return frozenset(gone)


# --- blobs ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Garbage:
    """Blobs that no row needed when it was looked, with their stored sizes in bytes."""

    sizes: Mapping[str, int]
    rested: Mapping[str, int]
    """The runs that had ended by then, and how often each had been taken up: rows of others may have come since."""

    @property
    def size_bytes(self) -> int:
        return sum(self.sizes.values())


def find_garbage(connection: Connection, without: Sequence[str] = ()) -> Garbage:
    """The blobs that nothing needs, as if the runs `without` were gone. Reads everything, and keeps nobody waiting."""
    blob, run, left_out = schema.blob, schema.run, frozenset(without)
    # First the blobs: one that comes later is no candidate, whoever needs it.
    sizes = {
        row.sha256: row.size
        for row in connection.execute(select(blob.c.sha256, func.length(blob.c.bytes).label("size")))
    }
    states = connection.execute(select(run.c.id, run.c.status, run.c.attempts)).all()
    runs = [row.id for row in states if row.id not in left_out]
    needed = _needed(connection, runs)
    rested = {row.id: row.attempts for row in states if row.status in TERMINAL}
    return Garbage({address: size for address, size in sizes.items() if address not in needed}, rested)


def sweep(connection: WriteConnection, garbage: Garbage) -> Garbage:
    """Delete what is still not needed. Returns it."""
    core, blob, run = connection.core, schema.blob, schema.run
    if connection.dialect.name == "postgresql":
        # Writers that store a blob finish first or wait: else one could find its blob there, and store a row behind it
        # that is not seen here. On SQLite there is one writer at a time anyway.
        connection.execute("lock table blob in share row exclusive mode")
    states = core.execute(select(run.c.id, run.c.status, run.c.attempts)).all()
    moved = [row.id for row in states if row.status not in TERMINAL or garbage.rested.get(row.id) != row.attempts]
    needed = _needed(core, moved)
    gone = sorted(address for address in garbage.sizes if address not in needed)
    for some in _parts(gone, _BLOBS_PER_QUERY):
        core.execute(delete(blob).where(blob.c.sha256.in_(some)))
    return Garbage({address: garbage.sizes[address] for address in gone}, garbage.rested)


def _needed(connection: Connection, runs: Sequence[str]) -> set[str]:
    """The addresses that rows of these runs refer to, and those of the messages before them."""
    found: set[str] = set()
    for some in _parts(runs, _RUNS_PER_QUERY):
        for text in _references(connection, some):
            found |= set(_ADDRESS.findall(text))
    blob = schema.blob
    parents = dict(connection.execute(select(blob.c.sha256, blob.c.parent).where(blob.c.parent.is_not(None))).all())
    for address in list(found):
        parent = parents.get(address)
        while parent is not None and parent not in found:
            found.add(parent)
            parent = parents.get(parent)
    return found


def _references(connection: Connection, runs: Sequence[str]) -> Iterator[str]:
    """Texts with addresses in them: markers, hashes of conversations and definitions, and the requests, where settings
    and nested definitions are named. (Whatever looks like an address in a request counts: rather kept than missed.)"""
    run, step, wait = schema.run, schema.step, schema.wait
    yield from connection.scalars(select(run.c.fingerprint).where(run.c.id.in_(runs), run.c.fingerprint.is_not(None)))
    yield from _markers(connection, run, RUNS.payload_names, run.c.id.in_(runs))
    yield from _markers(connection, wait, WAITS.payload_names, wait.c.run_id.in_(runs))
    yield from _markers(connection, step, STEPS.payload_names, step.c.run_id.in_(runs))
    mine = step.c.run_id.in_(runs)
    yield from connection.scalars(select(step.c.request_ref).where(mine, step.c.request_ref.is_not(None)))
    for request in connection.scalars(select(step.c.request).where(mine, step.c.request.is_not(None))):
        yield _text(connection, request) if is_marker(request) else request


def _markers(connection: Connection, table: Any, names: Iterable[str], of: Any) -> Iterator[str]:
    columns = [table.c[name] for name in names]
    marked = [case((column.like("blob:%"), column)) for column in columns]
    for row in connection.execute(select(*marked).where(of, or_(*(column.like("blob:%") for column in columns)))):
        yield from (value for value in row if value is not None)


def _text(connection: Connection, marker: str) -> str:
    blob = schema.blob
    row = connection.execute(select(blob).where(blob.c.sha256 == address_of(marker))).one_or_none()
    return "" if row is None else unpack_text(row.encoding, row.bytes)


def _parts(values: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for at in range(0, len(values), size):
        yield values[at : at + size]
