"""Kickoffs as runs: run keys, resuming, many at once."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from typing import Any

import pytest

from jackstay import BaseLLM, Runtime
from jackstay.core.events import Event
from jackstay.core.records import RunFilter
from jackstay.errors import InputsError, MissingVariableError, NotFoundError, RunKeyConflict
from jackstay.testing import ScriptedModel
from jackstay.testing.plugin import MakeRuntime
from tests.unit.crew.building import agent, crew, one_task, task


def topic_of(call: Any) -> str:
    return str(call.last_user.partition("\n")[0].removeprefix("Current Task: "))


def failing_second(model: ScriptedModel) -> Any:
    return crew(task(agent(model), "first {x}"), task(agent(model), "second"))


# --- run keys -----------------------------------------------------------------------------------------------------


def test_a_finished_run_key_gives_the_recorded_result_without_a_call() -> None:
    model = ScriptedModel(["said"])
    made = one_task(model)

    first = made.kickoff(run_key="daily")
    again = made.kickoff(run_key="daily")

    assert len(model.calls) == 1
    assert (again.raw, again.run_id, again.token_usage) == (first.raw, first.run_id, first.token_usage)
    assert again.tasks_output[0].token_usage == first.tasks_output[0].token_usage


def test_a_failed_run_key_goes_on_where_it_stopped() -> None:
    model = ScriptedModel(["one", ValueError("second broke"), "two"])
    made = failing_second(model)

    with pytest.raises(ValueError, match="second broke") as caught:
        made.kickoff(inputs={"x": 1}, run_key="k")
    output = made.kickoff(inputs={"x": 1}, run_key="k")

    assert [one.raw for one in output.tasks_output] == ["one", "two"]
    assert len(model.calls) == 3
    assert f"jackstay resume {output.run_id[:13]}" in "".join(caught.value.__notes__)


def test_other_inputs_under_one_key_are_refused() -> None:
    model = ScriptedModel(["said"])
    made = one_task(model, "about {x}")
    made.kickoff(inputs={"x": 1}, run_key="k")

    with pytest.raises(RunKeyConflict, match=r"'k' belongs to run .* with the inputs \{'x': 1\}, not \{'x': 2\}"):
        made.kickoff(inputs={"x": 2}, run_key="k")


def test_another_definition_under_one_key_is_refused() -> None:
    one_task(ScriptedModel(["said"])).kickoff(run_key="k")

    with pytest.raises(RunKeyConflict, match="whose definition differs"):
        one_task(ScriptedModel(["said"]), "Something else").kickoff(run_key="k")


def test_the_environments_run_key_names_the_runs_of_a_program(jackstay_make_runtime: MakeRuntime) -> None:
    first, second = ScriptedModel(["one"]), ScriptedModel(["two"])
    texts = []
    for _ in range(2):
        jackstay_make_runtime(environ={"JACKSTAY_RUN_KEY": "nightly"})
        texts.append((one_task(first).kickoff().raw, one_task(second, "Other").kickoff().raw))

    assert texts == [("one", "two"), ("one", "two")]
    assert len(first.calls) == len(second.calls) == 1


def test_without_being_asked_a_kickoff_never_picks_up_an_older_run() -> None:
    model = ScriptedModel([ValueError("broke"), "fresh"])
    made = one_task(model)
    with pytest.raises(ValueError, match="broke"):
        made.kickoff()

    assert made.kickoff().raw == "fresh"


# --- resume -------------------------------------------------------------------------------------------------------


def test_resume_goes_on_with_the_run_of_that_id(runtime: Runtime, jackstay_make_runtime: MakeRuntime) -> None:
    model = ScriptedModel(["one", ValueError("second broke"), "two"])
    made = failing_second(model)
    with pytest.raises(ValueError, match="second broke"):
        made.kickoff(inputs={"x": 1})
    (run,) = runtime.journal.runs(RunFilter())

    jackstay_make_runtime()  # as another process would
    output = made.kickoff(inputs={"x": 1}, resume=run.id)

    assert (output.run_id, output.raw) == (run.id, "two")
    assert len(model.calls) == 3


def test_the_usage_of_a_resumed_run_is_that_of_all_its_calls() -> None:
    model = ScriptedModel(["one", ValueError("second broke"), "two"])
    made = failing_second(model)
    with pytest.raises(ValueError, match="second broke"):
        made.kickoff(inputs={"x": 1}, run_key="k")

    output = made.kickoff(inputs={"x": 1}, run_key="k")

    assert output.token_usage.successful_requests == 2
    assert output.token_usage.total_tokens == sum(one.token_usage.total_tokens for one in output.tasks_output)


def test_resuming_what_does_not_exist_says_so() -> None:
    with pytest.raises(NotFoundError, match=r"no run 'nope'.*jackstay runs"):
        one_task(ScriptedModel()).kickoff(resume="nope")


# --- many at once -------------------------------------------------------------------------------------------------


@pytest.mark.promise("run.concurrent_kickoffs")
def test_one_crew_object_runs_many_times_at_once() -> None:
    made = one_task(ScriptedModel(default=topic_of), "about {n}")

    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*(made.akickoff(inputs={"n": n}) for n in range(30)))

    outputs = asyncio.run(all_of_them())

    assert [output.raw for output in outputs] == [f"about {n}" for n in range(30)]
    assert len({output.run_id for output in outputs}) == 30
    assert {output.token_usage.successful_requests for output in outputs} == {1}


@pytest.mark.promise("crew.kickoff_async")
def test_kickoff_async_is_awaited_too() -> None:
    made = one_task(ScriptedModel(["a"]))

    assert asyncio.run(made.kickoff_async()).raw == "a"


class Eight(BaseLLM):
    """Answers only when as many calls as may run side by side are there; notes the most that were."""

    def __init__(self, wanted: int) -> None:
        super().__init__()
        self.wanted, self.now, self.most = wanted, 0, 0
        self.changed = threading.Condition()

    def call(self, messages: Any, *_: Any, **__: Any) -> str:
        with self.changed:
            self.now += 1
            self.most = max(self.most, self.now)
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: self.most >= self.wanted, 20)
            self.now -= 1
        return str(messages[-1]["content"].partition("\n")[0])


class Running:
    """Counts the runs that have started and not finished, by what observers are told."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def __call__(self, event: Event) -> None:
        self.now += {"run_started": 1, "run_finished": -1}.get(event.name, 0)
        self.most = max(self.most, self.now)


