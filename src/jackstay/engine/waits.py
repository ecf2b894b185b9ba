"""What a run has waited for and waits for, and how a wait is answered: from any process, once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from jackstay.core.masking import Secrets
from jackstay.core.records import Wait
from jackstay.core.waits import TIME_OVER, Answer, answer_of, when_time_is_over
from jackstay.engine.concealing import revealed
from jackstay.engine.recorded import Recorded
from jackstay.errors import AlreadyAnswered

if TYPE_CHECKING:
    from jackstay.journal import Journal

_NONE = Secrets()
ANSWER_TIMEOUT_S = 30.0
"""How long a write of an answer is waited for."""


class Waits:
    """What a run has waited for, and waits for; lives on the engine loop."""

    def __init__(self) -> None:
        self._asked: dict[str, Wait] = {}
        self.new: tuple[Wait, ...] = ()
        """To be written when the run ends its turn."""
        self.for_now: tuple[Wait, ...] = ()
        """What this process has found nobody's answer to."""

    def load(self, waits: Iterable[Wait]) -> None:
        for wait in waits:  # of a path the last one counts
            self._asked[wait.path] = wait

    def at(self, path: str, recorded: Recorded) -> Wait | None:
        """The wait at this step's place."""
        return self._asked.get(path) or self._asked.get(recorded.earlier(path))

    def open(self, wait: Wait, *, is_new: bool) -> None:
        self.for_now += (wait,)
        if is_new:
            self.new += (wait,)


def settled(journal: Journal, wait: Wait, secrets: Secrets = _NONE) -> Answer | None:
    """What has been answered by now, with the secrets in it; if its time is over, what counts as the answer then."""
    if wait.deadline is not None and wait.answer is None:
        journal.time_is_over(wait, when_time_is_over(wait).to_json(), by=TIME_OVER).result(ANSWER_TIMEOUT_S)
    known = next((w for w in journal.waits(wait.run_id) if (w.path, w.rev) == (wait.path, wait.rev)), wait)
    return answer_of(revealed(known, secrets))


def give(journal: Journal, wait: Wait, answer: str, *, by: str, secrets: Secrets) -> None:
    """Notes the answer (JSON text, as the wait's kind wants it), without the secrets. Raises `AlreadyAnswered` if there is
    one."""
    answer = secrets.stored(answer)
    if journal.answer_wait(wait, answer, by=by).result(ANSWER_TIMEOUT_S):
        return
    known = next((w for w in journal.waits(wait.run_id) if (w.path, w.rev) == (wait.path, wait.rev)), wait)
    if known.answered_at is None:
        settled(journal, wait)
        raise AlreadyAnswered(f"the time for an answer to {wait.prompt!r} was over; the run goes on without one")
    raise AlreadyAnswered(
        f"{known.answered_by} has answered {wait.prompt!r} at {known.answered_at:%Y-%m-%d %H:%M:%S} UTC already, and that "
        "counts; look at the run with 'jackstay show'"
    )
