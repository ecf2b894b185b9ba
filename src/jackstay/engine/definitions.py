"""Which definition a kickoff has and which one the record has: stored once, compared before anything runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from jackstay.core.ids import SHORT
from jackstay.core.outlines import Change, changes, likeness
from jackstay.core.records import RunRow
from jackstay.core.replay import KICKOFF, RecordedKickoff
from jackstay.engine.run import Run
from jackstay.engine.runtime import Runtime
from jackstay.errors import DefinitionChanged, NotFoundError

if TYPE_CHECKING:
    from jackstay.engine.asked import Kickoff

KNOWN_S = 60.0
"""How long it is taken for granted that a stored definition is still there: whoever deletes old runs deletes it with the
last of them."""
KNOWN_MOST = 1000
"""A program may define something new for each request."""
Defined = TypeVar("Defined", RunRow, RecordedKickoff)


def store_outline(run: Run, kickoff: Kickoff) -> None:
    """With the run's next commit, unless the journal has it. In the definition's own order, which the hash does not see."""
    if kickoff.outline is None or _is_known(run.runtime, kickoff.fingerprint):
        return
    run.writer.enclose(run.writer.content(kickoff.fingerprint, lambda: json.dumps(kickoff.outline)))


def outline_is_stored(run: Run, kickoff: Kickoff) -> None:
    """The run has ended well: what it was to store is stored."""
    if kickoff.outline is None or _is_known(run.runtime, kickoff.fingerprint):
        return
    if len(run.runtime.outlines) >= KNOWN_MOST:
        run.runtime.outlines.clear()
    run.runtime.outlines[kickoff.fingerprint] = run.runtime.clock.monotonic()


def _is_known(runtime: Runtime, fingerprint: str) -> bool:
    known_at = runtime.outlines.get(fingerprint)
    return known_at is not None and runtime.clock.monotonic() - known_at < KNOWN_S


def record_kickoff(run: Run, path: str, kickoff: Kickoff, continues: str | None) -> None:
    """Says in a nested kickoff's scope what was kicked off."""
    own, args_hash = f"{path}/{KICKOFF}", kickoff.identity
    if continues is None and run.find(own, args_hash) is not None:
        return
    store_outline(run, kickoff)
    told = as_recorded(kickoff, path, continues).to_json()
    run.defer(run.step_row(run.began(), own, "input", "kickoff", "succeeded", args_hash, request=told))


def as_recorded(kickoff: Kickoff, path: str = "", continues: str | None = None) -> RecordedKickoff:
    return RecordedKickoff(path, kickoff.kind, kickoff.name, kickoff.fingerprint, dict(kickoff.inputs), continues)


async def outline_of(runtime: Runtime, fingerprint: str) -> Any:
    """None: the journal does not have it."""
    try:
        return json.loads(await runtime.off_loop(runtime.journal.blob, fingerprint))
    except NotFoundError:
        return None


def stored_outline(runtime: Runtime, kickoff: Kickoff) -> Any:
    """A kickoff's own definition as the journal has it: with references in the place of secrets."""
    text = json.dumps(kickoff.outline)
    stored = runtime.masked.secrets.stored(text)
    return kickoff.outline if stored is text else json.loads(stored)


async def compare(runtime: Runtime, run_id: str, path: str, *, recorded: str, kickoff: Kickoff) -> list[Change]:
    """Says what of the definition has changed since it was recorded. Raises `DefinitionChanged` in a strict session."""
    if recorded == kickoff.fingerprint:
        return []
    old = await outline_of(runtime, recorded)
    what = f"{kickoff.kind} '{kickoff.name}'"
    found = [] if old is None or kickoff.outline is None else changes(old, stored_outline(runtime, kickoff))
    texts = [f"{what} has changed: {change.text}" for change in found]
    texts = texts or [
        f"the definition of {what} has changed since the run; steps whose question differs are asked anew"
    ]
    if runtime.session is not None and runtime.session.strict:
        raise DefinitionChanged(
            f"run {run_id[:SHORT]} was made with another definition. {'; '.join(texts)}. Nothing has been run; without "
            "--strict steps whose question differs are asked anew"
        )
    for text in texts:
        runtime.tell("warning", run_id, path, {"text": text})
    return found


async def most_alike(
    runtime: Runtime, kickoff: Kickoff, candidates: Sequence[Defined], *, at_least: float = 0.0
) -> Defined | None:
    """Of earlier kickoffs with other definitions the one whose definition has most in common with this one's (more than
    nothing); of equally like ones the first."""
    best, share = None, at_least
    for each in candidates:
        old = await outline_of(runtime, each.fingerprint or "")
        like = (
            likeness(old, stored_outline(runtime, kickoff)) if old is not None and kickoff.outline is not None else 0.0
        )
        if like > share or (best is None and like == share > 0):
            best, share = each, like
    return best
