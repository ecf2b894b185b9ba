"""Replaying a crew from one of its tasks: what is asked again, what is not, and what the new run says of itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from jackstay import Agent, BaseLLM, Crew, Flow, Retry, Task, TaskOutput, start
from jackstay.errors import ModelServerError, UnknownTask
from jackstay.testing import Fault, Stub

MODEL = "gpt-4o-mini"
NAMES = ("gather", "check", "draft", "polish")


def crew_of(*names: str, **changes: dict[str, Any]) -> Crew:
    """A task each, every one told of all before it. `changes`: other fields of a task, by its name."""
    writer = Agent(role="Writer", goal="g", backstory="b", llm=MODEL, retry=Retry(max_attempts=1))
    made = [
        Task(
            **{
                "name": n,
                "description": f"To {n} {{topic}}",
                "expected_output": "t",
                "agent": writer,
                **changes.get(n, {}),
            }
        )
        for n in names or NAMES
    ]
    return Crew(agents=[writer], tasks=made)


def asked(stub: Stub, since: int = 0) -> list[str]:
    """Which tasks requests were made for, in order."""
    said = [request.messages[-1].content for request in stub.requests[since:]]
    return [next(word for word in text.split() if word in NAMES) for text in said]


@pytest.mark.promise("crew.replay")
def test_failed_task_is_replayed_with_what_depends_on_it_twice_in_a_row(stub, runtime):
    crew = crew_of()
    stub.rule(Fault.http(500), user="To draft", times=1)
    with pytest.raises(ModelServerError) as failed:
        crew.kickoff({"topic": "boats"})
    task = f"{failed.value.run_id}/draft#1"
    before = len(stub.requests)

    first = crew.replay(task)
    second = crew.replay(task)

    assert asked(stub, before) == ["draft", "polish"] * 2
    assert first.raw == second.raw
    assert [one.raw for one in first.tasks_output] == [one.raw for one in second.tasks_output]
    assert len({failed.value.run_id, first.run_id, second.run_id}) == 3
    rows = {row.id: row for row in map(runtime.journal.run, (first.run_id, second.run_id)) if row}
    assert {row.forked_from for row in rows.values()} == {failed.value.run_id}


@pytest.mark.promise("crew.replay")
def test_a_tasks_own_id_names_its_last_run_as_in_crewai(stub, runtime):
    crew = crew_of()
    with pytest.raises(UnknownTask):
        crew.replay(str(crew.tasks[2].id))
    crew.kickoff({"topic": "boats"})
    crew.kickoff({"topic": "kites"})
    before = len(stub.requests)

    crew.replay(str(crew.tasks[2].id))

    assert asked(stub, before) == ["draft", "polish"]
    assert "kites" in stub.requests[-1].last_user


def test_replay_pays_for_what_it_asks_and_says_what_it_reused(stub, runtime):
    crew = crew_of()
    whole = crew.kickoff({"topic": "boats"})

    replayed = crew.replay(f"{whole.run_id}/draft#1")

    own = [request.usage.total_tokens for request in stub.requests]
    assert replayed.token_usage.total_tokens == sum(own[4:])
    assert replayed.reused_usage.total_tokens == sum(own[:2])
    assert [one.token_usage.total_tokens for one in replayed.tasks_output] == [0, 0, *own[4:]]
    assert runtime.journal.bill(replayed.run_id).total.usage.total_tokens == sum(own[4:])


def test_replay_of_a_replay_and_of_a_batchs_item(stub, runtime):
    crew = crew_of("gather", "check", "draft")
    items = crew.kickoff_for_each([{"topic": "boats"}, {"topic": "kites"}])
    before = len(stub.requests)

    once = crew.replay(f"{items[1].run_id}/check#1")
    again = crew.replay(f"{once.run_id}/draft#1")

    assert asked(stub, before) == ["check", "draft", "draft"]
    assert once.raw == again.raw == items[1].raw
    assert all("kites" in request.messages[-1].content for request in stub.requests[before:])


@pytest.mark.promise("run.replay.before")
def test_tasks_that_do_not_depend_on_the_target_are_taken_from_the_record(stub, runtime):
    names = ("gather", "check", "draft", "polish")
    crew = crew_of(*names)
    gather, check, draft, polish = crew.tasks
    draft.context, polish.context = [gather], [check]
    whole = crew.kickoff({"topic": "boats"})
    before = len(stub.requests)

    replayed = crew.replay(f"{whole.run_id}/gather#1")

    # `check` is told of all before it, and so is `polish` of `check`.
    assert asked(stub, before) == ["gather", "check", "draft", "polish"]
    crew.replay(f"{replayed.run_id}/check#1")
    assert asked(stub, before + 4) == ["check", "polish"]


@pytest.mark.promise("run.replay.inputs")
def test_other_inputs_ask_what_mentions_them_anew(stub, runtime):
    crew = crew_of(draft={"description": "To draft in {style}"})
    whole = crew.kickoff({"topic": "boats", "style": "verse"})
    before = len(stub.requests)

    replayed = crew.replay(f"{whole.run_id}/polish#1", {"style": "prose"})

    assert asked(stub, before) == ["draft", "polish"]
    assert "To draft in prose" in stub.requests[before].messages[-1].content
    assert replayed.tasks_output[0].raw == whole.tasks_output[0].raw


def test_a_changed_task_is_listed_and_asked_anew(stub, make_runtime):
    told: list[str] = []
    runtime = make_runtime()
    runtime.observers.append(lambda event: told.append(event.data["text"]) if event.name == "warning" else None)
    whole = crew_of().kickoff({"topic": "boats"})
    before = len(stub.requests)

    crew_of(check={"description": "To check {topic} twice"}).replay(f"{whole.run_id}/polish#1")

    assert told[0] == "crew 'crew' has changed: task 'check': its description has changed"
    assert asked(stub, before) == ["check", "draft", "polish"]


def test_crew_of_a_flow_is_replayed_as_a_run_of_its_own(stub, runtime):
    crew = crew_of()

    class Daily(Flow):
        @start()
        def write(self):
            return crew.kickoff({"topic": "boats"}).raw

    flow = Daily()
    flow.kickoff()
    before = len(stub.requests)

    replayed = crew.replay("draft")

    assert asked(stub, before) == ["draft", "polish"]
    source = runtime.journal.run(runtime.journal.run(replayed.run_id).forked_from)
    assert (source.kind, source.id) == ("flow", flow.run_id)


@pytest.mark.promise("run.replay.unknown")
@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("nothing", "there is no task 'nothing' in the latest 20 runs"),
        ("{run}/nothing", "has no task 'nothing'; it has: gather#1, check#1, draft#1, polish#1"),
    ],
)
def test_unknown_tasks_are_refused_before_anything_is_asked(stub, runtime, task, said):
    crew = crew_of()
    run = crew.kickoff({"topic": "x"}).run_id

    with pytest.raises(UnknownTask, match=said) as caught:
        crew.replay(task.format(run=run))
    assert isinstance(caught.value, ValueError)
    with pytest.raises(UnknownTask, match="belongs to crew 'crew', not to crew 'other'"):
        Crew(name="other", agents=crew.agents, tasks=crew.tasks).replay(f"{run}/draft#1")

    assert len(stub.requests) == 4


class Finding(BaseModel):
    text: str
    sure: bool


@pytest.mark.promise("run.replay.pydantic")
def test_structured_outputs_come_back_as_they_were(stub, runtime):
    crew = crew_of("gather", "check", "draft", check={"output_pydantic": Finding}, draft={"output_json": Finding})
    whole = crew.kickoff({"topic": "boats"})
    before = len(stub.requests)

    replayed = crew.replay(f"{whole.run_id}/draft#1")

    assert asked(stub, before) == ["draft"]
    assert replayed.tasks_output[1].pydantic == whole.tasks_output[1].pydantic
    assert isinstance(replayed.tasks_output[1].pydantic, Finding)
    assert replayed.json_dict == whole.json_dict


def test_models_tools_and_callbacks_are_the_programs_own(stub, runtime):
    called: list[str] = []

    class Mine(BaseLLM):
        def call(self, messages: Any, *_: Any, **__: Any) -> str:
            called.append("model")
            return "my own answer"

    def judged(output: TaskOutput) -> tuple[bool, Any]:
        called.append("guardrail")
        return True, output

    def crew() -> Crew:
        agent = Agent(role="Writer", goal="g", backstory="b", llm=Mine(model="mine"))
        made = [
            Task(
                name=name,
                description=f"To {name}",
                expected_output="t",
                agent=agent,
                callback=lambda output: called.append(f"callback {output.name}"),
                guardrail=judged,
            )
            for name in ("gather", "draft")
        ]
        return Crew(agents=[agent], tasks=made)

    whole = crew().kickoff()
    called.clear()

    assert crew().replay(f"{whole.run_id}/draft#1").raw == "my own answer"
    assert called == ["model", "guardrail", "callback draft"]
    assert stub.requests == []


def test_what_is_only_in_memory_can_be_replayed_while_it_is_there(stub, make_runtime):
    make_runtime(durability="off")
    crew = crew_of("gather", "draft")
    whole = crew.kickoff({"topic": "boats"})

    assert crew.replay("draft").raw == whole.raw
    assert asked(stub) == ["gather", "draft", "draft"]


def test_replay_inside_a_running_loop_is_awaited(stub, runtime):
    crew = crew_of("gather", "draft")

    async def both() -> list[str]:
        whole = await crew.akickoff({"topic": "boats"})
        return [whole.raw, (await crew.areplay(f"{whole.run_id}/draft#1")).raw]

    first, again = asyncio.run(both())

    assert first == again
    assert asked(stub) == ["gather", "draft", "draft"]
