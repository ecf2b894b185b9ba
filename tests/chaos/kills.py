"""Killing a program at a chosen moment, resuming it, and counting at the stub what was asked again (engine rule 43)."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from jackstay.journal import open_journal
from jackstay.journal.location import from_url
from jackstay.testing import RemoteStub, Stub, StubRequest
from tests.chaos.processes import Child, Warm

Kind = Literal["asked", "answering", "after the turn", "after the tool", "in the tool"]
JUST_ANSWERED_S = 0.050
ROUNDS = 3
"""Turns with tool calls before each task's answer."""


@dataclass(frozen=True)
class Moment:
    """When to kill: at the request of that number (from 0), or at that tool call."""

    kind: Kind
    number: int
    in_crew: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"

    @property
    def in_flight(self) -> int:
        """How many calls of a program that makes one at a time are in flight then, or not on disk yet: an answer is
        stored with what the run does next, within the same turn of its loop."""
        return int(self.kind in ("asked", "answering", "after the turn"))


@dataclass(frozen=True)
class Undisturbed:
    """What a program asks and gives back when nobody disturbs it."""

    result: dict[str, Any]
    asked: Counter[str]
    crew_requests: tuple[int, ...]
    turns: tuple[int, ...]
    """Requests that another turn of the same task follows: between the two stands one tool call."""
    requests: int


@dataclass
class Killing:
    """The stub's part of a kill: it knows the moment, and once the program runs, whom to kill."""

    moment: Moment | None
    child: Future[Child] = field(default_factory=Future)
    killed_s: float | None = None

    async def answer(self, request: StubRequest) -> None:
        """No answer begins before it is known whom to kill."""
        import asyncio

        await asyncio.wrap_future(self.child)
        if self.moment == Moment("asked", request.index, self._in_crew):
            self._kill()

    def finished(self, request: StubRequest) -> None:
        if self.moment == Moment("answering", request.index, self._in_crew):
            self._kill()

    @property
    def environ(self) -> dict[str, str]:
        """For the moments that only the program itself can meet exactly."""
        points = {"after the turn": "model_call_finished", "after the tool": "tool_finished", "in the tool": "tool"}
        if self.moment is None or self.moment.kind not in points:
            return {}
        return {"FAULT_POINTS": f"{points[self.moment.kind]}:kill:{self.moment.number}"}

    @property
    def _in_crew(self) -> bool:
        return self.moment is not None and self.moment.in_crew

    def _kill(self) -> None:
        if self.killed_s is None:
            self.killed_s = time.time()
            self.child.result().kill()


def undisturbed(warm: Warm, program: str, folder: Path) -> Undisturbed:
    """The program's run that all others are compared with; on SQLite."""
    killing = Killing(None)
    with Stub(killing.answer, rounds=ROUNDS) as stub:
        child = _started(warm, program, stub, killing, folder, {}, None)
        assert child.wait() == 0, child.output
        requests = stub.requests
    follows = [_is_next_turn(one, other) for one, other in pairwise(requests)]
    return Undisturbed(
        result=child.result,
        asked=Counter(map(_question, requests)),
        crew_requests=tuple(r.index for r in requests if "Archivist" in r.system),
        turns=tuple(r.index for r, follow in zip(requests, follows, strict=False) if follow),
        requests=len(requests),
    )


def draw_moments(run: Undisturbed, rng: random.Random) -> list[Moment]:
    """Ten moments: four while a call is in flight (one of them in the crew), four between two turns of a task, two
    inside a tool."""
    tools = rng.sample(range(len(run.turns)), 2)
    between = rng.sample(range(len(run.turns)), 4)
    flying = rng.sample(range(run.requests), 3)
    return [
        Moment("asked", flying[0]),
        Moment("asked", flying[1]),
        Moment("answering", flying[2]),
        Moment(rng.choice(("asked", "answering")), rng.choice(run.crew_requests), in_crew=True),
        *(Moment("after the turn", run.turns[n]) for n in between[:1]),
        *(Moment("after the tool", n) for n in between[1:]),
        *(Moment("in the tool", n) for n in tools),
    ]


