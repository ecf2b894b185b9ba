"""Erasing what runs were told and have said. What they used and cost, when, by which model, stays: the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, or_, select, update

from jackstay.core.forgetting import tagged
from jackstay.core.records import TERMINAL
from jackstay.journal import schema
from jackstay.journal.leases import held_runs
from jackstay.journal.write_connection import WriteConnection

_OF_A_STEP = ("request", "request_ref", "result", "error", "tried")
_OF_A_RUN = ("inputs", "output", "error", "entry")
_OF_A_WAIT = ("prompt", "payload", "answer")


def forget_runs(connection: WriteConnection, run_ids: Sequence[str], at: datetime) -> frozenset[str]:
    """Erase the content of those of the runs that have ended and that nobody holds, and of the items of batches among
    them. Returns them; long contents stay until a `sweep`."""
    core, run = connection.core, schema.run
    if connection.dialect.name == "sqlite":
        # Else what was erased stays in the file's free pages. For this connection, so for the sweep after it as well.
        connection.execute("pragma secure_delete = on")
    family = sorted(core.scalars(select(run.c.id).where(or_(run.c.id.in_(run_ids), run.c.parent_run.in_(run_ids)))))
    held = held_runs(connection, family)
    ended = core.execute(
        select(run.c.id, run.c.tags).where(run.c.id.in_(family), run.c.status.in_(TERMINAL)).with_for_update()
    ).all()
    gone = {row.id: row.tags for row in ended if row.id not in held}
    if not gone:
        return frozenset()
    ids = list(gone)
    step, wait, cache = schema.step, schema.wait, schema.answer_cache
    # Inputs and definitions of kickoffs inside: nothing else is in such a row.
    core.execute(delete(step).where(step.c.run_id.in_(ids), step.c.kind == "input"))
    core.execute(update(step).where(step.c.run_id.in_(ids)).values(dict.fromkeys(_OF_A_STEP)))
    core.execute(update(wait).where(wait.c.run_id.in_(ids)).values(dict.fromkeys(_OF_A_WAIT)))
    core.execute(delete(cache).where(cache.c.run_id.in_(ids)))
    for run_id, tags in gone.items():
        erased = {**dict.fromkeys(_OF_A_RUN), "tags": tagged(tags, at)}
        core.execute(update(run).where(run.c.id == run_id).values(erased))
    return frozenset(gone)
