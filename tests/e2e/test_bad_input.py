"""Bad input: each is a JackstayError that says what, where and what to do, before any money is spent."""

from __future__ import annotations

import json
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, RootModel, ValidationError

from jackstay import LLM, Agent, Crew, Flow, JackstayError, Process, Retry, Runtime, Task, listen, start
from jackstay.core.records import RunFilter
from jackstay.engine.entry import loading
from jackstay.errors import (
    ConfigurationError,
    DatabaseTooNew,
    DefinitionError,
    InputsError,
    KickoffWhileLoading,
    MissingExtraError,
    MissingKeyError,
    MissingVariableError,
    ModelAuthenticationFailed,
    ModelConnectionFailed,
    NotFoundError,
    StorageUnavailable,
    UnknownModelError,
)
from jackstay.testing import Stub
from jackstay.testing.plugin import MakeRuntime
from jackstay.tools import BaseTool, FileReadTool

NO_KEYS = {"OPENAI_API_KEY": "", "ANTHROPIC_API_KEY": ""}


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub(keys=["sk-good"]) as running:
        yield running


@pytest.fixture(autouse=True)
def runtime(jackstay_make_runtime: MakeRuntime, stub: Stub) -> Runtime:
    return jackstay_make_runtime(environ={**stub.environ(), "OPENAI_API_KEY": "sk-good"}, retry=Retry(backoff_s=0))


def analyst(**more: Any) -> Agent:
    return Agent(**{"role": "Analyst", "goal": "Know {topic}", "backstory": "B", "llm": "gpt-4o-mini", **more})


def crew(worker: Agent | None = None, **task_fields: Any) -> Crew:
    worker = worker or analyst()
    first = Task(description="First of {topic}", expected_output="E", agent=analyst())
    second = Task(**{"description": "Second of {topic}", "expected_output": "E", "agent": worker, **task_fields})
    return Crew(agents=[worker], tasks=[first, second])


BEES = {"topic": "bees"}


def refused(kind: type[JackstayError], stub: Stub, run: Any, *, requests: int = 0) -> str:
    """The error's text, after checking what holds for all of them."""
    with pytest.raises(kind) as caught:
        run()

    text = str(caught.value)
    assert isinstance(caught.value, JackstayError)
    assert text
    assert "sk-" not in text + repr(caught.value) + "".join(getattr(caught.value, "__notes__", ()))
    assert len(stub.requests) == requests
    return text


# --- models and keys ----------------------------------------------------------------------------------------------


def test_a_missing_key(stub: Stub, jackstay_make_runtime: MakeRuntime) -> None:
    runtime = jackstay_make_runtime(environ={**stub.environ(), **NO_KEYS})

    text = refused(MissingKeyError, stub, lambda: crew().kickoff(inputs=BEES))

    assert text == (
        "OPENAI_API_KEY is not set (model gpt-4o-mini of agent 'Analyst'); "
        "put it in .env, or run with JACKSTAY_MODEL=sim/demo"
    )
    assert runtime.journal.runs(RunFilter()) == []


def test_the_remedy_for_a_missing_key_works(stub: Stub, jackstay_make_runtime: MakeRuntime) -> None:
    jackstay_make_runtime(environ={**NO_KEYS, "JACKSTAY_MODEL": "sim/demo"})

    output = crew().kickoff(inputs=BEES)

    assert output.raw
    assert stub.requests == []


def test_a_missing_key_of_the_second_agent_is_found_before_the_first_is_paid(
    stub: Stub, jackstay_make_runtime: MakeRuntime
) -> None:
    jackstay_make_runtime(environ={**stub.environ(), "OPENAI_API_KEY": "sk-good", "ANTHROPIC_API_KEY": ""})
    writer = analyst(role="Writer", llm="anthropic/claude-sonnet-4-5")

    text = refused(MissingKeyError, stub, lambda: crew(writer).kickoff(inputs=BEES))

    assert text.startswith("ANTHROPIC_API_KEY is not set (model anthropic/claude-sonnet-4-5 of agent 'Writer')")