@dataclass(frozen=True)
class Outcome:
    """What one kill and resume came to."""

    moment: Moment
    before: int
    after: int
    reissued: int
    allowed: int
    lost: int
    attempts: int
    result: dict[str, Any]
    usage_at_stub: int

    def row(self) -> str:
        return (
            f"{self.moment!s:20} {self.before:6} {self.after:6} {self.reissued:8} {self.allowed:7} "
            f"{self.lost:4} {self.attempts:8}"
        )


HEADER = f"{'killed':20} {'before':>6} {'after':>6} {'reissued':>8} {'allowed':>7} {'lost':>4} {'attempts':>8}"


def kill_and_resume(
    warm: Warm, program: str, moment: Moment, normal: Undisturbed, *, database_url: str, folder: Path, key: str
) -> Outcome:
    """Kills the program at the moment, starts it again with the same key, and counts."""
    killing = Killing(moment)
    environ = {"JACKSTAY_DATABASE_URL": database_url, **killing.environ}
    with Stub(killing.answer, rounds=ROUNDS, on_finished=killing.finished) as stub:
        child = _started(warm, program, stub, killing, folder / "killed", environ, key)
        assert child.wait() == -signal.SIGKILL, f"{moment} was not met:\n{child.output}"
        killed_s = killing.killed_s or child.last_hit_s
        wait_until_all_is_seen(stub)
        before = stub.requests
        open_calls = [r for r in before if r.client_left or (r.finished_s or 0) > killed_s - JUST_ANSWERED_S]
        again = _started(warm, program, stub, Killing(None), folder / "resumed", {**environ, "FAULT_POINTS": ""}, key)
        assert again.wait() == 0, again.output
        requests = stub.requests
    asked = Counter(map(_question, requests))
    lost, attempts = _in_journal(database_url, again.result["run_id"])
    return Outcome(
        moment=moment,
        before=len(before),
        after=len(requests) - len(before),
        reissued=(asked - normal.asked).total(),
        allowed=len(open_calls),
        lost=lost,
        attempts=attempts,
        result=again.result,
        usage_at_stub=sum(r.usage.total_tokens for r in requests if r.usage is not None),
    )


def wait_until_all_is_seen(stub: Stub) -> None:
    """Until the stub has read, and is done with, whatever processes that are dead now had sent. It takes connections in
    their order, so one that comes after theirs is accepted after them, and a second one after their data was read."""
    for _ in range(2):
        RemoteStub(stub.url).wait_for(lambda s: s.in_flight == 0)


def _started(
    warm: Warm, program: str, stub: Stub, killing: Killing, folder: Path, environ: dict[str, str], key: str | None
) -> Child:
    child = warm.run(program, environ={**stub.environ(), **environ}, folder=folder, key=key)
    if not killing.child.done():
        killing.child.set_result(child)
    return child


def _in_journal(database_url: str, run_id: str) -> tuple[int, int]:
    """Lost reservations, and the attempts of the model calls' rows, all revisions."""
    journal = open_journal(from_url(database_url))
    try:
        reservations = journal.reservations(run_id)
        assert not [r for r in reservations if r.state == "open"]
        rows = journal.steps(run_id, latest_only=False)
    finally:
        journal.close()
    lost = sum(1 for r in reservations if r.state == "lost")
    return lost, sum(row.attempts for row in rows if row.kind == "llm")


def _question(request: StubRequest) -> str:
    """What a request asks, without what differs between two askings of the same."""
    return repr([message.question() for message in request.messages])


def _is_next_turn(one: StubRequest, other: StubRequest) -> bool:
    said = [message.question() for message in one.messages]
    return said == [message.question() for message in other.messages][: len(said)]


def seeded(seed: int | None) -> tuple[int, random.Random]:
    seed = random.randrange(10**6) if seed is None else seed
    return seed, random.Random(seed)


def table(title: str, outcomes: Sequence[Outcome]) -> str:
    """What is printed for each set of kills."""
    return "\n".join([title, HEADER, *(outcome.row() for outcome in outcomes)])
