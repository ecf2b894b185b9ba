"""A flow that waits for people, on both databases: asked in one process, answered in another, gone on with in a third, and
killed wherever it hurts."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from jackstay.testing import Stub, StubRequest

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

DONE = "planned, approved, text 2"
METHODS = {"plan", "facts", "note", "write", "end"}
REQUESTS = 4


def answering(request: StubRequest) -> Any:
    if "Plan" in request.last_user:
        return "planned"
    if "Facts" in request.last_user:
        return "facts"
    return f"text {1 + sum('has looked at your answer' in message.content for message in request.messages)}"


class Case:
    """One flow, in as many processes as there are calls."""

    def __init__(self, warm: Any, stub: Stub, url: str, folder: Path) -> None:
        self.warm, self.stub, self.url, self.folder, self.starts = warm, stub, url, folder, 0
        self.counter = folder / "counter"

    def start(self, do: str, **environ: str) -> Any:
        self.starts += 1
        given = {"JACKSTAY_DATABASE_URL": self.url, "COUNTER": str(self.counter), "DO": do, **environ}
        folder = self.folder / str(self.starts)
        return self.warm.run("reviewed_flow", environ={**self.stub.environ(), **given}, folder=folder, key="k")

    def done(self, do: str, **environ: str) -> dict[str, Any]:
        child = self.start(do, **environ)
        assert child.wait() == 0, child.output
        result: dict[str, Any] = child.result
        return result

    def killed(self, do: str, at: str) -> None:
        """Killed at a named point, the first with that name or the one after so many: `name` or `name:1`."""
        name, _, after = at.partition(":")
        child = self.start(do, SIGNAL="SIGKILL", SIGNAL_IN=name, SIGNAL_AT=after or "0")
        assert child.wait() == -signal.SIGKILL, child.output

    @property
    def calls(self) -> Counter[str]:
        return Counter(self.counter.read_text().split())


@pytest.fixture
def case(warm, database_url, tmp_path):
    with Stub(answering) as stub:
        yield Case(warm, stub, database_url, tmp_path)


def test_a_flow_asked_in_one_process_is_answered_in_another_and_ends_in_a_third(case):
    assert case.done("kickoff")["asks"] == "Is the plan good?"
    case.done("answer", TEXT="approved")
    assert case.done("kickoff")["asks"].startswith("Is this answer all right?")
    case.done("answer", TEXT="longer")
    assert "asks" in case.done("kickoff")
    case.done("answer", TEXT="")

    assert case.done("kickoff") == {"raw": DONE}

    assert len(case.stub.requests) == REQUESTS
    # What a method had returned is recorded; the one with the crew that waited was called again up to its wait.
    assert case.calls == Counter({"plan": 1, "facts": 1, "note": 1, "write": 3, "end": 1})


def test_from_pending_in_another_process_goes_on_with_the_join_and_twice_is_once_too_often(case):
    flow_id = case.done("kickoff")["flow_id"]
    assert "asks" in case.done("resume", FLOW_ID=flow_id, TEXT="approved")
    assert "asks" in case.done("resume", FLOW_ID=flow_id, TEXT="longer")
    assert case.done("resume", FLOW_ID=flow_id, TEXT="") == {"raw": DONE}

    again = case.start("resume", FLOW_ID=flow_id)

    assert again.wait() != 0
    assert again.raised == "NoPendingFeedback"
    assert case.calls["end"] == 1


@pytest.mark.parametrize("at", ["model_call_started:1", "method_finished", "wait_asked", "run_waiting"])
def test_killed_on_the_way_to_the_question_it_is_asked_once_and_answered(case, at):
    case.killed("kickoff", at)
    assert case.done("kickoff")["asks"] == "Is the plan good?"
    case.done("answer", TEXT="approved")
    case.done("kickoff")
    case.done("answer", TEXT="longer")
    case.done("kickoff")
    case.done("answer", TEXT="")

    assert case.done("kickoff") == {"raw": DONE}
    assert set(case.calls) == METHODS
    assert case.calls["plan"] <= 2
    assert len(case.stub.requests) <= REQUESTS + 2  # engine rule 43: those in flight


@pytest.mark.parametrize("at", ["run_resumed", "model_call_started"])
def test_killed_just_after_the_answer_it_goes_on_with_that_answer(case, at):
    case.done("kickoff")
    case.done("answer", TEXT="approved")

    case.killed("kickoff", at)
    assert case.done("kickoff")["asks"].startswith("Is this answer all right?")
    case.done("answer", TEXT="longer")
    case.killed("kickoff", at)
    assert "asks" in case.done("kickoff")
    case.done("answer", TEXT="")

    assert case.done("kickoff") == {"raw": DONE}
    assert case.calls["plan"] == case.calls["facts"] == 1
    assert len(case.stub.requests) <= REQUESTS + 2
