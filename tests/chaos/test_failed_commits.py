"""One commit finds no room, the next ones do again: the run stops all the same, and nothing is missing afterwards."""

from __future__ import annotations

import errno

import pytest

from jackstay import Crew, Flow, Runtime, listen, start
from jackstay.engine import leases
from jackstay.errors import StorageUnavailable
from jackstay.testing import FaultPoints, Stub
from tests.commit_faults import stops_at_commit
from tests.programs.crew_of_five import crew_of

pytestmark = pytest.mark.chaos
FULL = OSError(errno.ENOSPC, "No space left on device")


class Stubborn(Flow[dict]):
    """Goes on whatever happens."""

    crew: Crew

    @start()
    def insist(self) -> None:
        for number in range(3):
            try:
                self.state[f"said {number}"] = self.crew.kickoff({"topic": f"sea {number}"}).raw
            except Exception as error:  # noqa: BLE001 - as users write it
                self.state[f"said {number}"] = repr(error)

    @listen(insist)
    def wrap(self) -> str:
        try:
            return self.crew.kickoff({"topic": "shore"}).raw
        except Exception as error:
            raise RuntimeError("it did not work") from error


class Watched(FaultPoints):
    """Notes how many requests the stub had seen at each commit."""

    def __init__(self, stub: Stub) -> None:
        super().__init__()
        self.stub = stub
        self.commits: list[int] = []

    def hit(self, name: str) -> None:
        if name == "journal.commit":
            self.commits.append(len(self.stub.requests))
        super().hit(name)


@pytest.fixture
def points(stub) -> Watched:
    return Watched(stub)


@pytest.fixture
def stub():
    with Stub() as running:
        yield running


@pytest.fixture
def runtime(stub, points, tmp_path, monkeypatch):
    # Every commit is then one of the run's own, however slow the machine is.
    monkeypatch.setattr(leases, "RENEW_S", 3600.0)
    environ = {**stub.environ(), "HOME": str(tmp_path)}
    with Runtime(environ=environ, folder=tmp_path, fault_point=points.hit) as made:
        yield made


def stubborn() -> Stubborn:
    flow = Stubborn()
    flow.crew = crew_of(FaultPoints(), ("Survey",))
    return flow


def test_run_whose_commit_failed_stops_and_goes_on_in_the_same_process(stub, runtime, points):
    flow = stubborn()
    flow.kickoff(run_key="undisturbed")
    normal, requests = dict(flow.state), len(stub.requests)

    failed = 0
    while stops(failed, stub, points):
        again = stubborn()
        again.kickoff(run_key=f"commit {failed}")

        assert {**again.state, "id": ""} == {**normal, "id": ""}, failed
        # The failed commit had one answer in it at most.
        assert requests <= len(stub.requests) <= requests + 1
        failed += 1

    assert failed > requests, "each answer is on disk before the next question"


def stops(number: int, stub: Stub, points: Watched) -> bool:
    stub.reset()
    points.hits.clear()
    points.commits.clear()
    stopped = stops_at_commit(number, points, lambda: stubborn().kickoff(run_key=f"commit {number}"), FULL)
    if stopped:
        assert len(stub.requests) == points.commits[number], "something was asked after the commit that failed"
    return stopped


def test_stopped_run_says_why_it_stopped(runtime, points):
    points.raise_at("journal.commit", FULL, skip=6)

    with pytest.raises(StorageUnavailable) as caught:
        stubborn().kickoff(run_key="why")

    run = runtime.journal.run_by_key("why")
    assert run is not None
    assert (run.status, run.reason) == ("failed", "storage")
    assert any("jackstay resume" in note for note in caught.value.__notes__)
