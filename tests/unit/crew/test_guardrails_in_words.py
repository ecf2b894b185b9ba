"""Guardrails in words: what the model is asked, what follows, what of it is recorded and counted."""

from __future__ import annotations

from typing import Any

import pytest

from jackstay import HallucinationGuardrail, LLMGuardrail, Runtime, TaskOutput
from jackstay.core.records import RunFilter
from jackstay.errors import DefinitionError, GuardrailFailed
from jackstay.testing import ScriptedModel
from tests.unit.crew.building import agent, crew, one_task, task

RULE = "At most one word"
NO = {"valid": False, "feedback": "two words"}
YES = {"valid": True, "feedback": None}


def paths(runtime: Runtime, kind: str) -> list[str]:
    (run,) = runtime.journal.runs(RunFilter())
    return [row.path for row in runtime.journal.steps(run.id) if row.kind == kind]


@pytest.mark.promise("tool.llm_guardrail")
def test_the_model_of_the_agent_judges_and_the_agent_is_told_what_is_wrong() -> None:
    model = ScriptedModel(["not one", NO, "one", YES])

    output = one_task(model, guardrail=RULE).kickoff()

    assert output.raw == "one"
    assert RULE in model.calls[1].last_user
    assert "not one" in model.calls[1].last_user
    assert "two words" in model.calls[2].last_user


def test_a_judgement_is_a_step_of_its_task_and_counts_for_it(runtime: Runtime) -> None:
    output = one_task(ScriptedModel(["one", YES]), guardrail=LLMGuardrail(RULE)).kickoff()

    assert paths(runtime, "guardrail") == ["do_it#1/guardrail:LLMGuardrail#1"]
    assert paths(runtime, "llm") == ["do_it#1/llm#1", "do_it#1/guardrail:LLMGuardrail#1/llm#1"]
    assert output.token_usage.successful_requests == 2
    assert output.tasks_output[0].token_usage == output.token_usage


def test_a_guardrail_may_have_a_model_of_its_own() -> None:
    model, judge = ScriptedModel(["one"]), ScriptedModel([YES])

    one_task(model, guardrail=LLMGuardrail(RULE, llm=judge)).kickoff()

    assert (len(model.calls), len(judge.calls)) == (1, 1)


def test_words_and_functions_take_turns_in_their_order() -> None:
    seen: list[str] = []

    def note(output: TaskOutput) -> tuple[bool, Any]:
        seen.append(output.raw)
        return True, output

    model = ScriptedModel(["not one", NO, "one", YES, YES])

    one_task(model, guardrails=[RULE, note, "Lower case"]).kickoff()

    assert seen == ["one"]
    assert "Lower case" in model.calls[4].last_user


def test_words_that_are_never_kept_to_fail_the_run() -> None:
    model = ScriptedModel(["a b", NO, "c d", NO])

    with pytest.raises(GuardrailFailed, match=r"after 1 retries\. Last error: two words"):
        one_task(model, guardrail=RULE, guardrail_max_retries=1).kickoff()


def test_a_judgement_that_does_not_fit_its_form_is_asked_for_again() -> None:
    model = ScriptedModel(["one", "fine by me", YES])

    assert one_task(model, guardrail=RULE).kickoff().raw == "one"
    assert "JSON Schema" in model.calls[2].last_user


def test_a_resumed_run_asks_for_no_recorded_judgement_again() -> None:
    model = ScriptedModel(["not one", NO, "one", YES, RuntimeError("down")])
    worker = agent(model)
    made = crew(task(worker, guardrail=RULE), task(worker, "Go on"))
    with pytest.raises(RuntimeError, match="down"):
        made.kickoff(run_key="k")
    model.add("done")

    output = made.kickoff(run_key="k")

    assert output.raw == "done"
    assert len(model.calls) == 6


def test_a_judgement_made_before_the_task_broke_off_is_not_made_again() -> None:
    model = ScriptedModel(["not one", NO, RuntimeError("down")])
    made = one_task(model, guardrail=RULE)
    with pytest.raises(RuntimeError, match="down"):
        made.kickoff(run_key="k")
    model.add("one", YES)

    assert made.kickoff(run_key="k").raw == "one"
    assert len(model.calls) == 5


def test_other_words_are_another_question() -> None:
    worker = agent(ScriptedModel())
    before, same, after = (task(worker, guardrail=words) for words in (RULE, RULE, "Two words"))

    assert before.outline([before]) == same.outline([same]) != after.outline([after])


def test_who_streams_does_not_hear_the_judge() -> None:
    made = one_task(ScriptedModel(["one", YES]), guardrail=RULE)
    made.stream = True
    streaming: Any = made.kickoff()

    with streaming as heard:
        list(heard)

    assert streaming.get_full_text() == "one"


def test_called_by_user_code_it_is_a_call_of_its_own() -> None:
    output = TaskOutput(description="d", raw="not one", agent="a")

    assert LLMGuardrail(RULE, llm=ScriptedModel([NO]))(output) == (False, "two words")
    with pytest.raises(DefinitionError, match="llm="):
        LLMGuardrail(RULE)(output)


def test_no_words_are_no_guardrail() -> None:
    with pytest.raises(DefinitionError, match="is empty"):
        task(agent(ScriptedModel()), guardrail=" ")


@pytest.mark.promise("tool.hallucination_guardrail")
def test_the_hallucination_guardrail_passes_everything_and_says_so() -> None:
    with pytest.warns(UserWarning, match="passes every output"):
        made = HallucinationGuardrail(context="facts")

    assert one_task(ScriptedModel(["anything"]), guardrail=made).kickoff().raw == "anything"
