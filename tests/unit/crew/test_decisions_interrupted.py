"""A crew with conditions and guardrails whose journal fails at each of its commits in turn: resumed, it comes to the same
end, and no question that has a recorded answer is asked again, of a model or of user code."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel

from jackstay import ConditionalTask, Crew, CrewOutput, TaskOutput
from jackstay.core.records import RunFilter
from jackstay.errors import GuardrailFailed, StorageUnavailable
from jackstay.testing import FaultPoints, ScriptedModel
from jackstay.testing.plugin import MakeRuntime
from tests.commit_faults import stops_at_commit
from tests.unit.crew.building import agent, crew, task

Asked = Counter[str]


class Report(BaseModel):
    title: str
    version: int


def answer(call: Any) -> Any:
    """By what was asked, so that a resumed run is answered alike."""
    told = [str(message["content"]) for message in call.messages]
    if "Report" not in told[1]:
        return f"answer {sum('not accepted' in text for text in told)}"
    return {"title": "tides", "version": sum("not accepted" in text for text in told)}


def guarded_crew(asked: Asked, *, least: int = 2) -> tuple[Crew, ScriptedModel]:
    """Every kind of decision: a condition that holds, one that does not, guardrails that reject, replace and pass."""
    model = ScriptedModel(default=answer)
    worker = agent(model)

    def second(output: TaskOutput) -> tuple[bool, Any]:
        asked["guardrail"] += 1
        return (True, output.raw.upper()) if output.raw == "answer 1" else (False, "say it again")

    async def late_version(output: TaskOutput) -> tuple[bool, Any]:
        asked["guardrail"] += 1
        assert isinstance(output.pydantic, Report)
        return (True, output) if output.pydantic.version >= least else (False, "a later version")

    def retitled(output: TaskOutput) -> tuple[bool, Any]:
        asked["guardrail"] += 1
        assert isinstance(output.pydantic, Report)
        return True, output.model_copy(update={"pydantic": output.pydantic.model_copy(update={"title": "Tides"})})

    def wanted(output: TaskOutput) -> bool:
        asked["step"] += 1
        return output.raw == "answer 0"

    made = crew(
        task(worker, "First"),
        ConditionalTask(
            condition=wanted, description="Second", expected_output="x", agent=worker, guardrail=second, name="second"
        ),
        ConditionalTask(condition=wanted, description="Third", expected_output="x", agent=worker),
        task(worker, "Report", output_pydantic=Report, guardrails=[late_version, retitled], guardrail_max_retries=2),
    )
    return made, model


def comparable(output: CrewOutput) -> Any:
    return [(one.raw, one.pydantic, one.token_usage.total_tokens) for one in output.tasks_output]


def recorded(runtime: Any) -> Asked:
    runs = runtime.journal.runs(RunFilter())
    steps = [step for run in runs for step in runtime.journal.steps(run.id, latest_only=False)]
    return Counter(step.kind for step in steps if step.status == "succeeded")


def test_undisturbed_it_asks_what_it_has_to(jackstay_make_runtime: MakeRuntime) -> None:
    runtime = jackstay_make_runtime()
    asked: Asked = Counter()
    made, model = guarded_crew(asked)

    output = made.kickoff()

    assert [one.raw for one in output.tasks_output][:3] == ["answer 0", "ANSWER 1", ""]
    assert output.pydantic == Report(title="Tides", version=2)
    assert (len(model.calls), asked["guardrail"], asked["step"]) == (6, 6, 2)
    assert recorded(runtime) == {"llm": 6, "guardrail": 6, "step": 2, "task": 4}


def test_interrupted_at_any_commit_and_resumed_it_asks_nothing_that_is_recorded(
    jackstay_make_runtime: MakeRuntime, tmp_path: Any
) -> None:
    points, normal = FaultPoints(), Counter[str]()
    jackstay_make_runtime(folder=tmp_path / "undisturbed", fault_point=points.hit)
    made, model = guarded_crew(normal)
    expected = comparable(made.kickoff())
    normal["llm"] = len(model.calls)

    # Not the last one, which writes the end of the run: nothing is left to be asked then.
    for commit in range(1, points.hits.count("journal.commit") - 1):
        points, asked = FaultPoints(), Counter[str]()
        runtime = jackstay_make_runtime(folder=tmp_path / str(commit), fault_point=points.hit)
        made, model = guarded_crew(asked)
        if not stops_at_commit(commit, points, partial(made.kickoff, run_key="k")):
            break
        known, before = recorded(runtime), Counter({**asked, "llm": len(model.calls)})

        output = made.kickoff(run_key="k")

        again = Counter({**asked, "llm": len(model.calls)}) - before
        assert comparable(output) == expected, commit
        for kind in ("llm", "guardrail", "step"):
            assert again[kind] == normal[kind] - known[kind], (commit, kind)


def test_given_up_and_interrupted_at_any_commit_it_gives_up_alike_when_it_is_resumed(
    jackstay_make_runtime: MakeRuntime, tmp_path: Any
) -> None:
    """Of the last task three answers are rejected."""
    points = FaultPoints()
    jackstay_make_runtime(folder=tmp_path / "undisturbed", fault_point=points.hit)
    with pytest.raises(GuardrailFailed) as expected:
        guarded_crew(Counter(), least=9)[0].kickoff()

    for commit in range(1, points.hits.count("journal.commit")):
        points = FaultPoints()
        points.raise_at("journal.commit", StorageUnavailable("the disk is gone"), skip=commit)
        jackstay_make_runtime(folder=tmp_path / str(commit), fault_point=points.hit)
        made, model = guarded_crew(Counter(), least=9)
        with pytest.raises((StorageUnavailable, GuardrailFailed)):
            made.kickoff(run_key="k")

        with pytest.raises(GuardrailFailed) as caught:
            made.kickoff(run_key="k")

        assert str(caught.value) == str(expected.value), commit
        assert len(model.calls) <= 7, commit
