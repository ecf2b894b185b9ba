"""A hierarchical crew over the wire: its conversation, the law of usage, replay and resume."""

from __future__ import annotations

import pytest

from jackstay import Agent, Crew, Process, Retry, Task
from jackstay.core.events import Event
from jackstay.errors import ModelServerError
from jackstay.journal import UsageFilter
from jackstay.testing import Fault, Stub
from jackstay.tools import tool
from tests.e2e.ledger import Ledger
from tests.programs.managed_crew import ASK, DELEGATE, MODEL, REQUESTS, TOTAL, answer, crew_of, who


@pytest.fixture
def stub():
    with Stub(answer) as running:
        yield running


@pytest.fixture(autouse=True)
def _law_holds(stub, runtime):
    """After every test of this file: every request is in the journal once."""
    yield
    ledger = Ledger.of(runtime)
    paid = [call for call in ledger.calls if call.origin_run_id is None]
    assert len(stub.requests) == sum(call.attempts for call in paid)
    assert stub.total_usage().total_tokens == sum(call.input_tokens + call.output_tokens for call in paid)


@tool
def look_up(word: str) -> str:
    """Finds facts."""
    return f"facts on {word}"


@tool
def count(word: str) -> str:
    """Counts."""
    return word


WRITTEN = "written with facts on tides"
SAID = [f"managed: {WRITTEN}", f"managed: {WRITTEN}, criticised"]


def asked(stub: Stub, since: int = 0) -> dict[str, int]:
    """How often each was asked."""
    said = [who(request) for request in stub.requests[since:]]
    return {role: said.count(role) for role in REQUESTS if role in said}


def test_the_manager_is_told_who_there_is_and_the_coworkers_what_to_do(stub, runtime):
    output = crew_of(look_up).kickoff({"topic": "tides"})

    assert [task.raw for task in output.tasks_output] == SAID
    manager, writer = stub.requests[0], stub.requests[1]
    assert [one["function"]["name"] for one in manager.body["tools"]] == [DELEGATE, ASK]
    coworker = manager.body["tools"][0]["function"]["parameters"]["properties"]["coworker"]
    assert coworker["enum"] == ["Writer", "Critic"]
    assert "Writer: Write on tides" in manager.body["tools"][0]["function"]["description"]
    assert writer.messages[-1].content.startswith("Current Task: Write it")
    assert [one["function"]["name"] for one in writer.body["tools"]] == ["look_up"]


def test_calls_tasks_agents_crew_and_stub_agree(stub, runtime):
    output = crew_of(look_up).kickoff({"topic": "tides"})

    whole = stub.total_usage().total_tokens
    assert output.token_usage.total_tokens == sum(t.token_usage.total_tokens for t in output.tasks_output) == whole
    assert output.token_usage.successful_requests == len(stub.requests) == TOTAL
    rows = runtime.journal.usage(UsageFilter("agent", run_ids=(output.run_id,)))
    assert {row.key: (row.requests, row.prompt_tokens + row.completion_tokens) for row in rows} == {
        role: (
            REQUESTS[role],
            sum(request.usage.total_tokens for request in stub.requests if who(request) == role),
        )
        for role in REQUESTS
    }


def test_a_replayed_task_is_managed_again_and_the_one_before_it_is_not(stub, runtime):
    crew = crew_of(look_up)
    whole = crew.kickoff({"topic": "tides"})
    before = len(stub.requests)

    replayed = crew.replay(f"{whole.run_id}/last#1")

    assert [task.raw for task in replayed.tasks_output] == SAID
    assert asked(stub, before) == {"Crew Manager": 2, "Writer": 2, "Critic": 1}
    assert replayed.token_usage.successful_requests == 5
    assert replayed.reused_usage.successful_requests == 4


def test_a_run_that_failed_after_delegated_work_is_resumed_behind_it(stub, runtime):
    stub.fault_at(3, Fault.http(500))  # the manager's second call; the writer's two come before
    crew = crew_of(look_up, retry=Retry(max_attempts=1))
    with pytest.raises(ModelServerError):
        crew.kickoff({"topic": "tides"}, run_key="k")
    before = len(stub.requests)

    output = crew.kickoff({"topic": "tides"}, run_key="k")

    assert before == 4
    assert [task.raw for task in output.tasks_output] == SAID
    assert asked(stub, before) == {"Crew Manager": 3, "Writer": 2, "Critic": 1}


def test_a_coworker_whose_model_fails_is_reported_and_the_crew_goes_on(stub, runtime):
    stub.fault_at(1, Fault.http(500))  # the writer's first call

    output = crew_of(look_up, retry=Retry(max_attempts=1)).kickoff({"topic": "tides"})

    assert "the tool failed with ModelServerError" in output.tasks_output[0].raw
    assert output.tasks_output[1].raw == SAID[1]


def test_a_coworker_is_tried_again_as_it_says_or_the_crew_not_as_its_manager(stub, runtime):
    stub.fault_at(1, Fault.http(500))
    boss = Agent(role="Crew Manager", goal="g", backstory="b", llm=MODEL, retry=Retry(max_attempts=3))

    output = crew_of(look_up, manager_agent=boss, retry=Retry(max_attempts=1)).kickoff({"topic": "tides"})

    assert "the tool failed with ModelServerError" in output.tasks_output[0].raw


def test_a_replay_with_another_input_asks_anew_what_a_coworkers_words_depend_on(stub, runtime):
    crew = crew_of(look_up, tasks=[Task(name="first", description="First", expected_output="Text")])
    whole = crew.kickoff({"topic": "tides"})
    before = len(stub.requests)

    crew.replay(f"{whole.run_id}/first#1", {"topic": "waves"})

    assert asked(stub, before) == {"Crew Manager": 2, "Writer": 2}


@pytest.mark.parametrize(
    ("tools", "more", "said"),
    [
        ((look_up, count), {}, "coworker 'Writer': the tools changed"),
        ((look_up,), {"goal": "Lead"}, "manager 'Crew Manager': the goal has changed"),
        ((look_up,), {"sequential": True}, "its agent 'Critic' does it now"),
    ],
)
def test_what_has_changed_of_the_team_is_said_and_asked_anew(stub, runtime, tools, more, said):
    heard: list[str] = []
    whole = crew_of(look_up).kickoff({"topic": "tides"})
    before = len(stub.requests)

    def listen_to(event: Event) -> None:
        if event.name == "warning":
            heard.append(event.data["text"])

    runtime.observers.append(listen_to)
    crew = changed(crew_of(*tools), **more)
    crew.replay(f"{whole.run_id}/last#1")

    assert [text for text in heard if said in text]
    assert asked(stub, before).get("Crew Manager", 0) == (0 if "sequential" in more else 4)


def changed(crew: Crew, *, goal: str | None = None, sequential: bool = False) -> Crew:
    """The same crew with another manager, or without one."""
    if sequential:
        crew.process = Process.sequential
        crew.tasks[0].agent = crew.agents[0]
    if goal is not None:
        crew.manager_agent = Agent(role="Crew Manager", goal=goal, backstory="Able.", llm=MODEL)
    return crew
