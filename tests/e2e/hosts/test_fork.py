"""Forks: prefork servers, and `multiprocessing` in the middle of a run. Child and parent both work, and do not mix."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
import traceback
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from jackstay import Flow, start
from jackstay.testing import Stub
from jackstay.tools import tool
from tests.chaos.processes import Warm, warm_process
from tests.e2e.hosts.crews import answer, crew_of
from tests.e2e.ledger import Ledger

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
forking = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with warm_process() as process:
        yield process


@pytest.mark.parametrize("mode", ["cold", "warm", "live"])
def test_workers_of_a_prefork_server_and_their_parent_all_serve(warm, tmp_path, mode):
    with Stub(answer) as stub:
        child = warm.run("prefork", environ={**stub.environ(), "MODE": mode}, folder=tmp_path, key=None)
        assert child.wait() == 0, child.output

    result = child.result
    assert result["workers"] == [[f"w{w}", *(f"w{w}-{n}" for n in range(4))] for w in range(3)]
    assert result["parent"] == [*(["live(held)"] if mode == "live" else []), "beside", "after"]
    assert result["statuses"] == [0, 0, 0]
    assert result["left"] == []


def in_child(work: Any) -> Any:
    """What `work()` gives in a forked child."""
    queue = forking.SimpleQueue()
    child = forking.Process(target=lambda: queue.put(_tried(work)))
    child.start()
    got = queue.get()
    child.join(60)
    assert child.exitcode == 0, got
    return got


def _tried(work: Any) -> Any:
    try:
        return work()
    except BaseException:  # noqa: BLE001 - told to the parent
        return traceback.format_exc()


def kicked_off_in_child() -> tuple[str, str]:
    output = crew_of().kickoff({"topic": "child"})
    return str(output.raw), output.run_id


def test_child_forked_by_a_tool_makes_a_run_of_its_own_and_the_parents_goes_on(runtime):
    seen: list[tuple[str, str]] = []

    @tool
    def fork(topic: str) -> str:
        """Forks."""
        seen.append(in_child(kicked_off_in_child))
        return "forked"

    output = crew_of(fork, tasks=2).kickoff({"topic": "parent"})

    assert output.raw == "parent(forked)"
    assert [raw for raw, _ in seen] == ["child", "child"]
    ledger = Ledger.of(runtime)
    assert {run.id for run in ledger.runs} == {output.run_id, *(run_id for _, run_id in seen)}
    assert {run.status for run in ledger.runs} == {"succeeded"}


def test_child_forked_while_a_call_is_in_flight_leaves_it_to_the_parent(runtime, stub):
    event = threading.Event()
    stub.rule(lambda request: _until(event), user="parent", times=1)

    async def program() -> str:
        running = asyncio.create_task(crew_of().akickoff({"topic": "parent"}))
        await asyncio.to_thread(stub.wait_for, lambda s: s.in_flight == 1)
        assert in_child(kicked_off_in_child)[0] == "child"
        event.set()
        return str((await running).raw)

    assert asyncio.run(program()) == "parent"
    assert len(stub.requests) == 2
    assert not any(request.client_left for request in stub.requests)


def test_many_forks_during_many_runs_lose_nothing(runtime, stub):
    class Busy(Flow):  # type: ignore[type-arg]
        @start()
        async def begin(self) -> list[str]:
            inner = crew_of(name="inner")
            outputs = await asyncio.gather(*(inner.akickoff({"topic": f"t{n}"}) for n in range(30)))
            return [output.raw for output in outputs]

    async def program() -> tuple[Any, list[int]]:
        running = asyncio.create_task(Busy().akickoff())
        forks = [asyncio.to_thread(_fork_and_wait) for _ in range(6)]
        statuses = await asyncio.gather(*forks)
        return await running, statuses

    result, statuses = asyncio.run(program())

    assert result == [f"t{n}" for n in range(30)]
    assert statuses == [0] * 6
    assert len(stub.requests) == 30


@pytest.fixture
def every_thread_ends_well(monkeypatch) -> Iterator[None]:
    """Asked for before the runtime: it looks when that is closed."""
    errors: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda told: errors.append(told.exc_value))
    yield
    assert errors == []


def test_forks_at_the_very_moment_of_a_first_kickoff_do_not_break_it(every_thread_ends_well, make_runtime, tmp_path):
    for number in range(12):
        (tmp_path / str(number)).mkdir()
        make_runtime(folder=tmp_path / str(number))
        gate = threading.Barrier(4)
        statuses: list[int] = []

        def fork(gate: threading.Barrier = gate, statuses: list[int] = statuses) -> None:
            gate.wait(10)
            statuses.extend(_fork_and_wait() for _ in range(3))

        threads = [threading.Thread(target=fork, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        gate.wait(10)

        assert crew_of().kickoff({"topic": f"t{number}"}).raw == f"t{number}"
        for thread in threads:
            thread.join(30)
        assert statuses == [0] * 9
        assert crew_of().kickoff({"topic": "after"}).raw == "after"


def test_journal_opened_by_another_thread_waits_for_the_end_of_a_fork(runtime):
    import_module("jackstay.journal")
    opening = threading.Thread(target=lambda: runtime.journal, daemon=True)

    runtime.before_fork()
    opening.start()
    opening.join(0.5)  # long enough for a journal to be opened, if nothing held it up
    waited = opening.is_alive()
    runtime.after_fork_in_parent()
    opening.join(10)

    assert waited
    assert crew_of().kickoff({"topic": "after"}).raw == "after"


def _fork_and_wait() -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


async def _until(event: threading.Event) -> str:
    await asyncio.to_thread(event.wait, 30)
    return "parent"
