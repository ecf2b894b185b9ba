"""CrewAI's names for checkpoints over the journal: where a kickoff begins, what is asked again, and by whose code."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import warnings
from contextlib import closing
from typing import Any

import pytest

from jackstay import LLM, Agent, BaseLLM, CheckpointConfig, Crew, Flow, Retry, Task, listen, start
from jackstay.core.records import RunFilter
from jackstay.crew.checkpoint import JsonProvider, SqliteProvider
from jackstay.errors import DefinitionError, InputsError, ModelServerError, NotFoundError, UnknownTask
from jackstay.journal import from_url, open_journal
from jackstay.journal.blobs import unpack
from jackstay.testing import Fault, Stub, tool_call
from jackstay.tools import tool

NAMES = ("gather", "check", "draft")


def crew_of(*names: str, **more: Any) -> Crew:
    """A task each, every one told of all before it."""
    writer = Agent(role="Writer", goal="g", backstory="b", llm="gpt-4o-mini", retry=Retry(max_attempts=1))
    tasks = [Task(name=n, description=f"To {n} {{topic}}", expected_output="t", agent=writer) for n in names or NAMES]
    return Crew(agents=[writer], tasks=tasks, **more)


def asked(stub: Stub, since: int = 0) -> list[str]:
    """Which tasks requests were made for, in order."""
    said = [request.messages[-1].content for request in stub.requests[since:]]
    return [next(word for word in text.split() if word in NAMES) for text in said]


def at(checkpoint: str) -> CheckpointConfig:
    return CheckpointConfig(restore_from=checkpoint)


def run_of(failed: Any) -> str:
    """The run that an exception has ended."""
    return str(failed.value.run_id)


class Counted(Flow):
    """Three methods that note in the state that they have run, and outside that they were executed."""

    executed: list[str] = []  # noqa: RUF012 - shared on purpose: the test looks at it

    @start()
    def one(self):
        return self._note("one")

    @listen(one)
    def two(self):
        return self._note("two")

    @listen(two)
    def three(self):
        return self._note("three")

    def _note(self, name):
        self.executed.append(name)
        self.state["done"] = [*self.state.get("done", []), name]
        return name


# --- definitions ---------------------------------------------------------------------------------------------------


@pytest.mark.promise("agent.checkpoint", "crew.checkpoint", "flow.checkpoint")
@pytest.mark.parametrize("value", [True, False, None, CheckpointConfig()])
def test_definitions_take_checkpoint_without_a_word(value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        agent = Agent(role="r", goal="g", backstory="b", llm="gpt-4o-mini", checkpoint=value)
        task = Task(description="d", expected_output="e", agent=agent, checkpoint=value)
        Crew(agents=[agent], tasks=[task], checkpoint=value)
        flow = Counted(checkpoint=value)

    assert "checkpoint" not in flow.state


def test_one_warning_names_what_the_journal_does_not_do():
    with pytest.warns(UserWarning, match=r"location=, provider=, max_checkpoints=, on_events= has no effect") as warned:
        CheckpointConfig(location="./cp", provider=SqliteProvider(), max_checkpoints=3, on_events=["llm_call_started"])
    assert len(warned) == 1

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CheckpointConfig(location="./.checkpoints", on_events=["task_completed", "method_execution_finished"])
    with pytest.warns(UserWarning, match="provider= has no effect"):
        CheckpointConfig(provider=JsonProvider())


def test_a_config_that_says_nothing_of_where_to_begin_begins_at_the_beginning(stub, runtime):
    crew = crew_of()

    crew.kickoff({"topic": "boats"}, from_checkpoint=CheckpointConfig())
    crew.kickoff({"topic": "boats"}, from_checkpoint=None)

    assert asked(stub) == [*NAMES, *NAMES]


# --- where a kickoff begins ----------------------------------------------------------------------------------------


def test_a_runs_id_goes_on_with_the_run(stub, runtime):
    crew = crew_of()
    stub.rule(Fault.http(500), user="To draft", times=1)
    with pytest.raises(ModelServerError) as failed:
        crew.kickoff({"topic": "boats"})
    before = len(stub.requests)

    output = crew.kickoff(from_checkpoint=at(run_of(failed)))

    assert asked(stub, before) == ["draft"]
    assert output.run_id == run_of(failed)


@pytest.mark.promise("crew.checkpoint")
@pytest.mark.parametrize("how", ["kickoff", "akickoff", "kickoff_async"])
def test_a_tasks_id_begins_a_new_run_behind_it(stub, runtime, how):
    crew = crew_of()
    whole = crew.kickoff({"topic": "boats"})
    before = len(stub.requests)

    made = getattr(crew, how)(from_checkpoint=at(f"{whole.run_id}/gather#1"))
    output = made if how == "kickoff" else asyncio.run(made)

    assert asked(stub, before) == ["check", "draft"]
    assert output.raw == whole.raw
    row = runtime.journal.run(output.run_id)
    assert row.forked_from == whole.run_id
    assert json.loads(row.tags)["replay"] == {"run": whole.run_id, "target": "gather#1", "after": True}
    assert json.loads(row.inputs) == {"topic": "boats"}


def test_the_last_tasks_checkpoint_leaves_nothing_to_do(stub, runtime):
    crew = crew_of()
    whole = crew.kickoff({"topic": "boats"})

    output = crew.kickoff(from_checkpoint=at(f"{whole.run_id}/draft#1"))

    assert asked(stub) == list(NAMES)
    assert (output.raw, output.token_usage.total_tokens) == (whole.raw, 0)


def test_inputs_that_are_given_win_and_what_mentions_them_is_asked_anew(stub, runtime):
    crew = crew_of()
    whole = crew.kickoff({"topic": "boats"})
    before = len(stub.requests)

    crew.kickoff({"topic": "kites"}, from_checkpoint=at(f"{whole.run_id}/check#1"))

    assert asked(stub, before) == list(NAMES)
    assert all("kites" in request.messages[-1].content for request in stub.requests[before:])


@pytest.mark.promise("flow.from_checkpoint")
def test_a_flow_begins_behind_a_method_with_the_state_of_then(runtime):
    Counted.executed = []
    flow = Counted()
    flow.kickoff()

    again = Counted()
    result = again.kickoff(from_checkpoint=at(f"{flow.run_id}/one#1"))

    assert Counted.executed == ["one", "two", "three", "two", "three"]
    assert result == "three"
    assert again.state["done"] == ["one", "two", "three"]
    assert again.run_id != flow.run_id


def test_a_crew_of_a_flow_begins_behind_its_own_task(stub, runtime):
    crew = crew_of()

    class Daily(Flow):
        @start()
        def write(self):
            return crew.kickoff({"topic": "boats"}).raw

    flow = Daily()
    flow.kickoff()
    path = next(row.path for row in runtime.journal.steps(flow.run_id) if row.path.endswith("/check#1"))
    before = len(stub.requests)

    output = crew.kickoff(from_checkpoint=at(f"{flow.run_id}/{path}"))

    assert asked(stub, before) == ["draft"]
    assert output.run_id != flow.run_id


# --- fork and from_checkpoint --------------------------------------------------------------------------------------


@pytest.mark.promise("crew.from_checkpoint")
def test_fork_is_a_copy_whose_kickoffs_are_new_runs(stub, runtime):
    crew = crew_of()
    whole = crew.kickoff({"topic": "boats"})
    before = len(stub.requests)

    fork = crew.fork(at(f"{whole.run_id}/check#1"), branch="shorter")
    first, second = fork.kickoff(), fork.kickoff()
    other = crew.kickoff({"topic": "boats"})

    assert asked(stub, before) == ["draft", "draft", *NAMES]
    assert len({whole.run_id, first.run_id, second.run_id, other.run_id}) == 4
    assert json.loads(runtime.journal.run(first.run_id).tags)["branch"] == "shorter"
    assert fork.agents == crew.agents


def test_fork_of_a_whole_run_leaves_that_run_as_it_is(stub, runtime):
    crew = crew_of()
    stub.rule(Fault.http(500), user="To draft", times=1)
    with pytest.raises(ModelServerError) as failed:
        crew.kickoff({"topic": "boats"})
    before = len(stub.requests)

    output = crew.fork(at(run_of(failed))).kickoff()

    assert asked(stub, before) == ["draft"]
    assert output.run_id != run_of(failed)
    assert runtime.journal.run(run_of(failed)).status == "failed"


@pytest.mark.promise("flow.fork")
def test_flow_forks_with_the_state_of_then(runtime):
    Counted.executed = []
    flow = Counted()
    flow.kickoff()

    fork = flow.fork(at(f"{flow.run_id}/two#1"))
    fork.kickoff()

    assert Counted.executed == ["one", "two", "three", "three"]
    assert fork.state["done"] == ["one", "two", "three"]
    assert runtime.journal.run(fork.run_id).forked_from == flow.run_id


@pytest.mark.promise("flow.from_checkpoint", "flow.fork")
def test_a_flow_that_failed_is_gone_on_with_by_from_checkpoint_and_left_alone_by_fork(runtime):
    class Breaks(Flow):
        broken = True

        @start()
        def one(self):
            return "one"

        @listen(one)
        def two(self):
            if Breaks.broken:
                raise OSError("disk full")
            return "two"

    with pytest.raises(OSError, match="disk full") as failed:
        Breaks().kickoff()
    Breaks.broken = False

    fork, copy = Breaks().fork(at(run_of(failed))), Breaks().from_checkpoint(at(run_of(failed)))
    fork.kickoff()
    of_fork = runtime.journal.run(run_of(failed)).status
    copy.kickoff()

    assert fork.run_id != run_of(failed)
    assert of_fork == "failed"
    assert copy.run_id == run_of(failed)
    assert runtime.journal.run(run_of(failed)).status == "succeeded"


@pytest.mark.promise("crew.from_checkpoint")
def test_from_checkpoint_is_a_copy_that_goes_on_with_the_run(stub, runtime):
    crew = crew_of()
    stub.rule(Fault.http(500), user="To draft", times=1)
    with pytest.raises(ModelServerError) as failed:
        crew.kickoff({"topic": "boats"})

    assert crew.from_checkpoint(at(run_of(failed))).kickoff().run_id == run_of(failed)


@pytest.mark.parametrize("kind", [Crew, Counted])
def test_on_the_class_they_say_where_they_belong(kind):
    for name in ("fork", "from_checkpoint"):
        with pytest.raises(DefinitionError, match=rf"call {name}\(config\) on your"):
            getattr(kind, name)(at("0"), branch="x")


# --- refusals ------------------------------------------------------------------------------------------------------


def test_what_cannot_be_begun_at_is_refused_before_anything_is_asked(stub, runtime):
    crew = crew_of()
    stub.rule(Fault.http(500), user="To draft", times=1)
    with pytest.raises(ModelServerError) as failed:
        crew.kickoff({"topic": "boats"})
    run, before = run_of(failed), len(stub.requests)

    for checkpoint, said in [
        (f"{run}/draft#1", "has not completed"),
        (f"{run}/nothing#1", "has no task 'nothing#1'"),
        ("./.checkpoints/main/1.json", "there is no task"),
        ("zzz", "there is no run 'zzz'"),
    ]:
        with pytest.raises(UnknownTask, match=said):
            crew.kickoff(from_checkpoint=at(checkpoint))
    with pytest.raises(UnknownTask, match="belongs to crew 'crew', not to crew 'other'"):
        crew_of(name="other").kickoff(from_checkpoint=at(f"{run}/check#1"))
    with pytest.raises(InputsError, match="leave run_key= and resume= out"):
        crew.kickoff(run_key="k", from_checkpoint=at(run))
    with pytest.raises(DefinitionError, match="restore_from= is missing"):
        crew.fork(CheckpointConfig())
    with pytest.raises(DefinitionError, match="is given as CheckpointConfig"):
        crew.kickoff(from_checkpoint=run)  # type: ignore[arg-type]  # what is tried
    with pytest.raises(DefinitionError, match="use kickoff"):
        crew.fork(at(run)).kickoff_for_each([{"topic": "x"}])

    assert len(stub.requests) == before


# --- the program's own code, and no secrets ------------------------------------------------------------------------


class Parrot(BaseLLM):
    """Says what it was asked last; a class that no data could bring back."""

    def __init__(self, said: list[str]) -> None:
        super().__init__(model="parrot")
        self.said = said

    def call(self, messages, *args, **kwargs):
        self.said.append(messages[-1]["content"] if isinstance(messages, list) else messages)
        return f"Thought: done\nFinal Answer: answer {len(self.said)}"


def test_custom_models_and_callbacks_are_the_programs_own(runtime):
    said: list[str] = []
    called: list[str] = []
    parrot = Agent(role="Parrot", goal="g", backstory="b", llm=Parrot(said))
    tasks = [
        Task(
            name=n,
            description=f"To {n}",
            expected_output="t",
            agent=parrot,
            callback=lambda out: called.append(out.raw),
        )
        for n in ("gather", "check")
    ]
    crew = Crew(agents=[parrot], tasks=tasks)
    whole = crew.kickoff()

    output = crew.kickoff(from_checkpoint=at(f"{whole.run_id}/gather#1"))

    assert (len(said), output.raw) == (3, "answer 3")
    assert called[-1] == "answer 3"


def test_custom_tools_are_the_programs_own(stub, runtime):
    looked: list[str] = []

    @tool
    def look_up(name: str) -> str:
        """Looks a name up."""
        looked.append(name)
        return "found"

    crew = crew_of("gather", "check")
    whole = crew.kickoff({"topic": "boats"})
    crew.tasks[1].tools = [look_up]
    stub.rule(tool_call("look_up", name="boats"), user="To check", times=1)
    crew.kickoff(from_checkpoint=at(f"{whole.run_id}/gather#1"))

    assert looked == ["boats"]


def test_no_secret_is_in_the_database(stub, make_runtime, tmp_path, monkeypatch):
    canaries = {"key": "sk-canary-1111", "header": "canary-header-2222", "environment": "canary-environ-3333"}
    monkeypatch.setenv("MY_SECRET", canaries["environment"])
    runtime = make_runtime()
    model = LLM("gpt-4o-mini", api_key=canaries["key"], default_headers={"x-team": canaries["header"]})
    writer = Agent(role="Writer", goal="g", backstory="b", llm=model, checkpoint=True)
    tasks = [Task(name=n, description=f"To {n}", expected_output="t", agent=writer) for n in ("gather", "check")]
    crew = Crew(agents=[writer], tasks=tasks, checkpoint=CheckpointConfig())

    whole = crew.kickoff()
    crew.fork(at(f"{whole.run_id}/gather#1"), branch="b").kickoff()

    path = runtime.journal.path
    stored = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    with closing(sqlite3.connect(path)) as database:  # what is compressed is not found by its bytes
        stored += b"".join(unpack(*blob) for blob in database.execute("select encoding, bytes from blob"))
    assert whole.raw[:30].encode() in stored
    assert {name for name, canary in canaries.items() if canary.encode() in stored} == set()


def test_a_run_that_is_deleted_while_it_is_copied_is_not_begun_with(stub, make_runtime):
    doomed: list[str] = []

    def delete(point: str) -> None:
        if point == "journal.commit" and doomed:
            with closing(open_journal(from_url(f"sqlite:///{runtime.journal.path}"))) as other:
                assert other.delete_runs([doomed.pop()]).result(30)

    runtime = make_runtime(fault_point=delete)
    crew = crew_of()
    whole = crew.kickoff({"topic": "boats"})
    with closing(sqlite3.connect(runtime.journal.path, isolation_level=None)) as database:
        database.execute("update run set finished_at = 1")
    doomed.append(whole.run_id)

    with pytest.raises(NotFoundError, match="was deleted while it was copied; nothing has been run"):
        crew.kickoff(from_checkpoint=at(f"{whole.run_id}/gather#1"))

    assert asked(stub) == list(NAMES)
    assert [row.status for row in runtime.journal.runs(RunFilter())] == ["failed"]
