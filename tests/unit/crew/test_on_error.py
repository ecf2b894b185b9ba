"""What follows when a task has failed: retry, skip, fallback; and that resumed and replayed runs read what did."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel

from jackstay import LLM, Agent, Budget, Crew, Retry, Runtime, TaskOutput, cancel
from jackstay.core.events import Event
from jackstay.core.records import RunFilter
from jackstay.errors import (
    BudgetExceeded,
    DefinitionError,
    GuardrailFailed,
    InputsError,
    ModelServerError,
    NoTaskOutput,
    RunCancelled,
)
from jackstay.testing import Fault, FaultPoints, ScriptedModel, Stub, tool_call
from jackstay.testing.plugin import MakeRuntime
from jackstay.tools import ToolFailure, tool
from tests.commit_faults import stops_at_commit
from tests.unit.crew.building import agent, crew, prompts, task

AT_ONCE = Retry(max_attempts=3, backoff_s=0.0)
BROKEN = RuntimeError("broken")


class Report(BaseModel):
    title: str


def optional(worker: Agent, **more: Any) -> Crew:
    """Three tasks, of which the middle one may fail."""
    more = {"on_error": "skip", "name": "extra", **more}
    return crew(task(worker, "First"), task(worker, "Second", **more), task(worker, "Third"))


def test_by_default_a_failed_task_ends_the_run() -> None:
    model = ScriptedModel(["one", BROKEN])

    with pytest.raises(RuntimeError, match="broken"):
        optional(agent(model), on_error="abort").kickoff()

    assert len(model.calls) == 2


def test_a_crew_whose_optional_task_failed_succeeds_and_says_what_is_missing(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    model = ScriptedModel(["one", BROKEN, "three"])
    called: list[str] = []
    made = optional(agent(model), callback=lambda output: called.append(output.raw), output_file="extra.txt")

    output = made.kickoff()

    missing = output.tasks_output[1]
    assert (missing.ok, missing.raw, missing.error) == (False, "", "RuntimeError: broken")
    assert made.tasks[1].output == missing
    assert (output.raw, output.ok) == ("three", True)
    assert prompts(model)[2].endswith(
        "one\n\n----------\n\nThe result of the task 'extra' is missing: it failed. Do without it."
    )
    assert called == []
    assert not (runtime.folder / "extra.txt").exists()
    assert runtime.journal.runs(RunFilter())[0].status == "succeeded"
    assert "task 'extra' failed (RuntimeError: broken)" in caplog.text


@pytest.mark.parametrize("word", ["retry", "fallback"])
def test_a_resumed_run_does_not_ask_a_guardrail_again_whose_rejection_it_had_gone_on_from(
    runtime: Runtime, word: str
) -> None:
    judged: list[str] = []

    def first_is_bad(output: TaskOutput) -> tuple[bool, Any]:
        judged.append(output.raw)
        return len(judged) > 1, output if len(judged) > 1 else "bad"

    def stopped(call: Any) -> Exception:
        cancel(runtime.journal.runs(RunFilter())[0].id)
        return BROKEN

    model = ScriptedModel(["one", stopped])
    deputy: Any = {"fallback": agent(model, "Deputy")} if word == "fallback" else {}
    made = crew(task(agent(model), guardrail=first_is_bad, guardrail_max_retries=0, on_error=word, **deputy))
    with pytest.raises(RunCancelled):
        made.kickoff(run_key="again")

    model.add("two")
    output = made.kickoff(run_key="again")

    assert (output.raw, judged) == ("two", ["one", "two"])


def test_a_resumed_run_leaves_an_agent_alone_that_had_run_out_of_time(runtime: Runtime) -> None:
    def slow(call: Any) -> str:
        time.sleep(0.5)
        return "late"

    def stopped(call: Any) -> Exception:
        cancel(runtime.journal.runs(RunFilter())[0].id)
        return BROKEN

    first, second = ScriptedModel(default=slow), ScriptedModel([stopped])
    deputy = agent(second, "Deputy")
    made = crew(task(agent(first, max_execution_time=0.1), on_error="fallback", fallback=deputy))
    with pytest.raises(RunCancelled):
        made.kickoff(run_key="again")

    second.add("in time")

    assert made.kickoff(run_key="again").raw == "in time"
    assert len(first.calls) == 1


def test_a_resumed_run_ends_an_attempt_where_a_tools_failure_had_ended_it(runtime: Runtime) -> None:
    @tool(tool_failure_policy="raise")
    def look() -> Any:
        """Looks."""
        return ToolFailure("fog")

    def stopped(call: Any) -> Exception:
        cancel(runtime.journal.runs(RunFilter())[0].id)
        return BROKEN

    first, second = ScriptedModel([tool_call("look")]), ScriptedModel([stopped])
    made = crew(task(agent(first, tools=[look]), on_error="fallback", fallback=agent(second, "Deputy")))
    with pytest.raises(RunCancelled):
        made.kickoff(run_key="again")

    second.add("seen by the deputy")

    assert made.kickoff(run_key="again").raw == "seen by the deputy"
    assert len(first.calls) == 1


def test_a_resumed_run_knows_what_it_had_gone_on_from_when_the_class_was_one_of_the_users(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    class LineLost(Exception):
        pass

    def stopped(call: Any) -> Exception:
        cancel(runtime.journal.runs(RunFilter())[0].id)
        return BROKEN

    model = ScriptedModel([LineLost("no line"), stopped])
    made = crew(task(agent(model), on_error="retry"))
    with pytest.raises(RunCancelled):
        made.kickoff(run_key="again")

    model.add("two")

    assert made.kickoff(run_key="again").raw == "two"
    assert "the question changed" not in caplog.text


@pytest.mark.promise("run.final_output")
def test_a_crew_none_of_whose_tasks_says_anything_fails_with_a_value_error(runtime: Runtime) -> None:
    made = crew(task(agent(ScriptedModel([BROKEN])), on_error="skip"))

    with pytest.raises(ValueError, match="No valid task outputs available to create the crew's output") as caught:
        made.kickoff()

    assert isinstance(caught.value, NoTaskOutput)
    (run,) = runtime.journal.runs(RunFilter())
    assert (run.status, run.reason) == ("failed", "error")


def test_the_record_of_a_task_that_was_left_out_has_the_failure(runtime: Runtime) -> None:
    run_id = optional(agent(ScriptedModel(["one", BROKEN, "three"]))).kickoff().run_id

    (row,) = [step for step in runtime.journal.steps(run_id) if step.path == "extra#1"]

    assert (row.status, row.flags) == ("succeeded", "missing")
    assert "broken" in (row.error or "")


def test_a_task_that_was_left_out_is_not_tried_again_by_a_resume() -> None:
    model = ScriptedModel(["one", BROKEN, BROKEN, "three"])
    made = optional(agent(model))
    with pytest.raises(RuntimeError):
        made.kickoff(run_key="k")

    output = made.kickoff(run_key="k")

    assert [one.ok for one in output.tasks_output] == [True, False, True]
    assert len(model.calls) == 4


def test_a_replay_from_a_later_task_reads_what_is_missing_and_one_from_the_task_tries_it_again() -> None:
    model = ScriptedModel(["one", BROKEN, "three", "three again", "two", "three at last"])
    made = optional(agent(model))
    run_id = made.kickoff().run_id

    later, itself = made.replay(f"{run_id}/third#1"), made.replay(f"{run_id}/extra#1")

    assert [(one.ok, one.raw) for one in later.tasks_output] == [(True, "one"), (False, ""), (True, "three again")]
    assert [(one.ok, one.raw) for one in itself.tasks_output] == [(True, "one"), (True, "two"), (True, "three at last")]


def test_side_by_side_a_failed_optional_task_takes_no_other_along() -> None:
    def answer(call: Any) -> Any:
        return BROKEN if call.last_user.startswith("Current Task: Second") else "fine"

    worker = agent(ScriptedModel(default=answer))
    made = crew(
        task(worker, "First", async_execution=True),
        task(worker, "Second", async_execution=True, on_error="skip"),
        task(worker, "Third"),
    )

    assert [one.raw for one in made.kickoff().tasks_output] == ["fine", "", "fine"]


def test_its_own_time_limit_lets_an_optional_task_be_left_out() -> None:
    def slow(call: Any) -> str:
        if "Second" in call.last_user:
            time.sleep(0.5)
        return "done"

    output = optional(agent(ScriptedModel(default=slow)), deadline_s=0.1).kickoff()

    assert [one.raw for one in output.tasks_output] == ["done", "", "done"]
    assert "DeadlineExceeded" in (output.tasks_output[1].error or "")


def test_what_stops_the_whole_run_is_no_failure_of_the_task() -> None:
    worker = agent(ScriptedModel(default="fine"))

    with pytest.raises(BudgetExceeded):
        optional(worker).kickoff(budget=Budget(calls=1))


def test_a_retried_task_is_asked_again_from_its_beginning_and_all_of_it_is_billed() -> None:
    model = ScriptedModel(["first", "second", "third"])

    def third(output: TaskOutput) -> Any:
        return (True, output) if output.raw == "third" else (False, "no")

    made = crew(task(agent(model), on_error="retry", retries=AT_ONCE, guardrail=third, guardrail_max_retries=0))

    output = made.kickoff()

    assert output.raw == "third"
    assert len(set(prompts(model))) == 1
    assert output.token_usage.successful_requests == output.tasks_output[0].token_usage.successful_requests == 3


def test_after_its_retries_a_task_fails_as_it_did_last() -> None:
    model = ScriptedModel(default="no")
    made = crew(
        task(
            agent(model), on_error="retry", retries=AT_ONCE, guardrail=lambda _: (False, "no"), guardrail_max_retries=0
        )
    )

    with pytest.raises(GuardrailFailed):
        made.kickoff()

    assert len(model.calls) == 3


def test_retries_come_before_a_task_is_left_out() -> None:
    model = ScriptedModel(["one", BROKEN, BROKEN, BROKEN, "three"])

    output = optional(agent(model), retries=AT_ONCE).kickoff()

    assert [one.raw for one in output.tasks_output] == ["one", "", "three"]


def test_a_fallback_agent_does_the_task_with_its_own_model_and_tools_limits() -> None:
    model, other = ScriptedModel(["one", BROKEN, "three"]), ScriptedModel(["instead"])
    deputy = agent(other, "Deputy")

    output = optional(agent(model), on_error="fallback", fallback=deputy).kickoff()

    assert [one.raw for one in output.tasks_output] == ["one", "instead", "three"]
    assert (output.tasks_output[1].agent, output.tasks_output[1].ok) == ("Deputy", True)
    assert "You are Deputy" in other.calls[0].system
    assert "Current Task: Second" in prompts(other)[0]
    usage = [one.token_usage.total_tokens for one in output.tasks_output]
    assert output.token_usage.total_tokens == sum(usage)


def test_a_fallback_agent_that_fails_too_ends_the_run() -> None:
    model, other = ScriptedModel(["one", BROKEN]), ScriptedModel([ValueError("broken, too")])

    with pytest.raises(ValueError, match="broken, too"):
        optional(agent(model), on_error="fallback", fallback=agent(other)).kickoff()


def test_a_text_may_stand_in_the_place_of_the_result() -> None:
    model = ScriptedModel([BROKEN, "said"])
    worker = agent(model)
    got: list[Any] = []
    made = crew(
        task(
            worker,
            on_error="fallback",
            fallback='{"title": "none"}',
            output_pydantic=Report,
            callback=lambda output: got.append(output.pydantic),
        ),
        task(worker, "Go on"),
    )

    output = made.kickoff()

    assert got == [output.tasks_output[0].pydantic] == [Report(title="none")]
    assert '{"title": "none"}' in prompts(model)[1]


def test_a_fallback_text_that_inputs_make_unfit_is_said_before_anything_is_asked() -> None:
    model = ScriptedModel([BROKEN])
    made = crew(
        task(agent(model), on_error="fallback", fallback='{"title": "{topic}"}', output_pydantic=Report),
    )

    with pytest.raises(
        InputsError, match=r"the text in fallback= of task 'Do it' does not fit Report with these inputs"
    ):
        made.kickoff({"topic": 'a "quoted" word'})
    assert model.calls == []


def test_inputs_are_filled_into_a_fallback_text() -> None:
    made = crew(task(agent(ScriptedModel([BROKEN])), on_error="fallback", fallback="nothing on {topic}"))

    assert made.kickoff({"topic": "tides"}).raw == "nothing on tides"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"on_error": "fallback"}, "needs fallback="),
        ({"fallback": "text"}, "used with on_error='fallback'"),
        ({"on_error": "fallback", "fallback": " "}, "is empty"),
        ({"on_error": "fallback", "fallback": "text", "output_pydantic": Report}, "does not fit Report"),
        ({"on_error": "retry", "retries": 0}, "tries nothing again"),
        ({"on_error": "skip", "retries": -1}, "how often"),
        ({"on_error": "ignore"}, "on_error"),
    ],
)
def test_what_contradicts_itself_is_refused_when_the_task_is_made(given: Any, said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        task(agent("sim/demo"), **given)


def test_a_task_that_says_nothing_of_errors_has_the_outline_that_it_had() -> None:
    assert "on_error" not in crew(task(agent("sim/demo"))).outline()[2][0]
    assert crew(task(agent("sim/demo"), on_error="retry")).outline()[2][0]["on_error"] == ["retry", 3, None]


def failing_crew(model: ScriptedModel) -> Crew:
    """Every way of going on: after a retry, without the result, with another agent."""
    worker = agent(model)
    return crew(
        task(worker, "Twice", on_error="retry", retries=AT_ONCE),
        task(worker, "Never", on_error="skip", retries=Retry(max_attempts=2, backoff_s=0.0)),
        task(worker, "Elsewhere", on_error="fallback", fallback=agent(model, "Deputy")),
        task(worker, "Last"),
    )


def fails_as_told() -> ScriptedModel:
    """`Twice` fails once, `Never` always, `Elsewhere` until the deputy does it; each process begins anew."""
    failed: list[str] = []

    def answer(call: Any) -> Any:
        name = call.last_user.partition("\n")[0].removeprefix("Current Task: ")
        if name == "Never" or (name == "Elsewhere" and "Deputy" not in call.system):
            return RuntimeError(f"{name} is broken")
        if name == "Twice" and not failed:
            failed.append(name)
            return RuntimeError("Twice is broken")
        return f"{name} done"

    return ScriptedModel(default=answer)


def test_interrupted_at_any_commit_and_resumed_no_failure_is_repeated_that_the_crew_had_gone_on_from(
    jackstay_make_runtime: MakeRuntime, tmp_path: Any
) -> None:
    points = FaultPoints()
    jackstay_make_runtime(folder=tmp_path / "undisturbed", fault_point=points.hit)
    model = fails_as_told()
    expected = [(one.raw, one.error) for one in failing_crew(model).kickoff().tasks_output]
    assert [raw for raw, _ in expected] == ["Twice done", "", "Elsewhere done", "Last done"]
    assert len(model.calls) == 7
    commits = points.hits.count("journal.commit")

    for commit in range(1, commits - 1):
        points, model = FaultPoints(), fails_as_told()
        jackstay_make_runtime(folder=tmp_path / str(commit), fault_point=points.hit)
        made = failing_crew(model)
        if not stops_at_commit(commit, points, partial(made.kickoff, run_key="k")):
            break

        output = made.kickoff(run_key="k")

        assert [(one.raw, one.error) for one in output.tasks_output] == expected, commit
        # At most the one whose row could not be written is asked again.
        assert len(model.calls) <= 8, commit
        assert output.token_usage.total_tokens == sum(o.token_usage.total_tokens for o in output.tasks_output)


def test_a_resumed_run_does_not_wait_again_for_a_retry_that_it_had_made(jackstay_make_runtime: MakeRuntime) -> None:
    waits: list[float] = []

    def heard(event: Event) -> None:
        if event.name == "retry":
            waits.append(event.data["wait_s"])

    jackstay_make_runtime(observers=(heard,))
    model = ScriptedModel([BROKEN, "done", BROKEN, "at last"])
    worker = agent(model)
    policy = Retry(max_attempts=2, backoff_s=0.01, jitter=0.0)
    made = crew(task(worker, "First", on_error="retry", retries=policy, output_file="x.txt"), task(worker, "Second"))
    with pytest.raises(RuntimeError):
        made.kickoff(run_key="k")

    made.kickoff(run_key="k")

    assert waits == [0.01]


@pytest.mark.promise("agent.max_retry_limit", "run.errors.agent")
def test_an_exception_of_a_custom_model_is_tried_again_as_often_as_the_agent_says() -> None:
    model = ScriptedModel([BROKEN, BROKEN, "done"])

    output = crew(task(agent(model, max_retry_limit=2))).kickoff()

    assert output.raw == "done"
    assert output.token_usage.successful_requests == 1


@pytest.mark.promise("agent.max_retry_limit")
def test_max_retry_limit_counts_for_each_task() -> None:
    worker = agent(ScriptedModel([BROKEN, "one", BROKEN, "two", BROKEN, BROKEN]), max_retry_limit=1)
    made = crew(task(worker), task(worker), task(worker))

    with pytest.raises(RuntimeError):
        made.kickoff()

    assert len(worker.llm.calls) == 6


@pytest.mark.promise("agent.max_retry_limit")
def test_max_retry_limit_is_two_as_in_crewai() -> None:
    model = ScriptedModel(default=BROKEN)
    worker = Agent(role="Analyst", goal="g", backstory="b", llm=model)

    with pytest.raises(RuntimeError):
        crew(task(worker)).kickoff()

    assert len(model.calls) == 3


@pytest.mark.promise("run.errors.agent")
def test_a_time_out_of_a_custom_model_is_not_tried_again() -> None:
    model = ScriptedModel(default=TimeoutError("late"))

    with pytest.raises(TimeoutError):
        crew(task(agent(model, max_retry_limit=2, retry=Retry(max_attempts=1)))).kickoff()

    assert len(model.calls) == 1


def test_max_retry_limit_never_multiplies_with_the_retries_of_the_pipeline() -> None:
    with Stub(answer=lambda _: Fault.http(500)) as stub:
        model = LLM("gpt-4o-mini", base_url=stub.openai_url, api_key="sk-test")
        worker = agent(model, max_retry_limit=5, retry=AT_ONCE)

        with pytest.raises(ModelServerError):
            crew(task(worker)).kickoff()

        assert len(stub.requests) == 3


def test_retries_that_a_task_asks_for_by_name_come_on_top_of_those_of_the_pipeline() -> None:
    with Stub(answer=lambda _: Fault.http(500)) as stub:
        model = LLM("gpt-4o-mini", base_url=stub.openai_url, api_key="sk-test")
        worker = agent(model, retry=AT_ONCE)

        with pytest.raises(ModelServerError):
            crew(task(worker, on_error="retry", retries=AT_ONCE)).kickoff()

        assert len(stub.requests) == 9
