"""Guardrails: what they see, what they may say, how often the agent is asked again, what of it is recorded."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel

from jackstay import LLM, ConditionalTask, Flow, Runtime, Task, TaskOutput, start
from jackstay.core.records import RunFilter, StepRow
from jackstay.errors import DefinitionError, GuardrailFailed, OutputError
from jackstay.testing import ScriptedModel, tool_call
from jackstay.tools import tool
from tests.unit.crew.building import agent, crew, one_task, prompts, task


class Fact(BaseModel):
    topic: str
    year: int


def short(output: TaskOutput) -> tuple[bool, Any]:
    """At most one word."""
    return (True, output) if len(output.raw.split()) == 1 else (False, f"too long: {output.raw}")


def rows_of(runtime: Runtime, kind: str) -> list[StepRow]:
    (run,) = runtime.journal.runs(RunFilter())
    return [row for row in runtime.journal.steps(run.id, latest_only=False) if row.kind == kind]


def said(model: ScriptedModel, call: int) -> str:
    return "\n".join(str(message["content"]) for message in model.calls[call].messages)


# --- passing and rejecting ----------------------------------------------------------------------------------------


@pytest.mark.promise("tool.guardrails")
def test_an_answer_that_passes_is_the_output() -> None:
    model = ScriptedModel(["fine"])

    assert one_task(model, guardrail=short).kickoff().raw == "fine"
    assert len(model.calls) == 1


@pytest.mark.promise("task.guardrail", "run.guardrail.context", "tool.guardrails")
def test_a_rejected_answer_is_asked_for_again_with_the_context_the_answer_and_the_error() -> None:
    model = ScriptedModel(["background", "two words", "one"])
    worker = agent(model)

    output = crew(task(worker), task(worker, "Sum it up", guardrail=short)).kickoff()

    assert output.raw == "one"
    for part in ("Sum it up", "background", "two words", "too long: two words"):
        assert part in said(model, 2)
    assert output.tasks_output[1].token_usage.successful_requests == 2


def test_a_rejected_answer_does_not_make_the_tools_work_again() -> None:
    used: list[int] = []

    @tool
    def look_up(number: int) -> str:
        """Looks it up."""
        used.append(number)
        return "found"

    model = ScriptedModel([tool_call("look_up", number=1), "two words", "one"])
    made = one_task(model, agent_fields={"tools": [look_up]}, guardrail=short)

    assert made.kickoff().raw == "one"
    assert used == [1]
    assert "found" in said(model, 2)


def test_callbacks_are_told_of_the_answer_that_passed_only() -> None:
    told: list[str] = []
    model = ScriptedModel(["two words", "one"])

    one_task(model, guardrail=short, callback=lambda output: told.append(output.raw)).kickoff()

    assert told == ["one"]


@pytest.mark.promise("task.guardrail_max_retries")
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_an_answer_that_never_passes_fails_the_run_after_the_retries(runtime: Runtime, retries: int) -> None:
    model = ScriptedModel(default="two words")

    with pytest.raises(GuardrailFailed) as caught:
        one_task(model, guardrail=short, guardrail_max_retries=retries).kickoff()

    assert len(model.calls) == retries + 1
    told = f"Task failed guardrail validation after {retries} retries. Last error: too long: two words"
    assert str(caught.value).startswith(told)
    assert "guardrail_max_retries" in str(caught.value)
    (run,) = runtime.journal.runs(RunFilter())
    assert (run.status, run.reason) == ("failed", "guardrail")


@pytest.mark.promise("task.guardrails")
def test_each_guardrail_has_its_own_retries_and_the_next_sees_what_passed() -> None:
    def lower(output: TaskOutput) -> tuple[bool, Any]:
        return (output.raw.islower(), output if output.raw.islower() else "not lower case")

    model = ScriptedModel(["TWO WORDS", "two words", "one two", "one"])

    output = one_task(model, guardrails=[lower, short], guardrail_max_retries=2).kickoff()

    assert output.raw == "one"
    assert len(model.calls) == 4


def test_the_guardrail_that_gave_up_is_named_by_its_place() -> None:
    with pytest.raises(GuardrailFailed, match="failed guardrail 1 validation after 0 retries"):
        one_task(
            ScriptedModel(["two words"]), guardrails=[lambda output: (True, output), short], guardrail_max_retries=0
        ).kickoff()


@pytest.mark.promise("task.guardrails")
def test_guardrails_stand_in_for_a_single_one() -> None:
    made = task(agent(ScriptedModel()), guardrail=short, guardrails=[lambda output: (True, output)])

    assert made.guardrail is None


# --- what it sees and what it puts in its place -------------------------------------------------------------------


@pytest.mark.promise("task.guardrail")
def test_a_guardrail_sees_the_parsed_model_from_its_first_call_on() -> None:
    seen: list[Any] = []

    def since_1900(output: TaskOutput) -> tuple[bool, Any]:
        assert isinstance(output.pydantic, Fact)
        seen.append(output.pydantic.year)
        return (True, output) if output.pydantic.year >= 1900 else (False, "too early")

    model = ScriptedModel([{"topic": "bees", "year": 1800}, {"topic": "bees", "year": 1950}])

    output = one_task(model, output_pydantic=Fact, guardrail=since_1900).kickoff()

    assert seen == [1800, 1950]
    assert output.pydantic == Fact(topic="bees", year=1950)


def test_a_guardrail_of_a_task_with_output_json_sees_the_dict() -> None:
    seen: list[Any] = []

    def note(output: TaskOutput) -> tuple[bool, Any]:
        seen.append(output.json_dict)
        return True, output

    output = one_task(ScriptedModel([{"topic": "bees", "year": 1950}]), output_json=Fact, guardrail=note).kickoff()

    assert seen == [output.json_dict] == [{"topic": "bees", "year": 1950}]


@pytest.mark.promise("run.guardrail.verdicts")
def test_a_text_takes_the_answers_place() -> None:
    assert one_task(ScriptedModel(["x"]), guardrail=lambda output: (True, output.raw * 2)).kickoff().raw == "xx"


def test_a_text_of_a_structured_output_is_read_again() -> None:
    model = ScriptedModel([{"topic": "bees", "year": 1950}])

    output = one_task(
        model, output_pydantic=Fact, guardrail=lambda output: (True, output.raw.replace("bees", "ants"))
    ).kickoff()

    assert output.pydantic == Fact(topic="ants", year=1950)


def test_a_text_that_does_not_fit_the_structured_output_is_the_guardrails_fault() -> None:
    model = ScriptedModel([{"topic": "bees", "year": 1950}])

    with pytest.raises(OutputError, match=r"guardrail 'lambda' of task .* does not fit Fact"):
        one_task(model, output_pydantic=Fact, guardrail=lambda output: (True, "approved")).kickoff()
    assert len(model.calls) == 1


@pytest.mark.promise("run.guardrail.verdicts")
def test_an_output_takes_the_answers_place_with_all_it_has(jackstay_make_runtime: Any) -> None:
    def older(output: TaskOutput) -> tuple[bool, Any]:
        return True, output.model_copy(update={"raw": "older", "pydantic": Fact(topic="bees", year=1900)})

    made = one_task(ScriptedModel([{"topic": "bees", "year": 1950}]), output_pydantic=Fact, guardrail=older)

    output = made.kickoff(run_key="k")
    jackstay_make_runtime()  # as another process would
    again = made.kickoff(run_key="k")

    assert (output.raw, output.pydantic) == (again.raw, again.pydantic) == ("older", Fact(topic="bees", year=1900))


def test_any_other_value_leaves_the_output_as_it_is() -> None:
    assert one_task(ScriptedModel(["x"]), guardrail=lambda output: (True, {"checked": 1})).kickoff().raw == "x"


@pytest.mark.promise("run.guardrail.verdicts")
@pytest.mark.parametrize("returned", [(True, None), True, None, "fine", (1, 2, 3), ("yes", "x")])
def test_what_is_no_verdict_is_refused(returned: Any) -> None:
    with pytest.raises(DefinitionError, match=r"the guardrail 'lambda' returned .*\(False, what is wrong\)"):
        one_task(ScriptedModel(["x"]), guardrail=lambda output: returned).kickoff()


def test_a_guardrail_may_be_asynchronous() -> None:
    async def slow(output: TaskOutput) -> tuple[bool, Any]:
        await asyncio.sleep(0)
        return (True, output) if output.raw == "one" else (False, "again")

    assert one_task(ScriptedModel(["two", "one"]), guardrail=slow).kickoff().raw == "one"


@pytest.mark.promise("run.guardrail.raises")
def test_what_a_guardrail_raises_reaches_the_caller_at_once(runtime: Runtime) -> None:
    def broken(output: TaskOutput) -> tuple[bool, Any]:
        raise LookupError("no reference")

    model = ScriptedModel(default="x")

    with pytest.raises(LookupError, match="no reference"):
        one_task(model, guardrail=broken).kickoff()

    assert len(model.calls) == 1
    (run,) = runtime.journal.runs(RunFilter())
    assert (run.status, run.reason) == ("failed", "error")
    assert [row.status for row in rows_of(runtime, "guardrail")] == ["failed"]


# --- the record ---------------------------------------------------------------------------------------------------


def test_each_call_of_a_guardrail_is_a_step(runtime: Runtime) -> None:
    one_task(ScriptedModel(["two words", "one"]), "Say", guardrail=short).kickoff()

    first, second = rows_of(runtime, "guardrail")
    assert [row.path for row in (first, second)] == ["say#1/guardrail:short#1", "say#1/guardrail:short#2"]
    assert (first.status, first.flags, json.loads(first.result or "")["error"]) == (
        "succeeded",
        "rejected",
        "too long: two words",
    )
    assert (second.status, second.flags) == ("succeeded", None)
    assert [row.path for row in rows_of(runtime, "llm")] == ["say#1/llm#1", "say#1/llm#2"]


def test_a_model_call_in_a_guardrail_is_a_step_of_it(runtime: Runtime) -> None:
    judge = LLM("sim/demo")

    def judged(output: TaskOutput) -> tuple[bool, Any]:
        return True, judge.call(f"Judge {output.raw}")

    output = one_task(ScriptedModel(["x"]), "Say", guardrail=judged).kickoff()

    paths = [row.path for row in rows_of(runtime, "llm")]
    assert paths[1].startswith("say#1/guardrail:judged#1/")
    assert output.tasks_output[0].token_usage.successful_requests == 2


def test_a_resumed_run_asks_the_guardrail_that_gave_up_again_and_nothing_else() -> None:
    limit, calls = [1], []

    def at_most(output: TaskOutput) -> tuple[bool, Any]:
        calls.append(output.raw)
        return (True, output) if len(output.raw) <= limit[0] else (False, "too long")

    model = ScriptedModel(["aaa", "aa"])
    made = one_task(model, guardrail=at_most, guardrail_max_retries=1)
    with pytest.raises(GuardrailFailed):
        made.kickoff(run_key="k")

    limit[0] = 2
    output = made.kickoff(run_key="k")

    assert output.raw == "aa"
    assert calls == ["aaa", "aa", "aa"]
    assert len(model.calls) == 2


def test_a_resumed_run_may_have_more_retries() -> None:
    model = ScriptedModel(["two words", "one"])
    worker = agent(model)
    with pytest.raises(GuardrailFailed):
        crew(task(worker, guardrail=short, guardrail_max_retries=0)).kickoff(run_key="k")

    output = crew(task(worker, guardrail=short, guardrail_max_retries=1)).kickoff(run_key="k")

    assert output.raw == "one"


def test_a_resumed_run_with_fewer_retries_asks_the_model_no_more() -> None:
    model = ScriptedModel(["two words", ValueError("broke"), "one"])
    worker = agent(model)
    with pytest.raises(ValueError, match="broke"):
        crew(task(worker, guardrail=short)).kickoff(run_key="k")

    with pytest.raises(GuardrailFailed, match="after 0 retries"):
        crew(task(worker, guardrail=short, guardrail_max_retries=0)).kickoff(run_key="k")

    assert len(model.calls) == 2


def test_a_failed_guardrail_of_a_crew_in_a_flow_is_raised_again_on_resume() -> None:
    model = ScriptedModel(["two words"])
    made = one_task(model, guardrail=short, guardrail_max_retries=0)
    broken = [True]

    class Careful(Flow[dict[str, Any]]):
        @start()
        def begin(self) -> str:
            try:
                return str(made.kickoff().raw)
            except GuardrailFailed as error:
                after = one_task(ScriptedModel(["after"]), "After").kickoff().raw
                if broken[0]:
                    raise ValueError("not yet") from error
                return f"{error.code}, {after}"

    with pytest.raises(ValueError, match="not yet"):
        Careful().kickoff(run_key="k")
    broken[0] = False

    assert Careful().kickoff(run_key="k") == "guardrail, after"
    assert len(model.calls) == 1


# --- definitions --------------------------------------------------------------------------------------------------


def takes_none() -> tuple[bool, Any]:
    return True, "x"


def takes_two(output: TaskOutput, more: int) -> tuple[bool, Any]:
    return True, output


def says_bool(output: TaskOutput) -> bool:
    return True


@pytest.mark.promise("run.guardrail.signature")
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (takes_none, "'takes_none' has to take one argument"),
        (takes_two, "'takes_two' has to take one argument"),
        (says_bool, "'says_bool' is annotated to return <class 'bool'>"),
        (7, "7 is no function"),
    ],
)
def test_what_cannot_be_a_guardrail_is_refused_where_it_is_written(wrong: Any, told: str) -> None:
    for given in ({"guardrail": wrong}, {"guardrails": [short, wrong]}):
        with pytest.raises(DefinitionError, match=told):
            Task(description="x", expected_output="y", **given)


class Checker:
    def __call__(self, output: TaskOutput) -> tuple[bool, str]:
        return True, "checked"


@pytest.mark.parametrize("fine", [Checker(), partial(takes_two, more=1), lambda output, limit=3: (True, output), short])
def test_whatever_takes_an_output_may_be_a_guardrail(fine: Any) -> None:
    assert one_task(ScriptedModel(["x"]), guardrail=fine).kickoff().raw in ("x", "checked")


def test_max_retries_is_the_old_name() -> None:
    with pytest.warns(DeprecationWarning, match="guardrail_max_retries"):
        assert task(agent(ScriptedModel()), max_retries=5).guardrail_max_retries == 5


def test_a_definition_without_guardrails_has_the_fingerprint_that_it_had() -> None:
    worker = agent(ScriptedModel())
    plain = task(worker)

    assert "guardrails" not in plain.outline([plain])
    assert "conditional" not in plain.outline([plain])
    guarded = task(worker, guardrails=[short, lambda output: (True, output)])
    assert guarded.outline([guarded]) == plain.outline([plain]) | {"guardrails": ["short", "lambda"]}
    conditional = ConditionalTask(
        description="Do it", expected_output="A brief", agent=worker, condition=lambda output: True
    )
    assert conditional.outline([conditional]) == plain.outline([plain]) | {"conditional": True}


def test_prompts_of_an_accepted_answer_are_what_they_were() -> None:
    plain, guarded = ScriptedModel(["one"]), ScriptedModel(["one"])
    one_task(plain).kickoff()
    one_task(guarded, guardrail=short).kickoff()

    assert prompts(plain) == prompts(guarded)
