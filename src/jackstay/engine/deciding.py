"""What a person says of a tool's call that a run waits for."""

from __future__ import annotations

from jackstay.core.ids import SHORT
from jackstay.core.intents import NEEDS_DECISION, Decided
from jackstay.core.masking import Secrets
from jackstay.core.records import Wait
from jackstay.engine.asked import find_run
from jackstay.engine.runtime import Runtime, current_runtime
from jackstay.engine.waits import give
from jackstay.errors import NotFoundError
from jackstay.journal import Journal


def decide(run: str, decision: str, result: str | None = None) -> None:
    """Says what became of a tool's call that a run waits for (`RunWaiting`); resume the run afterwards.

    `run`: its id, an unambiguous beginning of it, or its run key. `decision`: "done" (it has acted; `result` is what the
    agent is told), "again" (it has not: it is called now) or "fail" (the agent is told that it failed). Raises
    `ValueError`, and `NotFoundError` if the run waits for no decision.
    """
    decided = Decided.of(decision, result)
    runtime = current_runtime()
    runtime.engine_loop.submit(lambda: _decide(runtime, run, decided)).future.result()


async def _decide(runtime: Runtime, wanted: str, decided: Decided) -> None:
    row = await find_run(runtime, wanted)
    await runtime.off_loop(answer, runtime.journal, row.id, decided, "decide()", runtime.masked.secrets)


def open_decision(journal: Journal, run_id: str) -> Wait | None:
    """The decision that the run waits for; of several the oldest."""
    return next((w for w in journal.waits(run_id) if w.kind == NEEDS_DECISION and w.answered_at is None), None)


def answer(journal: Journal, run_id: str, decided: Decided, by: str, secrets: Secrets) -> None:
    """Notes the answer. `secrets`: what is not to be stored of it. Raises `NotFoundError` if there is nothing to be decided, `AlreadyAnswered` if somebody is faster."""
    wait = open_decision(journal, run_id)
    if wait is None:
        raise NotFoundError(
            f"run {run_id[:SHORT]} waits for no decision; 'jackstay show {run_id[:SHORT]}' says what it waits for"
        )
    give(journal, wait, decided.to_json(), by=by, secrets=secrets)
