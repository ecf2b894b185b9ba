"""`jackstay.cancel`: from another thread, from another process; the request is closed and nothing more starts."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import jackstay
from jackstay import LLM, Flow, Runtime, start
from jackstay.core.records import RunFilter
from jackstay.engine.loop import Job
from jackstay.engine.script import script_run
from jackstay.errors import NotFoundError, RunCancelled
from jackstay.testing import Fault, Stub
from jackstay.tools import tool
from tests.e2e.hosts.crews import MODEL, crew_of
from tests.e2e.ledger import Ledger


class Kicked:
    """A kickoff in a thread of its own, and what became of it."""

    def __init__(self, kickoff: Callable[[], Any]) -> None:
        self.raised: BaseException | None = None
        self.result: Any = None
        self._kickoff = kickoff
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self.result = self._kickoff()
        except BaseException as error:  # noqa: BLE001 - a stop is no Exception, and the test looks at it
            self.raised = error

    def ended(self, within_s: float = 1.0) -> Kicked:
        self._thread.join(within_s)
        assert not self._thread.is_alive()
        return self


def in_flight(stub: Stub, requests: int = 1) -> None:
    stub.wait_for(lambda s: s.in_flight == requests, timeout_s=20)


def closed(stub: Stub) -> None:
    stub.wait_for(lambda s: s.in_flight == 0, timeout_s=1)
    assert all(request.client_left for request in stub.requests)


@pytest.mark.parametrize("blocks_a_loop", [False, True])
def test_ctrl_c_while_the_run_is_handed_over_stops_it(stub, runtime, monkeypatch, blocks_a_loop):
    hand_over = Job.begin

    def interrupted(job: Job[Any]) -> Job[Any]:
        hand_over(job)
        in_flight(stub)
        raise KeyboardInterrupt

    async def blocking() -> None:
        kicked_off()

    def kicked_off() -> None:
        with pytest.raises(KeyboardInterrupt):
            crew_of().kickoff({"topic": "held"})

    monkeypatch.setattr(Job, "begin", interrupted)
    with stub.held():
        asyncio.run(blocking()) if blocks_a_loop else kicked_off()
        closed(stub)
    (run,) = runtime.journal.runs(RunFilter())
    assert run.status == "cancelled"


def test_ctrl_c_before_the_run_is_handed_over_starts_nothing(stub, runtime, monkeypatch):
    def interrupted(job: Job[Any]) -> Job[Any]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Job, "begin", interrupted)
        with pytest.raises(KeyboardInterrupt):
            crew_of().kickoff({"topic": "held"})

    assert crew_of().kickoff({"topic": "boats"}).raw == "boats"
    assert len(runtime.journal.runs(RunFilter())) == 1


def newest(runtime: Runtime) -> str:
    return Ledger.of(runtime).runs[0].id


@pytest.mark.parametrize("how", ["id", "beginning", "run key"])
@pytest.mark.parametrize("top", ["kickoff", "akickoff"])
def test_run_cancelled_from_another_thread_stops_within_a_second(runtime, stub, top, how):
    stub.hold()
    crew = crew_of(tasks=2)
    kicked = Kicked(
        lambda: (
            crew.kickoff({"topic": "t"}, run_key="k")
            if top == "kickoff"
            else asyncio.run(crew.akickoff({"topic": "t"}, run_key="k"))
        )
    )
    in_flight(stub)
    run_id = newest(runtime)

    asked = jackstay.cancel({"id": run_id, "beginning": run_id[:13], "run key": "k"}[how])

    kicked.ended()
    assert asked
    assert isinstance(kicked.raised, RunCancelled)
    assert any("jackstay resume" in note for note in kicked.raised.__notes__)
    closed(stub)
    assert len(stub.requests) == 1
    (run,) = Ledger.of(runtime).runs
    assert run.status == "cancelled"
    assert not jackstay.cancel(run_id)


def test_cancelled_run_can_be_resumed(runtime, stub):
    stub.fault_at(1, Fault.hang())
    crew = crew_of(tasks=2)
    kicked = Kicked(lambda: crew.kickoff({"topic": "t"}, run_key="k"))
    stub.wait_for(lambda s: len(s.requests) == 2 and s.in_flight == 1, timeout_s=20)

    jackstay.cancel("k")
    kicked.ended()

    assert crew.kickoff({"topic": "t"}, run_key="k").raw == "t"
    assert len(stub.requests) == 3


def test_cancel_of_an_unknown_run_says_so(runtime):
    with pytest.raises(NotFoundError, match="nothing"):
        jackstay.cancel("nothing")


def test_function_that_blocks_is_abandoned_by_a_cancel(runtime, stub):
    begun, gate = threading.Event(), threading.Event()

    @tool
    def stuck(topic: str) -> str:
        """Blocks."""
        begun.set()
        gate.wait(60)
        return "late"

    kicked = Kicked(lambda: crew_of(stuck).kickoff({"topic": "t"}))
    assert begun.wait(20)

    jackstay.cancel(newest(runtime))

    kicked.ended()
    gate.set()
    assert isinstance(kicked.raised, RunCancelled)
    (run,) = Ledger.of(runtime).runs
    assert "gate.wait(60)" in (run.error or "")


def test_cancel_reaches_the_crew_inside_a_flow_through_except_exception(runtime, stub):
    stub.hold()
    told: list[str] = []
    runtime.observers.append(lambda event: told.append(event.data["text"]) if event.name == "warning" else None)
    swallowed: list[str] = []

    class Careless(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> str:
            try:
                return str(crew_of(name="inner").kickoff({"topic": "inner"}).raw)
            except Exception as error:  # noqa: BLE001 - as users do
                swallowed.append(repr(error))
                return "went on"

    kicked = Kicked(lambda: Careless().kickoff())
    in_flight(stub)

    jackstay.cancel(newest(runtime))

    kicked.ended()
    assert isinstance(kicked.raised, RunCancelled)
    assert swallowed == []
    assert told == []  # the method was waiting for what ended by itself: it is not abandoned
    closed(stub)


def test_call_outside_an_agent_is_cancelled(runtime, stub):
    stub.hold()
    kicked = Kicked(lambda: LLM(MODEL).call("hello"))
    in_flight(stub)

    jackstay.cancel(newest(runtime))

    kicked.ended()
    assert isinstance(kicked.raised, RunCancelled)
    closed(stub)


@pytest.mark.parametrize("top", ["kickoff_for_each", "akickoff_for_each"])
def test_cancelled_batch_stops_its_items(runtime, stub, top):
    stub.hold()
    crew = crew_of()
    items: list[Any] = [{"topic": str(n)} for n in range(4)]
    kicked = Kicked(
        lambda: (
            crew.kickoff_for_each(items, concurrency=2)
            if top == "kickoff_for_each"
            else asyncio.run(crew.akickoff_for_each(items, concurrency=2))
        )
    )
    in_flight(stub, 2)
    (batch,) = [run for run in Ledger.of(runtime).runs if run.kind == "batch"]

    jackstay.cancel(batch.id)

    kicked.ended()
    assert isinstance(kicked.raised, RunCancelled)
    closed(stub)
    assert len(stub.requests) == 2
    # As for any cancel: `interrupted` would be a Ctrl-C.
    assert {(run.status, run.reason) for run in Ledger.of(runtime).runs} == {("cancelled", None)}


def test_cancelled_batch_of_one_item_says_so(runtime, stub):
    stub.hold()
    kicked = Kicked(lambda: crew_of().kickoff_for_each([{"topic": "only"}]))
    in_flight(stub)
    (batch,) = [run for run in Ledger.of(runtime).runs if run.kind == "batch"]

    jackstay.cancel(batch.id)

    kicked.ended()
    assert isinstance(kicked.raised, RunCancelled)


def test_closed_runtime_does_not_leave_a_thread_waiting(make_runtime, stub):
    runtime = make_runtime()
    stub.hold()
    kicked = Kicked(lambda: crew_of().kickoff({"topic": "t"}))
    in_flight(stub)

    runtime.close()

    kicked.ended(2)
    assert isinstance(kicked.raised, asyncio.CancelledError)
    closed(stub)


def test_cancelled_item_leaves_the_others_of_its_batch_alone(runtime, stub):
    stub.fault_at(0, Fault.hang())
    crew = crew_of()
    kicked = Kicked(lambda: crew.kickoff_for_each([{"topic": "a"}, {"topic": "b"}], concurrency=1))
    in_flight(stub)
    (item,) = [run for run in Ledger.of(runtime).runs if run.kind == "crew"]

    jackstay.cancel(item.id)

    outputs = kicked.ended(5).result
    assert [output.ok for output in outputs] == [False, True]
    assert "RunCancelled" in outputs[0].error
    statuses = {run.kind: run.status for run in Ledger.of(runtime).runs if run.id != item.id}
    assert statuses == {"crew": "succeeded", "batch": "failed"}


def test_cancelled_script_stops_its_kickoffs_and_they_say_so(runtime, stub):
    stub.hold()

    def program() -> None:
        with script_run(runtime, "script", entry={}):
            crew_of().kickoff({"topic": "t"})

    kicked = Kicked(program)
    in_flight(stub)

    jackstay.cancel(newest(runtime))

    kicked.ended()
    assert isinstance(kicked.raised, RunCancelled)
    closed(stub)
    (run,) = Ledger.of(runtime).runs
    assert (run.kind, run.status) == ("script", "cancelled")


def test_script_that_swallows_its_limit_has_not_succeeded(runtime, stub):
    stub.hold()

    with script_run(runtime, "script", entry={}, deadline_s=0.3) as run, pytest.raises(TimeoutError):
        crew_of().kickoff({"topic": "t"})

    assert isinstance(run.stop, TimeoutError)
    (row,) = Ledger.of(runtime).runs
    assert (row.status, row.reason) == ("failed", "deadline")


def test_run_of_another_process_hears_within_a_second(runtime, make_runtime, stub):
    stub.hold()
    kicked = Kicked(lambda: crew_of().kickoff({"topic": "t"}))
    in_flight(stub)
    run_id = newest(runtime)
    asked_s = time.monotonic()

    with Runtime(environ=runtime.environ, folder=runtime.folder):  # as another process: a runtime of its own
        assert jackstay.cancel(run_id)

    kicked.ended(2)
    assert time.monotonic() - asked_s < 1.5
    assert isinstance(kicked.raised, RunCancelled)
    closed(stub)


def test_interrupted_run_that_nobody_drives_is_marked_cancelled(runtime, stub):
    stub.hold()
    kicked = Kicked(lambda: crew_of().kickoff({"topic": "t"}))
    in_flight(stub)
    run_id = newest(runtime)
    # As if the process had died and its lease run out: another one has taken the run up, and gave it back.
    runtime.journal.take_up(run_id, force=True).result(10)
    kicked.ended(10)
    runtime.journal._writer.call(runtime.journal._leases.release_all).result(10)

    assert jackstay.cancel(run_id)

    (run,) = Ledger.of(runtime).runs
    assert run.status == "cancelled"
