"""Resuming with a program that has changed: everything that differs is said before it runs, nothing is answered silently."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from pydantic import BaseModel

from jackstay import Agent, Crew, Flow, Retry, Runtime, Task, listen, start
from jackstay.core.events import Event
from jackstay.engine.script import script_run
from jackstay.errors import DefinitionChanged, ModelServerError
from jackstay.testing import Fault, Stub, StubRequest
from jackstay.tools import tool

MODEL = "gpt-4o-mini"
NAMES = ("gather", "check", "draft")


@tool
def search(query: str) -> str:
    """Searches."""
    return query


@tool
def count(text: str) -> str:
    """Counts."""
    return str(len(text))


def crew_of(*names: str, role: str = "Writer", tools: tuple[Any, ...] = (search,), **changes: str) -> Crew:
    """`changes`: other descriptions, by the task's name."""
    agent = Agent(role=role, goal="g", backstory="b", llm=MODEL, retry=Retry(max_attempts=1), tools=list(tools))
    made = [
        Task(name=name, description=changes.get(name, f"To {name} it"), expected_output="t", agent=agent)
        for name in names or NAMES
    ]
    return Crew(agents=[agent], tasks=made)


@pytest.fixture
def told(runtime) -> list[str]:
    """The warnings, in order."""
    heard: list[str] = []

    def listen_to(event: Event) -> None:
        if event.name == "warning":
            heard.append(event.data["text"])

    runtime.observers.append(listen_to)
    return heard


def tasks_asked(stub: Stub, since: int) -> list[str]:
    said = [next(m.content for m in request.messages if m.role == "user") for request in stub.requests[since:]]
    tasks = [text.partition("To ")[2].split()[0] for text in said]
    return list(dict.fromkeys(tasks))


def failed_run(stub: Stub, crew: Crew) -> str:
    """Of a crew whose third task the provider failed at."""
    stub.rule(Fault.http(500), user="To draft", times=1)
    with pytest.raises(ModelServerError) as failed:
        crew.kickoff()
    assert failed.value.run_id is not None
    return failed.value.run_id


def failed_script(stub: Stub, runtime: Runtime) -> str:
    """One kickoff that has finished, one whose third task the provider failed at."""
    stub.rule(Fault.http(500), user="To draft", times=1)
    with suppress(ModelServerError), script_run(runtime, "daily.py", entry={}) as run:
        crew_of("gather", role="Other").kickoff()
        crew_of().kickoff()
    return run.id


CHANGED = [
    (crew_of(check="To check it twice"), "task 'check': its description has changed", ["check", "draft"]),
    (
        crew_of("gather", "review", "draft", review="To check it"),
        "task 'check' is called 'review' now",
        ["check", "draft"],
    ),
    (crew_of(tools=()), "task 'gather': the tool 'search' is gone", ["gather", "check", "draft"]),
    (crew_of(tools=(search, count)), "task 'gather': the tool 'count' is new", ["gather", "check", "draft"]),
    (crew_of("check", "draft"), "task 'gather' is gone", ["check", "draft"]),
    (crew_of(role="Author"), "agent 'Author': the role has changed", ["gather", "check", "draft"]),
]


@pytest.mark.parametrize(("changed", "said", "again"), CHANGED, ids=[said for _, said, _ in CHANGED])
def test_change_is_listed_before_anything_runs_and_asked_anew(stub, runtime, told, changed, said, again):
    run_id = failed_run(stub, crew_of())
    before = len(stub.requests)
    told_at: list[int] = []
    """How much had been told when each request came."""

    def at_once(_: StubRequest) -> float:
        told_at.append(len(told))
        return 0.0

    stub.latency_s = at_once

    changed.kickoff(resume=run_id)

    assert any(said in text for text in told[: told_at[0]])
    assert tasks_asked(stub, before) == again
    assert runtime.journal.run(run_id).fingerprint == changed.fingerprint


@pytest.mark.parametrize(("changed", "said", "again"), CHANGED, ids=[said for _, said, _ in CHANGED])
def test_the_same_inside_a_script_whose_kickoffs_have_another_path_then(stub, runtime, told, changed, said, again):
    run_id = failed_script(stub, runtime)
    before = len(stub.requests)

    with script_run(runtime, "daily.py", entry={}, resume=run_id):
        crew_of("gather", role="Other").kickoff()
        result = changed.kickoff()

    assert any(said in text for text in told)
    assert tasks_asked(stub, before) == again
    usage = stub.total_usage().total_tokens
    assert runtime.journal.bill(run_id).recorded.usage.total_tokens == usage
    assert result.raw


def test_strict_resume_refuses_what_has_changed_and_leaves_the_run_as_it_was(stub, runtime):
    run_id = failed_script(stub, runtime)
    before = len(stub.requests)

    with (
        pytest.raises(DefinitionChanged, match="task 'check': its description has changed"),
        script_run(runtime, "daily.py", entry={}, resume=run_id, strict=True),
    ):
        crew_of(check="To check it twice").kickoff()
    with script_run(runtime, "daily.py", entry={}, resume=run_id, strict=True):
        crew_of().kickoff()

    assert tasks_asked(stub, before) == ["draft"]


class Before(BaseModel):
    topic: str = "boats"


class After(BaseModel):
    topic: str = "boats"
    words: int = 7


def flow_with(state: type[BaseModel], *, broken: bool, review: bool = False) -> Flow[Any]:
    class Daily(Flow[state]):  # type: ignore[valid-type]
        @start()
        def gather(self):
            return crew_of("gather").kickoff().raw

        @listen(gather)
        def end(self):
            if broken:
                raise ValueError("not today")
            return dict(self.state) | {"id": ""}

        if review:

            @listen(end)
            def reviewed(self):
                return "reviewed"

    return Daily()


def test_new_field_of_a_state_is_listed_and_has_its_default(stub, runtime, told):
    with pytest.raises(ValueError, match="not today") as failed:
        flow_with(Before, broken=True).kickoff({"topic": "kites"})
    before = len(stub.requests)

    state = flow_with(After, broken=False).kickoff(resume=failed.value.run_id)  # type: ignore[attr-defined]

    assert told[0] == "flow 'Daily' has changed: the state's field 'words' is new"
    assert state == {"topic": "kites", "words": 7, "id": ""}
    assert len(stub.requests) == before


def test_new_method_is_listed_and_runs(stub, runtime, told):
    with pytest.raises(ValueError, match="not today") as failed:
        flow_with(Before, broken=True).kickoff()

    result = flow_with(Before, broken=False, review=True).kickoff(resume=failed.value.run_id)  # type: ignore[attr-defined]

    assert told[0] == "flow 'Daily' has changed: method 'reviewed' is new"
    assert result == "reviewed"
