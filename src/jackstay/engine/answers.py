"""Answering what a run waits for, from any process: in words, by an outcome, a decision, or a larger budget."""

from __future__ import annotations

from collections.abc import Sequence

from jackstay.core.budget import parse_amount
from jackstay.core.canonical import canonical_json
from jackstay.core.ids import SHORT
from jackstay.core.intents import Decided
from jackstay.core.masking import Secrets
from jackstay.core.records import Wait
from jackstay.core.waits import PERSONAL, checked, name_of
from jackstay.engine.asked import find_run
from jackstay.engine.runtime import Runtime, current_runtime
from jackstay.engine.waits import ANSWER_TIMEOUT_S, give, settled
from jackstay.errors import AlreadyAnswered, ConfigurationError, NotFoundError
from jackstay.journal import Journal


def answer(run: str, text: str | None = None, *, outcome: str | None = None, by: str = "answer()") -> None:
    """Answers what a run waits for; resume the run afterwards.

    `run`: its id, an unambiguous beginning of it, or its run key; with `#` and a number the wait of that number, as `jackstay
    waits` lists it. `text`: the person's words, empty for none; `outcome`: one of the labels of `@human_feedback(emit=…)`;
    `by`: who says it, for the record. Raises `AlreadyAnswered`, `NotFoundError` if the run waits for nothing, and
    `ValueError` for what is no answer to the question.
    """
    runtime = current_runtime()
    runtime.engine_loop.submit(lambda: _answer(runtime, run, text, outcome, by)).future.result()


async def _answer(runtime: Runtime, wanted: str, text: str | None, outcome: str | None, by: str) -> None:
    name, number = number_in(wanted)
    row = await find_run(runtime, name)
    wait = await runtime.off_loop(wait_of, runtime.journal, row.id, number)
    secrets = runtime.masked.secrets
    await runtime.off_loop(give_words, runtime.journal, wait, text, outcome, by=by, secrets=secrets)


def number_in(wanted: str) -> tuple[str, int | None]:
    """The run, and the number of its wait, if one is given: `RUN#2`."""
    run, mark, number = wanted.rpartition("#")
    return (run, int(number)) if mark and run and number.isdigit() else (wanted, None)


def open_waits(journal: Journal, run_id: str) -> list[Wait]:
    """What the run waits for now, oldest first. Those whose time is over are settled by that."""
    waits = [wait for wait in journal.waits(run_id) if wait.answered_at is None]
    return [wait for wait in waits if wait.deadline is None or settled(journal, wait) is None]


def wait_of(journal: Journal, run_id: str, number: int | None) -> Wait:
    """The wait of that number; without one the only one that is open. Raises `NotFoundError`, `AlreadyAnswered`."""
    everything = journal.waits(run_id)
    if number is not None:
        found = [wait for wait in everything if wait.rev == number]
        if not found:
            raise NotFoundError(
                f"run {run_id[:SHORT]} has no wait #{number}; 'jackstay waits' lists what is waited for"
            )
        return found[-1]
    still_open = open_waits(journal, run_id)
    if len(still_open) > 1:
        listed = "; ".join(f"{name_of(wait)} {wait.prompt!r}" for wait in still_open)
        raise NotFoundError(f"run {run_id[:SHORT]} waits for {len(still_open)} answers, say which is meant: {listed}")
    if still_open:
        return still_open[0]
    raise _nothing_open(run_id, everything)


def _nothing_open(run_id: str, waits: Sequence[Wait]) -> Exception:
    if not waits:
        return NotFoundError(
            f"run {run_id[:SHORT]} waits for nothing; 'jackstay show {run_id[:SHORT]}' says how it stands"
        )
    last = max(waits, key=lambda wait: wait.answered_at or wait.created_at)
    when = f" at {last.answered_at:%Y-%m-%d %H:%M:%S} UTC" if last.answered_at else ""
    return AlreadyAnswered(
        f"{last.answered_by or 'the deadline'} has answered what run {run_id[:SHORT]} waited for{when}, and that counts; go on "
        f"with it: jackstay resume {run_id[:SHORT]}"
    )


def give_words(
    journal: Journal, wait: Wait, text: str | None, outcome: str | None, *, by: str, secrets: Secrets
) -> None:
    """Notes the answer in the form that the wait's kind wants. `secrets`: what is not to be stored of it. Raises
    `ValueError`, `AlreadyAnswered`."""
    if wait.kind in PERSONAL:
        give(journal, wait, checked(wait, text, outcome).to_json(), by=by, secrets=secrets)
        return
    if outcome is not None or text is None:
        raise ValueError(f"this question has no outcomes: {wait.prompt}")
    if wait.kind == "budget":
        _allow(journal, wait, text, by)
    else:
        give(journal, wait, Decided.parse(text).to_json(), by=by, secrets=secrets)


def _allow(journal: Journal, wait: Wait, text: str, by: str) -> None:
    try:
        most = parse_amount(text)
    except ConfigurationError as error:
        raise ValueError(str(error)) from error
    journal.allow(wait.run_id, canonical_json(most), by=by).result(ANSWER_TIMEOUT_S)