def test_a_missing_key_inside_a_flow_is_found_before_that_crew_spends(
    stub: Stub, jackstay_make_runtime: MakeRuntime
) -> None:
    class Outer(Flow):
        @start()
        def begin(self) -> str:
            return crew(analyst(role="Writer", llm="anthropic/claude-sonnet-4-5")).kickoff(inputs=BEES).raw

    jackstay_make_runtime(environ={**stub.environ(), "OPENAI_API_KEY": "sk-good", "ANTHROPIC_API_KEY": ""})

    assert "of agent 'Writer'" in refused(MissingKeyError, stub, lambda: Outer().kickoff())


def test_a_missing_key_of_a_single_call(stub: Stub, jackstay_make_runtime: MakeRuntime) -> None:
    jackstay_make_runtime(environ={**stub.environ(), **NO_KEYS})

    text = refused(MissingKeyError, stub, lambda: LLM("gpt-4o-mini").call("hi"))

    assert text.startswith("OPENAI_API_KEY is not set (model gpt-4o-mini of LLM.call)")


def test_a_missing_key_of_the_default_model(stub: Stub, jackstay_make_runtime: MakeRuntime) -> None:
    jackstay_make_runtime(environ={**NO_KEYS, "MODEL": "gpt-4o", "JACKSTAY_MODEL": ""})

    text = refused(MissingKeyError, stub, lambda: crew(analyst(llm=None)).kickoff(inputs=BEES))

    assert "OPENAI_API_KEY" in text


def test_a_refused_key(stub: Stub, jackstay_make_runtime: MakeRuntime) -> None:
    key = "sk-wrong-0123456789abcdef"
    runtime = jackstay_make_runtime(environ={**stub.environ(), "OPENAI_API_KEY": key})

    text = refused(ModelAuthenticationFailed, stub, lambda: crew().kickoff(inputs=BEES), requests=1)

    assert "OPENAI_API_KEY" in text
    assert f"127.0.0.1:{stub.port}" in text
    assert "401" in text
    run = runtime.journal.runs(RunFilter())[0]
    stored = (run.error or "") + "".join(step.error or "" for step in runtime.journal.steps(run.id))
    assert stored
    assert key not in stored
    assert runtime.journal.path is not None
    runtime.journal.close()
    files = runtime.journal.path.parent.glob("jackstay.db*")
    assert not any(key.encode() in file.read_bytes() for file in files)


def test_an_unknown_prefix(stub: Stub) -> None:
    text = refused(UnknownModelError, stub, lambda: crew(analyst(llm="antropic/claude")).kickoff(inputs=BEES))

    assert "unknown provider 'antropic' in model 'antropic/claude' of agent 'Analyst'" in text
    assert "did you mean 'anthropic/…'" in text
    assert "base_url=" in text


def test_an_empty_model_name(stub: Stub) -> None:
    assert "gpt-4.1-mini" in refused(UnknownModelError, stub, lambda: crew(analyst(llm=" ")).kickoff(inputs=BEES))


def test_a_provider_whose_sdk_is_not_installed(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)  # the import system's own word for "not to be found"
    text = refused(MissingExtraError, stub, lambda: crew(analyst(llm="bedrock/some-model")).kickoff(inputs=BEES))

    assert "pip install 'jackstay[bedrock]'" in text


def test_a_bedrock_model_without_a_region(stub: Stub, jackstay_make_runtime: MakeRuntime) -> None:
    pytest.importorskip("boto3")
    jackstay_make_runtime(environ=stub.environ())

    text = refused(ConfigurationError, stub, lambda: crew(analyst(llm="bedrock/some-model")).kickoff(inputs=BEES))

    assert "set AWS_DEFAULT_REGION" in text


def test_an_llm_that_is_none(stub: Stub) -> None:
    text = refused(ConfigurationError, stub, lambda: analyst(llm=object()))

    assert "llm of agent 'Analyst' is a object" in text


# --- hosts --------------------------------------------------------------------------------------------------------


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_host_that_refuses(stub: Stub, closed_port: int) -> None:
    llm = LLM("gpt-4o-mini", base_url=f"http://127.0.0.1:{closed_port}/v1")

    text = refused(ModelConnectionFailed, stub, lambda: run_with(llm))

    assert f"cannot reach 127.0.0.1:{closed_port}" in text
    assert "no proxy" in text
    assert "the name resolved, connection refused after" in text


