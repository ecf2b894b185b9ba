"""`content`: a run goes on with what it has, and keeps as little of it as was asked when it has ended."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from jackstay import Agent, Crew, Flow, Runtime, Task, start
from jackstay.cli.app import app
from jackstay.core.records import RunFilter, RunRow
from jackstay.core.waits import Answer
from jackstay.errors import ConfigurationError, ContentForgotten, DefinitionError
from jackstay.journal import from_url, upgrade
from jackstay.journal.blobs import unpack
from jackstay.testing import Reply, Stub, StubRequest, tool_call
from jackstay.tools import tool

SAID = ("wherries", "luggers", "ketches")
"""In the inputs; of a tool; in the answer."""


def answer(request: StubRequest) -> Any:
    turn = sum(message.get("role") == "assistant" for message in request.body["messages"])
    return Reply("All about ketches") if turn else tool_call("look_up", word="boats")


@pytest.fixture
def stub():
    with Stub(answer) as running:
        yield running


@tool
def look_up(word: str) -> str:
    """Finds facts."""
    return f"{word}: luggers " + "and more " * 20_000  # long enough to stand outside of its row


def crew(**more: Any) -> Crew:
    analyst = Agent(role="Analyst", goal="Know", backstory="b", llm="gpt-4o-mini", tools=[look_up], max_retry_limit=0)
    task = {name: more.pop(name) for name in ("guardrail", "guardrail_max_retries") if name in more}
    mine = Task(
        name="research", description="Research {topic}", expected_output="Facts", agent=analyst,
        content=more.pop("of_task", None), **task,
    )  # fmt: skip
    return Crew(name="desk", agents=[analyst], tasks=[mine], **more)


class Around(Flow):
    inner: Callable[[], Crew] = staticmethod(crew)

    @start()
    def begin(self) -> str:
        return self.inner().kickoff(inputs={"topic": "wherries"}).raw


def left_in(folder: Path) -> list[str]:
    """What was said and still stands in one of the journal's files, now, with the runtime open."""
    files = b"".join(path.read_bytes() for path in (folder / ".jackstay").iterdir())
    return [word for word in SAID if word.encode() in files + rows_in(folder)]


def rows_in(folder: Path) -> bytes:
    """What a program finds that reads the journal."""
    with sqlite3.connect(f"file:{folder / '.jackstay' / 'jackstay.db'}?mode=ro", uri=True) as connection:
        long = b"".join(unpack(*row) for row in connection.execute("select encoding, bytes from blob"))
        return "".join(connection.iterdump()).encode() + long


def only_run(runtime: Runtime) -> RunRow:
    [run] = runtime.journal.runs(RunFilter())
    return run


