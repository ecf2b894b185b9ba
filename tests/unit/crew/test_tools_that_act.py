"""Tools with side effects, in one process: intent, idempotency key, what a person is asked and what follows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import jackstay
from jackstay import Crew, Retry, Runtime, cancel
from jackstay.core.messages import ToolCall
from jackstay.core.records import RunFilter, RunRow
from jackstay.errors import NotFoundError, RunCancelled, RunWaiting, ToolFailure
from jackstay.testing import ScriptedModel, tool_call
from jackstay.tools import call_context, tool
from tests.unit.crew.building import agent, crew, one_task, task


class World:
    """What the tools have done to it. The first `interrupted` calls are interrupted in the middle, after the effect."""

    def __init__(self, *, interrupted: int = 0) -> None:
        self.effects: list[Any] = []
        self.interrupted = interrupted

    def tool(self, **options: Any) -> Any:
        @tool(side_effect=True, **options)
        async def pay(amount: int) -> str:
            """Pays."""
            self.effects.append(call_context())
            if len(self.effects) <= self.interrupted:
                cancel(call_context().run_id)
                await asyncio.Event().wait()
            return f"paid {amount}"

        return pay


def paying(world: World, *, answers: Any = None, **options: Any) -> tuple[Any, ScriptedModel]:
    model = ScriptedModel(answers or [tool_call("pay", amount=3), "done"])
    return one_task(model, agent_fields={"tools": [world.tool(**options)]}), model


def only_run(runtime: Runtime) -> RunRow:
    [row] = runtime.journal.runs(RunFilter())
    return row


def interrupted_run(runtime: Runtime, world: World) -> tuple[Any, ScriptedModel, RunRow]:
    """A run whose tool was interrupted in its call."""
    made, model = paying(world)
    with pytest.raises(RunCancelled):
        made.kickoff()
    return made, model, only_run(runtime)


def told(model: ScriptedModel) -> str:
    return str(model.calls[-1].messages[-1]["content"])


def test_the_intent_is_on_disk_when_the_tool_is_called(runtime: Runtime) -> None:
    seen: list[Any] = []

    @tool(side_effect=True)
    def pay() -> str:
        """Pays."""
        seen.extend(runtime.journal.intents(call_context().run_id))
        seen.extend(row for row in runtime.journal.steps(call_context().run_id) if row.kind == "tool")
        return "paid"

    one_task(ScriptedModel([tool_call("pay"), "done"]), agent_fields={"tools": [pay]}).kickoff()

    [intent] = seen
    [row] = [row for row in runtime.journal.steps(intent.run_id) if row.kind == "tool"]
    assert (row.path, row.rev, row.flags) == (intent.path, intent.rev, "side_effect")


def test_a_tool_knows_its_run_place_and_idempotency_key(runtime: Runtime) -> None:
    world = World()
    made, _ = paying(world)

    output = made.kickoff()

    [context] = world.effects
    assert context.run_id == output.run_id
    assert context.path == "do_it#1/tool:pay#1"
    assert context.idempotency_key == f"{output.run_id}:{context.path}"
    assert context.attempt == 1


def test_a_call_without_an_end_on_record_is_not_repeated_but_asked_about(runtime: Runtime) -> None:
    world = World(interrupted=1)
    made, model, row = interrupted_run(runtime, world)

    with pytest.raises(RunWaiting, match=r"'pay' was called by Analyst with \{.*3\}.*--decide") as caught:
        made.kickoff(resume=row.id)

    assert len(world.effects) == 1
    assert len(model.calls) == 1
    assert caught.value.run_id == row.id
    [wait] = runtime.journal.waits(row.id)
    assert (wait.kind, only_run(runtime).status) == ("needs_decision", "waiting")
    jackstay.decide(row.id, "fail")
    made.kickoff(resume=row.id)


def test_asked_again_before_the_answer_it_waits_for_the_same_decision(runtime: Runtime) -> None:
    made, _, row = interrupted_run(runtime, World(interrupted=1))

    for _ in range(2):
        with pytest.raises(RunWaiting):
            made.kickoff(resume=row.id)

    assert len(runtime.journal.waits(row.id)) == 1
    jackstay.decide(row.id, "done", "paid by hand")
    assert made.kickoff(resume=row.id).raw == "done"


@pytest.mark.parametrize(
    ("decision", "said", "effects"),
    [
        (("done", "receipt 7"), "receipt 7", 1),
        (("again",), "paid 3", 2),
        (("fail",), "Error: the call was interrupted", 1),
    ],
)
def test_what_the_person_decides_is_what_happens(runtime: Runtime, decision: Any, said: str, effects: int) -> None:
    world = World(interrupted=1)
    made, model, row = interrupted_run(runtime, world)
    with pytest.raises(RunWaiting):
        made.kickoff(resume=row.id)

    jackstay.decide(row.id, *decision)
    output = made.kickoff(resume=row.id)

    assert output.raw == "done"
    assert told(model).startswith(said)
    assert len(world.effects) == effects
    assert len({context.idempotency_key for context in world.effects}) == 1
    assert [context.attempt for context in world.effects] == list(range(1, effects + 1))


def test_called_again_and_interrupted_again_it_asks_again(runtime: Runtime) -> None:
    world = World(interrupted=2)
    made, _, row = interrupted_run(runtime, world)
    with pytest.raises(RunWaiting):
        made.kickoff(resume=row.id)
    jackstay.decide(row.id, "again")
    with pytest.raises(RunCancelled):
        made.kickoff(resume=row.id)

    with pytest.raises(RunWaiting):
        made.kickoff(resume=row.id)

    assert len(world.effects) == 2
    jackstay.decide(row.id, "done", "paid")
    assert made.kickoff(resume=row.id).raw == "done"


def test_a_decision_that_nobody_waits_for_is_refused(runtime: Runtime) -> None:
    output = paying(World())[0].kickoff()

    with pytest.raises(NotFoundError, match="waits for no decision"):
        jackstay.decide(output.run_id, "again")


@pytest.mark.parametrize("decision", [("maybe",), ("done",), ("again", "x")])
def test_a_decision_that_is_none_is_refused(runtime: Runtime, decision: Any) -> None:
    with pytest.raises(ValueError, match="is no decision"):
        jackstay.decide("x", *decision)


def test_what_it_raises_is_its_end_and_it_is_not_called_again_by_a_resume(runtime: Runtime) -> None:
    effects: list[int] = []

    @tool(side_effect=True)
    def pay(amount: int) -> str:
        """Pays."""
        effects.append(amount)
        raise OSError("line is down")

    model = ScriptedModel([tool_call("pay", amount=3), ValueError("model is down"), "done"])
    made = one_task(model, agent_fields={"tools": [pay]})
    with pytest.raises(ValueError, match="model is down"):
        made.kickoff()

    # The failure is the last thing on record of the task, beside the model's.
    assert made.kickoff(resume=only_run(runtime).id).raw == "done"
    assert effects == [3]
    assert "OSError: line is down" in told(model)


def test_a_stated_failure_under_the_policy_raise_ends_a_resumed_run_again_without_a_call(runtime: Runtime) -> None:
    effects: list[int] = []

    @tool(side_effect=True, tool_failure_policy="raise")
    def pay() -> ToolFailure:
        """Pays."""
        effects.append(1)
        return ToolFailure("no money")

    made = one_task(ScriptedModel([tool_call("pay")]), agent_fields={"tools": [pay]})
    for resume in (None, "latest"):
        with pytest.raises(jackstay.JackstayError, match="no money"):
            made.kickoff(resume=resume and only_run(runtime).id)

    assert effects == [1]


def test_stopped_between_intent_and_call_nobody_has_to_be_asked(runtime: Runtime) -> None:
    world = World()
    made, _ = paying(world)
    stopped: list[str] = []

    def stop(event: Any) -> None:
        if event.name == "tool_started" and not stopped:
            stopped.append(event.run_id)
            runtime.leases.cancel(event.run_id)

    runtime.observers.append(stop)
    with pytest.raises(RunCancelled):
        made.kickoff()

    assert len(runtime.journal.intents(stopped[0])) == 1
    assert world.effects == []
    assert made.kickoff(resume=stopped[0]).raw == "done"
    assert len(world.effects) == 1


def test_the_other_calls_of_a_turn_are_not_made_while_one_waits_for_a_decision(runtime: Runtime) -> None:
    world, others = World(interrupted=1), []

    @tool(side_effect=True)
    def ship() -> str:
        """Ships."""
        others.append(call_context().attempt)
        return "shipped"

    model = ScriptedModel([[tool_call("ship"), tool_call("pay", amount=1)], "done"])
    made = one_task(model, agent_fields={"tools": [world.tool(), ship]})
    with pytest.raises(RunCancelled):
        made.kickoff()
    before = len(others)
    row = only_run(runtime)
    with pytest.raises(RunWaiting):
        made.kickoff(resume=row.id)

    assert len(others) == before
    while only_run(runtime).status == "waiting":
        jackstay.decide(row.id, "again")
        try:
            assert made.kickoff(resume=row.id).raw == "done"
        except RunWaiting:
            continue
    assert len(world.effects) == 2


def test_a_new_run_calls_it_again_with_another_key(runtime: Runtime) -> None:
    world = World()
    model = ScriptedModel(["one", *[tool_call("pay", amount=3), "done"] * 2])
    worker = agent(model, tools=[world.tool()])
    made = crew(task(worker, name="first"), task(worker, name="second"))
    made.kickoff()

    made.replay("second")

    first, second = world.effects
    assert first.path == second.path
    assert first.idempotency_key != second.idempotency_key


# --- tasks that are done again ---------------------------------------------------------------------------------------

BROKEN = OSError("no signal")


def attempts(world: World, *answers: Any, **more: Any) -> tuple[Any, ScriptedModel]:
    """A crew of one task that is tried again, whose agent pays."""
    model = ScriptedModel(answers)
    worker = agent(model, tools=[world.tool()])
    return crew(task(worker, **{"on_error": "retry", "retries": Retry(max_attempts=2, backoff_s=0), **more})), model


def test_a_task_that_is_done_again_is_answered_by_what_it_had_done(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    pay, spaced = tool_call("pay", amount=3), ToolCall("x", "pay", '{ "amount" : 3 }')
    made, model = attempts(world, pay, BROKEN, spaced, "done")

    output = made.kickoff()

    assert (output.raw, len(world.effects)) == ("done", 1)
    assert told(model) == "paid 3"
    second = [step for step in runtime.journal.steps(output.run_id) if step.kind == "tool"][1]
    assert (second.path, second.flags, second.attempts) == ("do_it#1/tool:pay#2", "side_effect,receipt", 0)
    assert "'pay' is not called again: do_it#1/tool:pay#1 was the same call" in caplog.text


def test_each_act_answers_once_and_only_the_same_call() -> None:
    world = World()
    three = tool_call("pay", amount=3)
    made, _ = attempts(world, [three, three], BROKEN, three, tool_call("pay", amount=4), three, three, "done")

    made.kickoff()

    assert len(world.effects) == 4


def test_a_call_that_failed_is_told_as_failed_once_and_then_the_model_decides() -> None:
    effects: list[int] = []

    @tool(side_effect=True)
    def pay(amount: int) -> str:
        """Pays, and loses the line before it can say so."""
        effects.append(amount)
        if len(effects) == 1:
            raise ConnectionError("line lost")
        return "paid"

    call = tool_call("pay", amount=3)
    model = ScriptedModel([call, BROKEN, call, lambda _: call if len(effects) == 1 else "no", "done"])

    output = crew(task(agent(model, tools=[pay]), on_error="retry")).kickoff()

    assert [str(one.messages[-1]["content"]) for one in model.calls[3:]] == [
        "Error: the tool failed with ConnectionError: line lost",
        "paid",
    ]
    assert (output.raw, effects) == ("done", [3, 3])


def test_a_third_attempt_is_answered_by_what_the_second_was_answered_by() -> None:
    world = World()
    pay = tool_call("pay", amount=3)
    made, _ = attempts(world, pay, BROKEN, pay, BROKEN, pay, "done", retries=Retry(max_attempts=3, backoff_s=0))

    assert made.kickoff().raw == "done"
    assert len(world.effects) == 1


def test_a_resumed_run_knows_what_earlier_attempts_had_done(runtime: Runtime) -> None:
    world = World()
    pay = tool_call("pay", amount=3)
    made, model = attempts(world, pay, BROKEN, pay, BROKEN)
    with pytest.raises(OSError, match="no signal"):
        made.kickoff(run_key="again")

    model.add("done")
    output = made.kickoff(run_key="again")

    assert (output.raw, len(world.effects)) == ("done", 1)


def test_a_resume_between_the_attempts_does_not_act_again() -> None:
    world = World()
    pay = tool_call("pay", amount=3)
    stopped = lambda call: cancel(world.effects[0].run_id) or BROKEN  # noqa: E731 - an answer of the script
    made, model = attempts(world, pay, BROKEN, stopped)
    with pytest.raises(RunCancelled):
        made.kickoff(run_key="again")

    model.add(pay, "done")
    output = made.kickoff(run_key="again")

    assert (output.raw, len(world.effects)) == ("done", 1)


def test_a_fallback_agent_is_answered_by_what_the_agent_before_had_done() -> None:
    world = World()
    pay = tool_call("pay", amount=3)
    deputy = agent(ScriptedModel([pay, "deputy is done"]), "Deputy", tools=[world.tool()])
    made, _ = attempts(world, pay, BROKEN, on_error="fallback", retries=None, fallback=deputy)

    assert made.kickoff().raw == "deputy is done"
    assert len(world.effects) == 1


def test_what_a_coworker_had_done_answers_as_well() -> None:
    world = World()
    pay = tool_call("pay", amount=3)
    asked = tool_call("delegate_work_to_coworker", task="pay", context="c", coworker="Clerk")
    clerk = agent(ScriptedModel([pay, "paid it", pay, "it is paid"]), "Clerk", tools=[world.tool()])
    boss = agent(ScriptedModel([asked, BROKEN, asked, "done"]), "Boss", allow_delegation=True)

    Crew(agents=[boss, clerk], tasks=[task(boss, on_error="retry")]).kickoff()

    assert len(world.effects) == 1


def test_a_call_that_ran_out_of_time_is_asked_about_before_a_fallback_agent_makes_the_same() -> None:
    effects: list[int] = []

    @tool(side_effect=True)
    async def pay(amount: int) -> str:
        """Pays."""
        effects.append(amount)
        if len(effects) == 1:
            await asyncio.Event().wait()
        return "paid"

    call = tool_call("pay", amount=3)
    deputy = agent(ScriptedModel([call, "deputy is done"]), "Deputy", tools=[pay])
    worker = agent(ScriptedModel([call, "done"]), tools=[pay], max_execution_time=0.2)
    made = crew(task(worker, on_error="fallback", fallback=deputy))

    with pytest.raises(RunWaiting, match="the tool 'pay' was called by Analyst") as caught:
        made.kickoff(run_key="late")
    assert effects == [3]

    jackstay.decide(str(caught.value.run_id), "done", "paid, says the bank")
    assert made.kickoff(run_key="late").ok
    assert effects == [3]