def test_a_host_that_does_not_resolve(stub: Stub) -> None:
    text = refused(
        ModelConnectionFailed, stub, lambda: run_with(LLM("gpt-4o-mini", base_url="http://no-such.invalid/v1"))
    )

    assert "cannot reach no-such.invalid" in text
    assert "the name does not resolve" in text
    assert " s" in text


def test_a_proxy_that_refuses(stub: Stub, closed_port: int, jackstay_make_runtime: MakeRuntime) -> None:
    proxy = {"http_proxy": f"http://user:pass@127.0.0.1:{closed_port}", "no_proxy": "", "NO_PROXY": ""}
    jackstay_make_runtime(environ={**stub.environ(), "OPENAI_API_KEY": "sk-good", **proxy}, retry=Retry(max_attempts=1))

    text = refused(
        ModelConnectionFailed, stub, lambda: run_with(LLM("gpt-4o-mini", base_url="http://model.example/v1"))
    )

    assert f"cannot reach model.example for model gpt-4o-mini through the proxy http://127.0.0.1:{closed_port}" in text
    assert "pass" not in text


def run_with(llm: LLM) -> Any:
    worker = analyst(llm=llm)
    return Crew(agents=[worker], tasks=[Task(description="D", expected_output="E", agent=worker)]).kickoff(inputs=BEES)


# --- definitions --------------------------------------------------------------------------------------------------


def test_a_task_without_an_agent() -> None:
    with pytest.raises(JackstayError, match=r"task 'Lonely work' has no agent; .*agent=…") as caught:
        Crew(agents=[analyst()], tasks=[Task(description="Lonely work", expected_output="E")])

    cause = caught.value.__cause__
    assert isinstance(cause, ValidationError)
    assert [error["type"] for error in cause.errors()] == ["missing_agent_in_task"]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Crew(agents=[], tasks=[]), "a crew needs tasks"),
        (lambda: Agent(role="A", goal="G"), "backstory"),
        (lambda: analyst(role=" "), "is empty; say in a few words who the agent is"),
        (lambda: analyst(max_iter=0), "max_iter"),
        (lambda: analyst(max_itter=3), "max_itter"),
        (lambda: Task(description="D"), "expected_output"),
        (lambda: Task(description="D", expected_output="E", output_file="../x"), "leaves the working directory"),
        (lambda: Task(description="D", expected_output="E", output_file="a;rm"), "characters of a shell"),
        (lambda: Task(description="D", expected_output="E", output_json=Out, output_pydantic=Out), "not both"),
        (lambda: Task(description="D", expected_output="E", output_json=Numbers), "Numbers is no JSON object"),
        (lambda: crew(context="all"), "'all' is no list of tasks; give context="),
        (lambda: crew(context=Task(description="D", expected_output="E")), "is no list of tasks"),
        (lambda: crew(context=[1]), "is no list of tasks"),
        (lambda: Crew(agents=[analyst()], tasks=[crew().tasks[0]], process=Process.hierarchical), "hierarchical"),
    ],
)
def test_what_cannot_be_constructed_says_why(make: Any, told: str) -> None:
    with pytest.raises(DefinitionError, match=told):
        make()


class Out(BaseModel):
    x: int


class Numbers(RootModel[list[int]]):
    pass


class Idle(BaseTool):
    name: str = "idle"
    description: str = "Has nothing to do."


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            FileReadTool,
            r"agent 'Analyst' has the class FileReadTool among its tools; give it an object: FileReadTool\(…\)",
        ),
        (Idle(), "the tool 'idle' does nothing: write _run"),
        ("search", "agent 'Analyst' has a tool that is a str"),
    ],
)
def test_what_is_no_tool_is_said_before_anything_is_asked(stub: Stub, given: Any, told: str) -> None:
    refused(DefinitionError, stub, lambda: crew(analyst(tools=[given])).kickoff(inputs=BEES))

    with pytest.raises(DefinitionError, match=told):
        crew(analyst(tools=[given])).kickoff(inputs=BEES)


