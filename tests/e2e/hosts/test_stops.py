"""Stops stay stops: users' `except Exception`, `SystemExit` in a tool, a journal that is gone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jackstay import Flow, listen, start
from jackstay.errors import StorageUnavailable
from jackstay.testing import FaultPoints
from jackstay.tools import tool
from tests.e2e.hosts.crews import crew_of
from tests.e2e.ledger import Ledger


@pytest.fixture
def points(make_runtime) -> FaultPoints:
    """Fault points of the current runtime's journal."""
    points = FaultPoints()
    make_runtime(fault_point=points.hit)
    return points


def test_swallowed_loss_of_the_journal_stops_the_run_all_the_same(points, stub):
    went_on: list[str] = []

    class Swallowing(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> str:
            points.raise_at("journal.commit", StorageUnavailable("the disk is gone"))
            try:
                crew_of(name="first").kickoff({"topic": "first"})
            except Exception:  # noqa: BLE001 - as users do
                went_on.append("swallowed")
            try:
                crew_of(name="second").kickoff({"topic": "second"})
            except StorageUnavailable:
                went_on.append("refused")
            return "fine"

        @listen(begin)
        def never(self) -> None:
            went_on.append("undurable")

    with pytest.raises(StorageUnavailable, match="the disk is gone"):
        Swallowing().kickoff()

    assert went_on == ["swallowed", "refused"]
    assert stub.requests == []


def test_run_stopped_by_the_journal_goes_on_when_it_is_back(points, stub):
    class Swallowing(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> str:
            try:
                return str(crew_of(name="only").kickoff({"topic": "only"}).raw)
            except Exception:  # noqa: BLE001 - as users do
                return "swallowed"

    points.raise_at("journal.commit", StorageUnavailable("the disk is gone"), skip=2)
    with pytest.raises(StorageUnavailable):
        Swallowing().kickoff(run_key="k")

    assert Swallowing().kickoff(run_key="k") == "only"


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("where", ["tool", "method"])
@pytest.mark.parametrize("top", ["kickoff", "akickoff"])
def test_system_exit_reaches_the_caller_and_the_engine_lives_on(runtime, asynchronous, where, top):
    with pytest.raises(SystemExit) as caught:
        _kick_off(_leaving(where, asynchronous), top)

    assert caught.value.code == 3
    assert crew_of().kickoff({"topic": "after"}).raw == "after"
    statuses = {run.kind: (run.status, run.reason) for run in Ledger.of(runtime).runs}
    assert statuses["flow"] == ("failed", "interrupted")


def _leaving(where: str, asynchronous: bool) -> Flow[Any]:
    async def leave_async(topic: str) -> str:
        """Leaves."""
        raise SystemExit(3)

    def leave(topic: str) -> str:
        """Leaves."""
        raise SystemExit(3)

    leaving = leave_async if asynchronous else leave
    crew = crew_of(tool("leave")(leaving))

    class InMethod(Flow):  # type: ignore[type-arg]
        if asynchronous:

            @start()
            async def begin(self) -> Any:
                return await (leave_async("t") if where == "method" else crew.akickoff({"topic": "t"}))

        else:

            @start()
            def begin(self) -> Any:
                return leave("t") if where == "method" else crew.kickoff({"topic": "t"})

    return InMethod()


def _kick_off(flow: Flow[Any], top: str) -> Any:
    return flow.kickoff() if top == "kickoff" else asyncio.run(flow.akickoff())


def test_tools_exception_is_told_to_the_model_and_the_run_goes_on(runtime, stub):
    @tool
    def breaks(topic: str) -> str:
        """Breaks."""
        raise ZeroDivisionError("by zero")

    output = crew_of(breaks).kickoff({"topic": "t"})

    assert "ZeroDivisionError: by zero" in output.raw


def test_methods_exception_comes_out_as_it_was_raised(runtime):
    class Broken(Flow):  # type: ignore[type-arg]
        @start()
        async def begin(self) -> None:
            raise KeyError("as it was")

    with pytest.raises(KeyError, match="as it was") as caught:
        Broken().kickoff()

    assert any("jackstay resume" in note for note in caught.value.__notes__)
