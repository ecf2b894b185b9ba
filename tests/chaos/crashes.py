"""Crashing a drawn program at one of its fault points, resuming it, and comparing with the run that nobody disturbed.

Stricter than engine rule 43: what the rows say at the crash decides exactly which requests are made after it.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jackstay.core.canonical import digest
from jackstay.core.paths import parent_of
from jackstay.core.records import StepRow
from jackstay.journal import open_journal
from jackstay.journal.location import from_url
from jackstay.testing import Fault, Stub, StubRequest
from tests.chaos.kills import Killing, Moment, wait_until_all_is_seen
from tests.chaos.processes import Child, Warm
from tests.programs.generated import REVISE

KEY = "drawn"


def answer(request: StubRequest) -> Fault | str | None:
    """As the simulated model, but one model does not exist, and guardrails get what they ask for."""
    if request.model == "no-such-model":
        return Fault.http(404)
    return f"revised: {digest(question(request))[:12]}" if REVISE in request.last_user else None


@dataclass(frozen=True)
class Normal:
    """A drawn program that nobody disturbs."""

    seed: int
    result: dict[str, Any]
    points: tuple[str, ...]
    requests: int
    questions: Counter[str]

    @property
    def commits(self) -> int:
        """But for the last one, when the process gives its leases back: that one may fail."""
        return self.points.count("journal.commit") - 1

    @property
    def different_points(self) -> list[int]:
        """Of events that follow one another with nothing stored, sent or called between them, the first: a crash at the
        others is the same crash."""
        happen = ("journal.", "user code", "tool_")
        return [
            number
            for number, name in enumerate(self.points)
            if number == 0 or name.startswith(happen) or self.points[number - 1].startswith(happen)
        ]


@dataclass(frozen=True)
class Books:
    """What a journal says of the calls of a run."""

    attempts: int = 0
    repeatable: int = 0
    """Of these, requests of failures that nothing has gone on from: they are executed again."""
    open: int = 0
    lost: int = 0

    @property
    def unanswered(self) -> int:
        return self.open + self.lost


@dataclass(frozen=True)
class Crash:
    """One crash and its resume. `met` is False if the program had ended before that point."""

    seed: int
    point: int
    met: bool
    before: int
    requests: int
    questions: Counter[str]
    at_crash: Books
    at_end: Books
    result: dict[str, Any]

    def row(self) -> str:
        return (
            f"PROGRAM_SEED={self.seed} SIGNAL_AT={self.point} met={self.met}: {self.before} requests before, "
            f"{self.requests} in all; journal {self.at_crash} then {self.at_end}"
        )


def undisturbed(warm: Warm, seed: int, folder: Path) -> Normal:
    """On SQLite."""
    with Stub(answer) as stub:
        child = started(warm, stub, seed, folder, f"sqlite:///{folder / 'journal.db'}", {})
        assert child.wait() == 0, f"PROGRAM_SEED={seed}\n{child.output}"
        requests = stub.requests
    return Normal(seed, child.result, tuple(child.points), len(requests), Counter(map(question, requests)))


def crash_and_resume(warm: Warm, seed: int, point: int, folder: Path, database_url: str) -> Crash:
    """SIGKILL at that fault point (from 0), whatever its name; then the program is started again with the same key."""
    with Stub(answer) as stub:
        child = started(warm, stub, seed, folder / "crashed", database_url, {"SIGNAL_AT": str(point)})
        status = child.wait()
        assert status in (0, -signal.SIGKILL), child.output
        return resumed(warm, stub, seed, point, folder, database_url, met=status != 0)


def kill_and_resume(warm: Warm, seed: int, request: int, folder: Path, database_url: str) -> Crash:
    """SIGKILL from outside at that request (from 0): when it arrives, if that is even, else when it is answered."""
    killing = Killing(Moment("answering" if request % 2 else "asked", request))

    async def answer_and_kill(asked: StubRequest) -> Fault | str | None:
        await killing.answer(asked)
        return answer(asked)

    with Stub(answer_and_kill, on_finished=killing.finished) as stub:
        child = started(warm, stub, seed, folder / "killed", database_url, {})
        killing.child.set_result(child)
        assert child.wait() == -signal.SIGKILL, child.output
        return resumed(warm, stub, seed, request, folder, database_url, met=True)


def fail_and_resume(warm: Warm, seed: int, commit: int, folder: Path, database_url: str) -> Crash:
    """That commit (from 0) finds no room, only the later ones do again; then the program is started again."""
    with Stub(answer) as stub:
        child = started(warm, stub, seed, folder / "failed", database_url, {"FAIL_COMMIT": str(commit)})
        status = child.wait()
        assert status == 0 or child.raised == "StorageUnavailable", child.output
        return resumed(warm, stub, seed, commit, folder, database_url, met=status != 0)


def resumed(warm: Warm, stub: Stub, seed: int, point: int, folder: Path, database_url: str, *, met: bool) -> Crash:
    wait_until_all_is_seen(stub)
    before, at_crash = len(stub.requests), books(database_url)
    again = started(warm, stub, seed, folder / "resumed", database_url, {})
    assert again.wait() == 0, f"PROGRAM_SEED={seed} SIGNAL_AT={point}\n{again.output}"
    requests = stub.requests
    asked = Counter(map(question, requests))
    return Crash(seed, point, met, before, len(requests), asked, at_crash, books(database_url), again.result)


def check(crash: Crash, normal: Normal) -> None:
    """The result is the same, the law of usage holds, and nothing is asked again that a row answers."""
    row = crash.row()
    unrecorded = crash.before - crash.at_crash.attempts
    assert comparable(crash.result) == comparable(normal.result), f"{row}\n{crash.result}\n{normal.result}"
    # A call that was reserved and, at the crash, not yet sent is lost as well: nobody can know.
    assert 0 <= unrecorded <= crash.at_crash.unanswered, row
    assert crash.requests == normal.requests + unrecorded + crash.at_crash.repeatable, row
    assert (crash.questions - normal.questions).total() == unrecorded + crash.at_crash.repeatable, row
    assert not normal.questions - crash.questions, row
    assert crash.at_end.attempts == normal.requests + crash.at_crash.repeatable, row
    assert (crash.at_end.lost, crash.at_end.open) == (crash.at_crash.unanswered, 0), row


def comparable(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name != "run_id"}


def started(warm: Warm, stub: Stub, seed: int, folder: Path, database_url: str, environ: dict[str, str]) -> Child:
    said = {"JACKSTAY_DATABASE_URL": database_url, "PROGRAM_SEED": str(seed)}
    return warm.run("generated", environ={**stub.environ(), **said, **environ}, folder=folder, key=KEY)


def books(database_url: str, key: str = KEY) -> Books:
    """Of the run with that key, if it is there yet."""
    with closing(open_journal(from_url(database_url))) as journal:
        run = journal.run_by_key(key)
        if run is None:
            return Books()
        rows, reservations = journal.steps(run.id, latest_only=False), journal.reservations(run.id)
    calls = [row for row in rows if row.kind == "llm"]
    states = Counter(one.state for one in reservations)
    return Books(
        attempts=sum(row.attempts for row in calls),
        repeatable=sum(row.attempts for row in calls if row.status == "failed" and _is_tip(row, rows)),
        open=states["open"],
        lost=states["lost"],
    )


def question(request: StubRequest) -> str:
    """What a request asks, without what differs between two askings of the same."""
    return repr([request.model, *(message.question() for message in request.messages)])


def _is_tip(failed: StepRow, rows: Sequence[StepRow]) -> bool:
    """Engine rule 22: nothing was recorded later in the scope around it."""
    around = parent_of(failed.path)
    return not any(row.seq > failed.seq and row.path.startswith(f"{around}/") for row in rows)