def told(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.chdir(folder)
    ended = CliRunner(env={"HOME": str(folder)}).invoke(app, list(arguments))
    assert ended.exit_code in (0, 2), ended.output
    return ended.output


def project(folder: Path, level: str) -> None:
    (folder / "jackstay.toml").write_text(f'[content]\nstored = "{level}"\n')


def in_a_project(folder: Path, level: str) -> str:
    project(folder, level)
    return crew().kickoff({"topic": "wherries"}).raw


WAYS: dict[str, Callable[[Path, str], str]] = {
    "project": in_a_project,
    "crew": lambda folder, level: crew(content=level).kickoff({"topic": "wherries"}).raw,
    "task": lambda folder, level: crew(of_task=level).kickoff({"topic": "wherries"}).raw,
    "flow": lambda folder, level: Around(content=level).kickoff(),
    "crew in a flow": lambda folder, level: type("F", (Around,), {"inner": staticmethod(lambda: crew(content=level))})().kickoff(),
}  # fmt: skip


@pytest.mark.parametrize("level", ["hashes", "off"])
@pytest.mark.parametrize("way", WAYS)
def test_ended_run_has_its_bill_and_nothing_that_was_said(make_runtime, tmp_path, stub, way, level):
    runtime = make_runtime()

    result = WAYS[way](tmp_path, level)

    assert result == "All about ketches"
    assert left_in(tmp_path) == []
    steps = runtime.journal.steps(only_run(runtime).id)
    calls = [row for row in steps if row.kind == "llm"]
    assert sum(row.input_tokens + row.output_tokens for row in calls) == stub.total_usage().total_tokens
    assert {row.model for row in calls} == {"gpt-4o-mini"}
    hashes = {word for row in steps for word in (row.flags or "").split(",") if word.startswith("sha256:")}
    assert {row.result for row in steps} == {None}
    if level == "off":
        assert (hashes, {row.args_hash for row in steps}) == (set(), {""})
    else:
        kept = crew(content="full").kickoff({"topic": "wherries"})
        [said] = [row.result for row in runtime.journal.steps(kept.run_id) if row.kind == "tool"]
        assert f"sha256:{hashlib.sha256((said or '').encode()).hexdigest()}" in hashes
        assert {len(row.args_hash) for row in steps} == {64}


@pytest.mark.parametrize("level", ["hashes", "off"])
def test_run_without_content_is_shown_and_says_that_it_cannot_go_on(make_runtime, tmp_path, stub, monkeypatch, level):
    runtime = make_runtime()
    crew(content=level).kickoff({"topic": "wherries"}, run_key="k")
    run = only_run(runtime)

    for view in ("--tree", "--timeline", "--messages", "--json", "--mermaid", "--markdown"):
        assert told(tmp_path, monkeypatch, "show", run.id, view)
    assert told(tmp_path, monkeypatch, "log-tasks-outputs", "--json")
    assert "cannot be resumed or replayed" in told(tmp_path, monkeypatch, "why", run.id)
    with pytest.raises(ContentForgotten, match="cannot be resumed or replayed"):
        crew(content=level).kickoff({"topic": "wherries"}, run_key="k")
    with pytest.raises(ContentForgotten):
        crew(content=level).kickoff({"topic": "wherries"}, resume=run.id)
    assert len(stub.requests) == 2


@pytest.mark.parametrize("level", ["hashes", "off"])
def test_failed_run_is_erased_too_names_its_error_and_can_be_kicked_off_again_with_its_key(
    make_runtime, tmp_path, stub, monkeypatch, level
):
    runtime = make_runtime()
    refusing = {"guardrail": lambda output: (False, f"no {output.raw}"), "guardrail_max_retries": 0}

    with pytest.raises(Exception, match="ketches") as raised:
        crew(content=level, **refusing).kickoff({"topic": "wherries"}, run_key="nightly")

    assert left_in(tmp_path) == []
    assert [note for note in raised.value.__notes__ if "keeps no content" in note]
    assert not [note for note in raised.value.__notes__ if "jackstay resume" in note]
    failed = only_run(runtime)
    assert json.loads(failed.error or "")["type"].endswith("GuardrailFailed")
    why = told(tmp_path, monkeypatch, "why", failed.id)
    assert "GuardrailFailed" in why
    for told_of_it in (why, told(tmp_path, monkeypatch, "show", failed.id)):
        assert "resume it" not in told_of_it
        assert "then resume" not in told_of_it
        assert "jackstay resume" not in told_of_it
        assert "jackstay replay" not in told_of_it
        assert "cannot be resumed or replayed" in told_of_it
    assert crew(content=level).kickoff({"topic": "wherries"}, run_key="nightly").raw == "All about ketches"


class Asking(Flow):
    @start()
    def question(self) -> str:
        said = crew().kickoff(inputs={"topic": "wherries"}).raw
        return f"{said}, {self.ask('And?')}"


def test_run_that_waits_has_what_it_goes_on_with_until_it_ends(make_runtime, tmp_path, stub):
    project(tmp_path, "off")
    runtime = make_runtime(environ={**stub.environ(), "HOME": str(tmp_path), "JACKSTAY_CONSOLE": "off"})
    Asking().kickoff()
    run = only_run(runtime)
    waiting = left_in(tmp_path)
    [wait] = runtime.journal.open_waits()
    runtime.journal.answer_wait(wait, Answer("nothing").to_json(), by="me").result(10)

    result = Asking().kickoff(resume=run.id)

    assert waiting == ["wherries", "luggers", "ketches"]
    assert result == "All about ketches, nothing"
    assert len(stub.requests) == 2
    assert left_in(tmp_path) == []


def test_many_at_once_are_erased_and_others_keep_what_they_have(make_runtime, tmp_path, stub):
    runtime = make_runtime()
    kept = crew().kickoff({"topic": "yawls"})

    async def many() -> list[Any]:
        made = [crew(content="off") for _ in range(12)]
        return await asyncio.gather(*(each.akickoff({"topic": f"wherries {at}"}) for at, each in enumerate(made)))

    outputs = asyncio.run(many())

    assert {output.raw for output in outputs} == {"All about ketches"}
    # Not of the files: SQLite leaves copies of rows in pages that it splits.
    assert [word for word in SAID if word.encode() in rows_in(tmp_path)] == ["luggers", "ketches"]  # of the first one
    rows = runtime.journal.steps(kept.run_id)
    assert all(runtime.journal.messages(row.request_ref) for row in rows if row.request_ref)
    assert crew().kickoff({"topic": "yawls"}, resume=kept.run_id).raw == "All about ketches"


@pytest.mark.postgres
def test_on_postgresql_there_is_nothing_left_either(postgres_database, make_runtime, stub, tmp_path):
    upgrade(from_url(postgres_database))
    runtime = make_runtime(
        environ={**stub.environ(), "HOME": str(tmp_path), "JACKSTAY_DATABASE_URL": postgres_database}
    )

    crew(content="hashes").kickoff({"topic": "wherries"})

    run = only_run(runtime)
    steps = runtime.journal.steps(run.id)
    assert not [word for word in SAID if word in f"{run} {steps}"]
    assert sum("sha256:" in (row.flags or "") for row in steps) == 4
    assert runtime.journal.garbage().sizes == {}


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ('stored = "none"', r"jackstay.toml: content.stored is 'none'; it is one of full, hashes, off"),
        ("keep = 1", r"jackstay.toml: content.keep is unknown; the key is stored"),
    ],
)
def test_wrong_section_is_refused_before_anything_is_asked(make_runtime, tmp_path, stub, section, says):
    (tmp_path / "jackstay.toml").write_text(f"[content]\n{section}\n")
    make_runtime()

    with pytest.raises(ConfigurationError, match=says):
        crew().kickoff({"topic": "wherries"})

    assert stub.requests == []


def test_wrong_level_of_a_definition_is_refused(make_runtime):
    make_runtime()

    with pytest.raises(DefinitionError, match="content: Input should be 'full', 'hashes' or 'off'"):
        crew(content="none")
    with pytest.raises(ConfigurationError, match="content of flow Around is 'none'"):
        Around(content="none").kickoff()