@pytest.mark.promise("crew.kickoff_for_each")
def test_items_run_eight_at_a_time_and_come_back_in_order(runtime: Runtime) -> None:
    model = Eight(8)
    made = one_task(model, "item {n}")

    running = Running()
    runtime.observers.append(running)

    outputs = made.kickoff_for_each([{"n": n} for n in range(20)])

    assert running.most == 8
    assert [output.raw for output in outputs] == [f"Current Task: item {n}" for n in range(20)]
    assert model.most == 8
    (batch,) = runtime.journal.runs(RunFilter(kind=("batch",)))
    children = runtime.journal.children(batch.id)
    assert {child.id for child in children} == {output.run_id for output in outputs}
    assert batch.status == "succeeded"


@pytest.mark.promise("run.for_each.isolation")
def test_a_failed_item_stops_no_other(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    model = ScriptedModel(default=lambda call: ValueError("bad item") if "item 1" in call.last_user else "ok")

    outputs = one_task(model, "item {n}").kickoff_for_each([{"n": n} for n in range(3)], concurrency=1)

    assert [(output.ok, output.raw) for output in outputs] == [(True, "ok"), (False, ""), (True, "ok")]
    assert outputs[1].error == "ValueError: bad item"
    (batch,) = runtime.journal.runs(RunFilter(kind=("batch",)))
    assert (batch.status, json.loads(batch.output or "{}")["failed"]) == ("failed", 1)
    assert "1 of 3 items failed" in caplog.text


@pytest.mark.promise("run.for_each.isolation")
def test_on_error_raise_gives_the_items_exception() -> None:
    model = ScriptedModel(default=lambda call: LookupError("bad item") if "item 1" in call.last_user else "ok")
    made = one_task(model, "item {n}")

    with pytest.raises(LookupError, match="bad item"):
        made.kickoff_for_each([{"n": n} for n in range(3)], on_error="raise")


@pytest.mark.promise("crew.akickoff_for_each")
def test_items_can_be_awaited() -> None:
    made = one_task(ScriptedModel(default=topic_of), "item {n}")

    outputs = asyncio.run(made.akickoff_for_each([{"n": 1}, {"n": 2}]))
    others = asyncio.run(made.kickoff_for_each_async([{"n": 3}]))

    assert [output.raw for output in outputs + others] == ["item 1", "item 2", "item 3"]


def test_items_that_cannot_run_are_refused_before_any_call() -> None:
    model = ScriptedModel(default="x")
    made = one_task(model, "item {n}")

    with pytest.raises(MissingVariableError):
        made.kickoff_for_each([{"n": 1}, {"m": 2}])
    with pytest.raises(InputsError, match="concurrency=0"):
        made.kickoff_for_each([{"n": 1}], concurrency=0)
    assert model.calls == []


def test_no_items_give_no_outputs() -> None:
    assert one_task(ScriptedModel(), "item {n}").kickoff_for_each([]) == []


def test_an_exception_of_a_custom_model_passes_as_raised(runtime: Runtime) -> None:
    class Mine(Exception):
        pass

    error = Mine("own class")

    with pytest.raises(Mine) as caught:
        one_task(ScriptedModel([error])).kickoff()

    assert caught.value is error
    (run,) = runtime.journal.runs(RunFilter())
    assert (run.status, run.reason) == ("failed", "error")


def test_a_failed_kickoff_leaves_no_exception_that_nobody_retrieved(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="broke"):
        one_task(ScriptedModel([ValueError("broke")])).kickoff()

    gc.collect()

    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []
