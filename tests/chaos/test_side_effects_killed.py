"""SIGKILL around a tool that acts on the world: resumed or replayed, it has acted once, or the run asks a person."""

from __future__ import annotations

import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jackstay.core.intents import Decided
from jackstay.core.masking import Secrets
from jackstay.core.records import RunFilter, RunRow
from jackstay.engine.deciding import answer, open_decision
from jackstay.journal import open_journal
from jackstay.journal.location import from_url
from jackstay.testing import Stub, StubRequest, tool_call

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


def paying(request: StubRequest) -> Any:
    """Pays, and then says what the tool has said."""
    said = [message.content for message in request.messages if message.role == "tool"]
    return f"receipt: {said[-1]}" if said else tool_call("pay", amount=3)


class Case:
    """One program that is killed and started again with the same key."""

    def __init__(self, warm: Any, stub: Stub, url: str, folder: Path) -> None:
        self.warm, self.stub, self.url, self.folder, self.starts = warm, stub, url, folder, 0
        self.more: dict[str, str] = {}
        self.counter = folder / "counter"

    def start(self, kill: str = "") -> Any:
        self.starts += 1
        environ = {"JACKSTAY_DATABASE_URL": self.url, "COUNTER": str(self.counter), "FAULT_POINTS": kill, **self.more}
        folder = self.folder / str(self.starts)
        return self.warm.run("paying_crew", environ={**self.stub.environ(), **environ}, folder=folder, key="k")

    def killed(self, moment: str) -> None:
        child = self.start(f"{moment}:kill")
        assert child.wait() == -signal.SIGKILL, child.output

    def done(self) -> str:
        child = self.start()
        assert child.wait() == 0, child.output
        return str(child.result["raw"])

    def asks(self) -> RunRow:
        """Started again it asks, and does nothing else."""
        before, requests = self.effects, len(self.stub.requests)
        child = self.start()
        assert child.wait() != 0
        assert "RunWaiting" in child.output
        assert (self.effects, len(self.stub.requests)) == (before, requests)
        with closing(open_journal(from_url(self.url))) as journal:
            [row] = journal.runs(RunFilter())
            assert row.status == "waiting"
            assert open_decision(journal, row.id) is not None
        return row

    def decide(self, row: RunRow, text: str) -> None:
        with closing(open_journal(from_url(self.url))) as journal:
            answer(journal, row.id, Decided.parse(text), "the test", Secrets())

    @property
    def effects(self) -> list[str]:
        return self.counter.read_text().splitlines() if self.counter.exists() else []


@pytest.fixture
def case(warm, database_url, tmp_path):
    with Stub(paying) as stub:
        yield Case(warm, stub, database_url, tmp_path)


@pytest.mark.parametrize("moment", ["tool_started", "tool_finished"], ids=["before the intent", "after the result"])
def test_killed_before_the_intent_or_after_the_result_it_has_acted_once(case, moment):
    case.killed(moment)

    assert case.done() == "receipt: paid 3"
    assert len(case.effects) == 1


@pytest.mark.parametrize(
    ("moment", "decision", "receipt"),
    [
        ("before_effect", "again", "receipt: paid 3"),
        ("after_effect", "done=paid 3, says the bank", "receipt: paid 3, says the bank"),
    ],
)
def test_killed_between_intent_and_result_it_asks_and_has_acted_once_in_the_end(case, moment, decision, receipt):
    case.killed(moment)
    row = case.asks()
    assert case.asks().id == row.id, "asked again, it asks the same"

    case.decide(row, decision)

    assert case.done() == receipt
    assert len(case.effects) == 1
    assert len(case.stub.requests) == 2


RETRIED = {
    "undisturbed": "",
    "between the attempts": "retry:kill",
    "asked anew": "model_call_finished:kill:2",
    "at the receipt": "reused:kill",
    "after the receipt": "model_call_started:kill:3",
    "at the end": "task_finished:kill",
}


@pytest.mark.parametrize("kill", RETRIED.values(), ids=RETRIED)
def test_a_task_that_is_done_again_has_acted_once_wherever_it_is_killed(case, kill):
    case.more["FUSSY"] = "1"
    if kill:
        child = case.start(kill)
        assert child.wait() == -signal.SIGKILL, child.output

    assert case.done() == "receipt: paid 3"
    assert len(case.effects) == 1
    assert len(case.stub.requests) <= 5  # four, and the one in flight at the kill


def test_killed_again_after_the_decision_it_asks_again(case):
    case.killed("before_effect")
    case.decide(case.asks(), "again")
    case.killed("after_effect")

    row = case.asks()
    case.decide(row, "done=paid")

    assert case.done() == "receipt: paid"
    assert case.effects == [f"{row.id}:pay#1/tool:pay#1"]