@pytest.mark.parametrize(
    ("question", "form", "told"),
    [
        (None, None, "a NoneType is no question; give a text or a list of messages"),
        ("How high?", dict, "response_format=<class 'dict'> is no form of an answer; give a pydantic model class"),
        ("How high?", {"x": 1}, "response_format={'x': 1} is no form of an answer"),
    ],
)
def test_what_an_agent_cannot_be_asked(stub: Stub, question: Any, form: Any, told: str) -> None:
    worker = Agent(role="Analyst", goal="G", backstory="B", llm="gpt-4o-mini")

    assert told in refused(DefinitionError, stub, lambda: worker.kickoff(question, response_format=form))


def test_a_flow_that_listens_to_nothing() -> None:
    class Typo(Flow):
        @start()
        def begin(self) -> None: ...

        @listen("beginn")
        def after(self) -> None: ...

    with pytest.raises(
        DefinitionError, match=r"flow Typo: after listens to 'beginn', which is no method.*after, begin"
    ):
        Typo()


# --- inputs -------------------------------------------------------------------------------------------------------


@pytest.mark.promise("run.interpolation.missing")
def test_a_missing_variable(stub: Stub) -> None:
    text = refused(MissingVariableError, stub, lambda: crew().kickoff(inputs={"other": 1}))

    assert "'topic' in description of task 'First of {topic}' (inputs given: other)" in text
    assert "kickoff(inputs={'topic': …})" in text


@pytest.mark.promise("run.interpolation.missing")
def test_a_missing_variable_of_an_agent(stub: Stub) -> None:
    text = refused(MissingVariableError, stub, lambda: crew(analyst(backstory="{where}")).kickoff(inputs=BEES))

    assert "'where' in backstory of agent 'Analyst'" in text


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", float("inf"), {"deep": [object()]}])
def test_inputs_that_cannot_be_stored(stub: Stub, runtime: Runtime, value: Any) -> None:
    text = refused(InputsError, stub, lambda: crew().kickoff(inputs={"topic": "bees", "extra": value}))

    assert "extra" in text
    assert runtime.journal.runs(RunFilter()) == []


def test_inputs_of_a_flow_that_cannot_be_stored(stub: Stub) -> None:
    class Small(Flow):
        @start()
        def begin(self) -> str:
            return LLM("gpt-4o-mini").call("hi")  # type: ignore[no-any-return]

    text = refused(InputsError, stub, lambda: Small().kickoff(inputs={"deep": {"er": [object()]}}))

    assert "deep.er[0]" in text


def test_inputs_that_are_no_mapping(stub: Stub) -> None:
    with pytest.raises(TypeError, match="inputs must be a mapping of names to values, not str"):
        crew().kickoff(inputs="topic=bees")  # type: ignore[arg-type]
    assert stub.requests == []


@pytest.mark.parametrize(("items", "kind"), [(BEES, "dict"), ("bees", "str"), (None, "NoneType")])
def test_items_that_are_no_list(stub: Stub, items: Any, kind: str) -> None:
    text = refused(InputsError, stub, lambda: crew().kickoff_for_each(items))

    assert text == f"kickoff_for_each takes a list with the inputs of each item, not a {kind}"


@pytest.mark.parametrize("concurrency", [0, None, "2", 1.5])
def test_items_that_cannot_run_at_a_time(stub: Stub, concurrency: Any) -> None:
    text = refused(InputsError, stub, lambda: crew().kickoff_for_each([BEES], concurrency=concurrency))

    assert text.startswith(f"concurrency={concurrency!r}: give how many items run at a time")


def test_inputs_that_a_callback_has_spoilt_name_it(stub: Stub) -> None:
    def shouted(inputs: Any) -> Any:
        return str(inputs).upper()

    made = crew()
    made.before_kickoff_callbacks = [shouted]

    with pytest.raises(
        TypeError, match=r"the before_kickoff callback 'shouted' has left what cannot be inputs: .* not str"
    ):
        made.kickoff(inputs=BEES)
    assert stub.requests == []


@pytest.mark.parametrize("budget", [0.5, "0.50", {"usd": 1}])
def test_a_budget_that_is_none(stub: Stub, budget: Any) -> None:
    text = refused(ConfigurationError, stub, lambda: crew().kickoff(inputs=BEES, budget=budget))

    assert text == f"budget={budget!r}: give a Budget, as budget=Budget(usd='0.50')"


def test_a_run_that_does_not_exist(stub: Stub) -> None:
    text = refused(NotFoundError, stub, lambda: crew().kickoff(inputs=BEES, resume="01234"))

    assert "'jackstay runs' lists them" in text


# --- the place of the journal -------------------------------------------------------------------------------------


def at(url: str) -> dict[str, str]:
    return {"JACKSTAY_DATABASE_URL": url, "OPENAI_API_KEY": "sk-good"}


def test_a_database_newer_than_the_program(stub: Stub, jackstay_make_runtime: MakeRuntime, tmp_path: Path) -> None:
    path = tmp_path / "newer" / "jackstay.db"
    jackstay_make_runtime(environ=at(f"sqlite:///{path}")).journal.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("update jackstay_version set version_num = '9999'")
        connection.commit()
    runtime = jackstay_make_runtime(environ={**stub.environ(), **at(f"sqlite:///{path}")})

    text = refused(DatabaseTooNew, stub, lambda: crew().kickoff(inputs=BEES))

    assert "9999" in text
    assert str(path) in text
    assert runtime._journal is None


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("?mode=ro", "make the file and its folder writable"),
        ("?vfs=unix-dotfile", "a network drive"),
    ],
)
def test_a_database_that_cannot_be_written_or_has_no_wal(
    stub: Stub, jackstay_make_runtime: MakeRuntime, tmp_path: Path, question: str, told: str
) -> None:
    path = tmp_path / "there" / "jackstay.db"
    if question == "?mode=ro":
        jackstay_make_runtime(environ=at(f"sqlite:///{path}")).journal.close()
    jackstay_make_runtime(environ={**stub.environ(), **at(f"sqlite:///{path}{question}")})

    text = refused(StorageUnavailable, stub, lambda: crew().kickoff(inputs=BEES))

    assert told in text
    assert "JACKSTAY_DATABASE_URL" in text


@pytest.mark.prove  # it takes as long as a program waits for its database
def test_a_database_that_another_program_locks(stub: Stub, jackstay_make_runtime: MakeRuntime, tmp_path: Path) -> None:
    path = tmp_path / "locked.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("create table mine (id)")
        connection.execute("begin exclusive")
        jackstay_make_runtime(environ={**stub.environ(), **at(f"sqlite:///{path}")})

        text = refused(StorageUnavailable, stub, lambda: crew().kickoff(inputs=BEES))

    assert f"the journal at {path} cannot be used" in text
    assert "another program keeps it locked" in text


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"JACKSTAY_DATABASE_URL": "mysql://u:secret@h/db"}, "names 'mysql'; the journal needs sqlite:///"),
        ({"JACKSTAY_DATABASE_URL": "not an address"}, "is no database address; write sqlite:///"),
        ({"JACKSTAY_DURABILITY": "sometimes"}, "normal (safe against a killed process), full"),
    ],
)
def test_settings_that_cannot_be_used(stub: Stub, settings: dict[str, str], told: str, tmp_path: Path) -> None:
    def run() -> None:
        with Runtime(environ={**stub.environ(), "OPENAI_API_KEY": "sk-good", **settings}, folder=tmp_path):
            crew().kickoff(inputs=BEES)

    text = refused(ConfigurationError, stub, run)

    assert told in text
    assert "secret" not in text


# --- loading ------------------------------------------------------------------------------------------------------


def test_a_kickoff_at_module_level_while_a_project_loads(stub: Stub, tmp_path: Path) -> None:
    path = tmp_path / "project.py"
    path.write_text("answer = 1\nteam.kickoff(inputs={'topic': 'bees'})\n")

    def load() -> None:
        with loading("project.py"):
            exec(compile(path.read_text(), str(path), "exec"), {"team": crew(), "__name__": "project"})

    text = refused(KickoffWhileLoading, stub, load)

    assert f"{path}, line 2" in text
    assert 'if __name__ == "__main__":' in text


def test_errors_survive_json_and_notes(stub: Stub) -> None:
    """`str(e)` is plain text that a log line can hold."""
    text = refused(MissingVariableError, stub, lambda: crew().kickoff(inputs={"other": 1}))

    assert json.loads(json.dumps(text)) == text
    assert "\n" not in text
