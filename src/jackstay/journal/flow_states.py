"""Where the states of persisted flows are: in the rows of their runs, found by the state's id. Nothing is kept twice.

A flow that is persisted says the id in the row of its first state (`StepRow.request`); the rows of its methods that are
persisted carry the flag `SAVED`.
"""

from __future__ import annotations

from sqlalchemy import Connection, and_, case, or_, select

from jackstay.core.flow_state import address, scope_of
from jackstay.core.records import SAVED, StateUse, StepRow
from jackstay.journal import schema
from jackstay.journal.reader import read_run, values_of
from jackstay.journal.rows import STEPS

_NEWEST = 50
"""So many kickoffs with one state are looked at; those before them have ended long ago."""


def read_uses(connection: Connection, state_id: str) -> list[StateUse]:
    """The kickoffs of flows with a state of that id, the newest first."""
    step, run = schema.step, schema.run
    # What was copied from another run began when its own run did.
    began = case((step.c.origin_run_id.is_(None), step.c.started_at), else_=run.c.created_at)
    query = (
        select(step.c.run_id, step.c.path)
        .join(run, run.c.id == step.c.run_id)
        .where(schema.SAVED, step.c.request == address(state_id))
        .order_by(began.desc(), step.c.run_id.desc(), step.c.seq.desc())
        .limit(_NEWEST)
    )
    found = []
    for run_id, at in connection.execute(query).all():
        row, path = read_run(connection, run_id), at.rpartition("/")[0]
        if row is not None:
            ended = row.status == "succeeded" or (path != "" and _ended_well(connection, run_id, path))
            found.append(StateUse(row, path, ended))
    return found


def read_saved(connection: Connection, state_id: str) -> list[StepRow]:
    """The rows that make the state as it was saved last, in order: of the state at the beginning and of the methods up to
    the last one that was persisted. Empty: none was."""
    best: list[StepRow] = []
    for use in read_uses(connection, state_id):
        ended_at = use.run.finished_at
        if best and ended_at is not None and ended_at < best[-1].finished_at:
            break  # this one, and those before it, had ended by then
        rows = _until_saved(_rows_of_flow(connection, use.run.id, use.path))
        if rows and (not best or rows[-1].finished_at > best[-1].finished_at):
            best = rows
    return best


def _until_saved(rows: list[StepRow]) -> list[StepRow]:
    last = max((at for at, row in enumerate(rows) if SAVED in (row.flags or "").split(",")), default=-1)
    return rows[: last + 1]


def _rows_of_flow(connection: Connection, run_id: str, path: str) -> list[StepRow]:
    """The newest revisions of the flow's own rows that tell of its state, in order of completion."""
    step = schema.step
    below = [step.c.path >= f"{path}/", step.c.path < f"{path}0"] if path else []  # "0" follows "/"
    kinds = or_(step.c.kind.in_(("method", "returned")), and_(step.c.kind == "input", step.c.name == "state"))
    query = select(step).where(step.c.run_id == run_id, kinds, *below).order_by(step.c.seq)
    rows = [row for row in values_of(connection, STEPS, connection.execute(query).all()) if scope_of(row) == path]
    newest = {row.path: row.rev for row in sorted(rows, key=lambda row: row.rev)}
    return [row for row in rows if row.rev == newest[row.path]]


def _ended_well(connection: Connection, run_id: str, path: str) -> bool:
    step = schema.step
    query = select(step.c.path).where(step.c.run_id == run_id, step.c.path == path, step.c.status == "succeeded")
    return connection.execute(query).first() is not None
