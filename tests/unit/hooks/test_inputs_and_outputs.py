"""Hooks that change what a crew or flow begins with, and what it comes to."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel

from jackstay import Crew, CrewOutput, Flow, listen, start
from jackstay.core.records import RunFilter
from jackstay.errors import DefinitionError, HookAborted, InputsError
from jackstay.hooks import InputContext, InterceptionPoint, OutputContext, on, scoped_hooks
from jackstay.testing import FaultPoints, ScriptedModel
from jackstay.testing.plugin import MakeRuntime
from tests.commit_faults import stops_at_commit
from tests.unit.crew.building import agent, crew, one_task, prompts, task


class Answer(BaseModel):
    city: str


@pytest.mark.promise("around.interception")
def test_a_crew_begins_with_the_inputs_that_hooks_leave() -> None:
    model = ScriptedModel(["done", "done"])
    work = task(agent(model), "About {topic} in {year}")
    made = crew(work, before_kickoff_callbacks=[lambda inputs: {**inputs, "year": 1815}])

    @on(InterceptionPoint.INPUT)
    def later(context: InputContext) -> None:
        assert context.crew is not None
        context.payload["year"] += 1

    @on(InterceptionPoint.INPUT)
    def other(context: InputContext) -> dict[str, Any]:
        return {**context.payload, "topic": context.payload["topic"].upper()}

    given = {"topic": "tides"}
    made.kickoff(given)
    one_task(model, "About {topic} in {year}").kickoff({"topic": "tides", "year": 1})

    assert ["About TIDES in 1816" in prompts(model)[0], "About TIDES in 2" in prompts(model)[1]] == [True, True]
    assert given == {"topic": "tides"}


def test_hooks_may_give_what_the_inputs_lack() -> None:
    model = ScriptedModel(["done"])

    with scoped_hooks({InterceptionPoint.INPUT: [lambda context: {**context.payload, "topic": "tides"}]}):
        one_task(model, "About {topic}").kickoff({"other": 1})

    assert "About tides" in prompts(model)[0]


@pytest.mark.promise("around.interception")
def test_a_crews_output_is_what_hooks_leave() -> None:
    seen: list[str] = []

    @on(InterceptionPoint.OUTPUT)
    def louder(context: OutputContext) -> CrewOutput:
        output: CrewOutput = context.payload
        return output.model_copy(update={"raw": output.raw.upper()})

    @on(InterceptionPoint.OUTPUT)
    def signed(context: OutputContext) -> None:
        context.payload.raw += " (checked)"

    work = task(agent(ScriptedModel(["done"])))
    made = crew(work, after_kickoff_callbacks=[lambda output: seen.append(output.raw)])
    output = made.kickoff()

    assert (output.raw, seen) == ("DONE (checked)", ["DONE (checked)"])
    assert output.tasks_output[0].raw == "done"


def test_a_structured_output_may_be_another_object() -> None:
    def elsewhere(context: OutputContext) -> Any:
        return context.payload.model_copy(update={"pydantic": Answer(city="Brest")})

    made = one_task(ScriptedModel([{"city": "Paris"}]), output_pydantic=Answer)
    with scoped_hooks({InterceptionPoint.OUTPUT: [elsewhere]}):
        assert made.kickoff().pydantic == Answer(city="Brest")


@pytest.mark.parametrize("point", [InterceptionPoint.INPUT, InterceptionPoint.OUTPUT])
def test_they_may_forbid(point: InterceptionPoint) -> None:
    def never(context: Any) -> None:
        raise HookAborted("not today")

    model = ScriptedModel(["done"])
    with scoped_hooks({point: [never]}), pytest.raises(HookAborted, match="not today"):
        one_task(model).kickoff()
    assert len(model.calls) == (point is InterceptionPoint.OUTPUT)


@pytest.mark.parametrize(
    ("point", "left", "error"),
    [
        (InterceptionPoint.INPUT, "no dict", TypeError),
        (InterceptionPoint.INPUT, {"topic": object()}, InputsError),
        (InterceptionPoint.OUTPUT, "no output", DefinitionError),
    ],
)
def test_what_cannot_be_is_an_error(point: InterceptionPoint, left: Any, error: type[Exception]) -> None:
    with scoped_hooks({point: [lambda context: left]}), pytest.raises(error):
        one_task(ScriptedModel(["done"])).kickoff({"topic": "x"})


def test_interrupted_at_any_commit_no_recorded_hook_is_asked_again(
    jackstay_make_runtime: MakeRuntime, tmp_path: Any
) -> None:
    asked: list[str] = []

    def inputs(context: InputContext) -> dict[str, Any]:
        asked.append("input")
        return {"topic": "tides"}

    def output(context: OutputContext) -> None:
        asked.append("output")
        context.payload.raw += "!"

    def made() -> Crew:
        return one_task(ScriptedModel(default=lambda call: call.last_user.splitlines()[0]), "About {topic}")

    hooks: dict[InterceptionPoint, Any] = {InterceptionPoint.INPUT: [inputs], InterceptionPoint.OUTPUT: [output]}
    with scoped_hooks(hooks):
        for commit in range(1, 8):
            points = FaultPoints()
            runtime = jackstay_make_runtime(folder=tmp_path / str(commit), fault_point=points.hit)
            again = made()
            asked.clear()
            if not stops_at_commit(commit, points, partial(again.kickoff, {"topic": "x"}, run_key="k")):
                break
            runs = runtime.journal.runs(RunFilter())
            known = {step.path for run in runs for step in runtime.journal.steps(run.id)}
            before = Counter(asked)

            assert again.kickoff({"topic": "x"}, run_key="k").raw == "Current Task: About tides!"
            for name in ("input", "output"):
                assert asked.count(name) - before[name] == (f"@{name}#1" not in known), (commit, name)


def test_a_replay_asks_for_the_output_again() -> None:
    model = ScriptedModel(["first", "second", "third"])
    worker = agent(model)
    made = crew(task(worker, "One", name="one"), task(worker, "Two", name="two"))

    def signed(context: OutputContext) -> None:
        context.payload.raw += "!"

    with scoped_hooks({InterceptionPoint.OUTPUT: [signed]}):
        assert made.kickoff().raw == "second!"
        assert made.replay("two").raw == "third!"


class Counted(BaseModel):
    id: str = ""
    number: int = 0
    word: str = "none"


class Counting(Flow[Counted]):
    @start()
    def begin(self) -> int:
        return self.state.number

    @listen(begin)
    def end(self, number: int) -> dict[str, Any]:
        return {"number": number, "word": self.state.word}


class Plain(Flow[dict[str, Any]]):
    @start()
    def begin(self) -> dict[str, Any]:
        return {name: value for name, value in self.state.items() if name != "id"}


@pytest.mark.promise("around.interception")
def test_a_flow_begins_with_the_inputs_that_hooks_leave() -> None:
    def doubled(context: InputContext) -> dict[str, Any]:
        assert context.flow is not None
        return {"number": context.payload["number"] * 2}

    with scoped_hooks({InterceptionPoint.INPUT: [doubled]}):
        flow = Counting()
        assert flow.kickoff({"number": 2, "word": "x"}) == {"number": 4, "word": "none"}
        assert flow.state.number == 4
        assert Plain().kickoff({"number": 2, "word": "x"}) == {"number": 4}


@pytest.mark.promise("around.interception")
def test_a_flows_result_is_what_hooks_leave() -> None:
    def more(context: OutputContext) -> None:
        context.payload["more"] = 1

    with scoped_hooks({InterceptionPoint.OUTPUT: [more, lambda context: [context.payload]]}):
        flow = Counting()
        assert flow.kickoff({"number": 1}, run_key="k") == [{"number": 1, "word": "none", "more": 1}]
    assert Counting().kickoff({"number": 1}, run_key="k") == [{"number": 1, "word": "none", "more": 1}]


@pytest.mark.parametrize("left", ["no dict", {"number": "no number"}])
def test_inputs_that_do_not_fit_a_flow_are_an_error(left: Any) -> None:
    with scoped_hooks({InterceptionPoint.INPUT: [lambda context: left]}), pytest.raises(InputsError):
        Counting().kickoff({"number": 1})


def test_a_result_that_cannot_be_stored_passes_if_hooks_leave_it() -> None:
    class Odd(Flow[dict[str, Any]]):
        @start()
        def begin(self) -> Any:
            return threading_lock

    threading_lock = object()
    with scoped_hooks({InterceptionPoint.OUTPUT: [lambda context: None]}):
        assert Odd().kickoff() is threading_lock
