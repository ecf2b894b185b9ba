"""`Task(human_input=True)`: a person looks at each answer, which goes back to the agent until there is nothing to say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from jackstay import Agent, Crew, Flow, Runtime, Task, answer, listen, start
from jackstay.core.records import RunFilter
from jackstay.errors import AlreadyAnswered, HumanFeedbackPending, RunWaiting
from jackstay.testing import ScriptedModel


def crew_of(model: ScriptedModel, **more: Any) -> Crew:
    worker = Agent(role="Writer", goal="Write", backstory="Brief.", llm=model)
    given = {"name": "write", "description": "Write", "expected_output": "x", "agent": worker, "human_input": True}
    return Crew(agents=[worker], tasks=[Task(**{**given, **more})])


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """What the person at the console is going to type."""
    lines: list[str] = []
    monkeypatch.setattr("builtins.input", lambda prompt="": lines.pop(0))
    with Runtime(folder=tmp_path / "own", environ={"JACKSTAY_CONSOLE": "on"}):
        yield lines


@pytest.mark.promise("task.human_input", "run.human_input.loop")
def test_the_answer_goes_back_to_the_agent_until_nothing_is_said(
    typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    typed += ["shorter", "with a boat", ""]
    model = ScriptedModel(["one", "two", "three"])

    output = crew_of(model).kickoff()

    assert output.raw == "three"
    assert typed == []
    assert "shorter" in model.calls[1].last_user
    assert "with a boat" in model.calls[2].last_user
    # The conversation goes on: the earlier answers are in it.
    assert [m["content"] for m in model.calls[2].messages if m["role"] == "assistant"] == ["one", "two"]
    assert output.token_usage.successful_requests == 3
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("one", "two", "three"))


def test_a_structured_answer_is_checked_again_and_guardrails_see_what_the_person_has_passed(typed: list[str]) -> None:
    class Note(BaseModel):
        text: str

    typed += ["longer", "", ""]
    model = ScriptedModel([{"text": "a"}, {"text": "aa"}, {"text": "aaa"}])
    seen: list[str] = []

    def long_enough(output: Any) -> tuple[bool, Any]:
        seen.append(output.pydantic.text)
        return (True, output) if len(output.pydantic.text) == 3 else (False, "too short")

    output = crew_of(model, output_pydantic=Note, guardrail=long_enough).kickoff()

    assert output.pydantic == Note(text="aaa")
    assert seen == ["aa", "aaa"]


@pytest.mark.promise("human.task_waiting")
def test_without_anybody_there_the_run_waits_and_no_call_is_made_again() -> None:
    model = ScriptedModel(["one", "two"])
    with pytest.raises(RunWaiting, match="jackstay answer") as waiting:
        crew_of(model).kickoff(run_key="k")
    answer(waiting.value.run_id or "", "better")
    with pytest.raises(RunWaiting):
        crew_of(model).kickoff(run_key="k")
    with pytest.raises(AlreadyAnswered, match="has answered"):
        answer(f"{waiting.value.run_id}#1", "other")
    answer("k", "")

    output = crew_of(model).kickoff(run_key="k")

    assert output.raw == "two"
    assert len(model.calls) == 2
    assert output.token_usage.successful_requests == 2


def test_a_run_that_waits_is_asked_about_at_the_console_of_who_resumes_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = ScriptedModel(["one"])
    with Runtime(folder=tmp_path / "own", environ={}), pytest.raises(RunWaiting):
        crew_of(model).kickoff(run_key="k")

    monkeypatch.setattr("builtins.input", lambda prompt="": "")
    with Runtime(folder=tmp_path / "own", environ={"JACKSTAY_CONSOLE": "on"}) as runtime:
        assert crew_of(model).kickoff(run_key="k").raw == "one"
        [wait] = runtime.journal.waits(runtime.journal.runs(RunFilter())[0].id)
        assert wait.answered_by == "the console"


class Inside(Flow):  # type: ignore[type-arg]
    """A crew that waits, in a method that swallows what it can."""

    model: ScriptedModel
    calls: list[str]

    @start()
    def write(self) -> str:
        self.calls.append("write")
        try:
            return str(crew_of(self.model).kickoff().raw)
        except Exception as error:  # noqa: BLE001 - as users write it
            return f"swallowed {error!r}"

    @start()
    def beside(self) -> None:
        self.calls.append("beside")

    @listen(write)
    def end(self, text: str) -> str:
        return f"{text}!"


def test_a_crew_that_waits_inside_a_flow_pauses_the_flow_and_goes_on_inside_it() -> None:
    model, calls = ScriptedModel(["one"]), list[str]()

    def inside() -> Inside:
        flow = Inside()
        flow.model, flow.calls = model, calls
        return flow

    pending = inside().kickoff(run_key="k")
    assert isinstance(pending, HumanFeedbackPending)
    assert (pending.context.method_name, pending.context.method_output) == ("write", "one")

    flow = inside()
    flow._paused = None
    answer("k", "")

    assert flow.kickoff(run_key="k") == "one!"
    assert len(model.calls) == 1
    assert sorted(calls) == ["beside", "write", "write"]


def test_a_task_without_it_asks_nobody(typed: list[str]) -> None:
    assert crew_of(ScriptedModel(["one"]), human_input=False).kickoff().raw == "one"
