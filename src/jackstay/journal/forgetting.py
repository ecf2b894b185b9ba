"""Erasing what runs were told and have said. What they used and cost, when, by which model, stays: the ledger."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, or_, select, update

from jackstay.core.canonical import canonical_json
from jackstay.core.content import Content
from jackstay.core.failures import Failure
from jackstay.core.forgetting import tagged
from jackstay.core.records import TERMINAL
from jackstay.journal import schema
from jackstay.journal.blobs import address_of, is_marker, unpack_text
from jackstay.journal.leases import held_runs
from jackstay.journal.write_connection import WriteConnection

_OF_A_STEP = ("request", "request_ref", "result", "error", "tried")
_OF_A_RUN = ("inputs", "output", "error", "entry")
HASHED, OUTPUT = "sha256:", "output_sha256"
"""In a step's flags, and in a run's tags."""
_OF_A_WAIT = ("prompt", "payload", "answer")


def forget_runs(
    connection: WriteConnection, run_ids: Sequence[str], at: datetime, keep: Content | None = None
) -> frozenset[str]:
    """Erase the content of those of the runs that have ended and that nobody holds, and of the items of batches among
    them. Returns them; long contents stay until a `sweep`. `keep`: "hashes" leaves those of results, "off" not even
    those of questions; and a failed run lets go of its run key, since nothing can go on with it."""
    core, run = connection.core, schema.run
    family = sorted(core.scalars(select(run.c.id).where(or_(run.c.id.in_(run_ids), run.c.parent_run.in_(run_ids)))))
    held = held_runs(connection, family)
    ended = core.execute(
        select(run.c.id, run.c.tags, run.c.status, run.c.output, run.c.error)
        .where(run.c.id.in_(family), run.c.status.in_(TERMINAL))
        .with_for_update()
    ).all()
    gone = {row.id: row for row in ended if row.id not in held}
    if not gone:
        return frozenset()
    ids = list(gone)
    step, wait, cache = schema.step, schema.wait, schema.answer_cache
    # Inputs and definitions of kickoffs inside: nothing else is in such a row.
    core.execute(delete(step).where(step.c.run_id.in_(ids), step.c.kind == "input"))
    left = _left_of_steps(core, ids, keep)
    core.execute(update(step).where(step.c.run_id.in_(ids)).values(dict.fromkeys(_OF_A_STEP)))
    if left:
        own = [step.c[name] == bindparam(f"of_{name}") for name in ("run_id", "path", "rev")]
        core.execute(update(step).where(*own).values(flags=bindparam("marked"), error=bindparam("bare")), left)
    if keep == "off":
        core.execute(update(step).where(step.c.run_id.in_(ids)).values(args_hash=""))
    core.execute(update(wait).where(wait.c.run_id.in_(ids)).values(dict.fromkeys(_OF_A_WAIT)))
    core.execute(delete(cache).where(cache.c.run_id.in_(ids)))
    for run_id, row in gone.items():
        erased = {**dict.fromkeys(_OF_A_RUN), "tags": tagged(row.tags, at), "error": _bare(core, row.error)}
        if keep == "hashes" and row.output is not None:
            erased["tags"] = canonical_json({**json.loads(erased["tags"] or "{}"), OUTPUT: _sha256(row.output)})
        if keep is not None and row.status != "succeeded":
            erased["run_key"] = None
        core.execute(update(run).where(run.c.id == run_id).values(erased))
    return frozenset(gone)


def _left_of_steps(core: Connection, ids: Sequence[str], keep: Content | None) -> list[dict[str, Any]]:
    """By the steps' keys: hashes of their results among their flags, if these are kept; of their errors what they were."""
    step, found = schema.step, []
    columns = (step.c.run_id, step.c.path, step.c.rev, step.c.flags, step.c.result, step.c.error)
    wanted = or_(step.c.error.is_not(None), step.c.result.is_not(None))
    for row in core.execute(select(*columns).where(step.c.run_id.in_(ids), wanted)).all():
        hashed = [f"{HASHED}{_sha256(row.result)}"] if keep == "hashes" and row.result is not None else []
        marked = ",".join([*filter(None, [row.flags]), *hashed]) or None
        if marked != row.flags or row.error is not None:
            key = {"of_run_id": row.run_id, "of_path": row.path, "of_rev": row.rev}
            found.append({**key, "marked": marked, "bare": _bare(core, row.error)})
    return found


def _sha256(text: str) -> str:
    """Of a payload as it was; a long one is found by it."""
    return address_of(text) if is_marker(text) else hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _bare(core: Connection, error: str | None) -> str | None:
    """Of an error what it was, not what it said."""
    if error is None:
        return None
    if is_marker(error):
        blob = schema.blob
        row = core.execute(select(blob).where(blob.c.sha256 == address_of(error))).one_or_none()
        if row is None:
            return None
        error = unpack_text(row.encoding, row.bytes)
    failure = Failure.from_json(error)
    return replace(failure, message="", args=(), notes=(), traceback="", details=None).to_json()
