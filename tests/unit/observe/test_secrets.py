"""A secret in every place that can hold one: a run uses, stores, logs and shows none of them, and goes on with all."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from jackstay import LLM, Crew, Flow, Runtime, answer, cancel, decide, human_feedback, listen, start
from jackstay.cli.app import app
from jackstay.core.records import RunFilter
from jackstay.errors import HumanFeedbackPending, RunCancelled, RunWaiting
from jackstay.testing import Reply, ScriptedModel, Stub, tool_call
from jackstay.tools import call_context, tool
from tests.unit.crew.building import agent, one_task, prompts, task

CANARY = "canary-7f3a-91bc-EVERYWHERE"
ODD = 'canary"of\\odd/signs é'


class Place:
    """A folder with a runtime, whose environment has secrets; all that is stored or logged there."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.environ = {
            "HOME": str(folder),
            "JACKSTAY_CONSOLE": "off",
            "JACKSTAY_LOG_FILE": "run.json",
            "JACKSTAY_LOG_CONTENT": "on",
            **environ,
        }
        self.runtime = self.open()

    def open(self) -> Runtime:
        self.runtime = Runtime(folder=self.folder, environ=self.environ)
        return self.runtime.__enter__()

    def bytes(self) -> bytes:
        """Of every file, once all is written."""
        self.runtime.close()
        return b"\n".join(path.read_bytes() for path in sorted(self.folder.rglob("*")) if path.is_file())


@pytest.fixture
def place(tmp_path) -> Iterator[Place]:
    made = Place(tmp_path, VAULT_TOKEN=CANARY, ODD_PASSWORD=ODD)
    yield made
    made.runtime.close()


def none_in(text: bytes) -> bool:
    return not any(part in text for part in (b"canary-7f3a", b"of\\odd", b"of\\\\odd", "signs é".encode()))


@tool
def vault(name: str) -> str:
    """Opens the vault."""
    return f"{name}: {CANARY} and {ODD}"


@tool
def broken(name: str) -> str:
    """Fails."""
    raise ValueError(f"the vault refuses {CANARY}")


def test_secret_that_a_tool_returns_is_told_to_no_model_and_stored_and_logged_nowhere(place):
    model = ScriptedModel([tool_call("vault", name="a"), tool_call("broken", name="b"), "fine"])

    one_task(model, agent_fields={"tools": [vault, broken]}).kickoff()

    said = json.dumps([call.messages for call in model.calls], ensure_ascii=False)
    assert "a: [secret VAULT_TOKEN] and [secret ODD_PASSWORD]" in said
    assert "the vault refuses [secret VAULT_TOKEN]" in said
    assert none_in(said.encode())
    assert none_in(place.bytes())


def test_secret_in_inputs_and_prompts_is_masked_for_models_and_stored_nowhere(place):
    model = ScriptedModel(["fine"])

    one_task(model, "Use {key} and {odd}").kickoff(inputs={"key": CANARY, "odd": ODD})

    assert "Use [secret VAULT_TOKEN] and [secret ODD_PASSWORD]" in prompts(model)[0]
    assert none_in(place.bytes())


def test_secret_in_an_error_of_a_flow_reaches_the_caller_and_is_stored_and_logged_nowhere(place):
    class Leaky(Flow):
        @start()
        def leak(self) -> None:
            raise RuntimeError(f"no: {CANARY}")

    with pytest.raises(RuntimeError, match=CANARY):
        Leaky().kickoff()

    assert none_in(place.bytes())


class Keeping(Flow):
    fails = True

    @start()
    def take(self) -> str:
        self.state["key"] = CANARY
        return ODD

    @listen(take)
    def use(self, given: str) -> list[str]:
        if self.fails:
            raise RuntimeError("later")
        return [self.state["key"], given]


def test_resumed_flow_has_its_secrets_again_though_they_were_stored_nowhere(place, monkeypatch):
    with pytest.raises(RuntimeError, match="later"):
        Keeping().kickoff(inputs={"token": CANARY})
    [run] = place.runtime.journal.runs(RunFilter())
    stored = place.bytes()
    place.open()
    monkeypatch.setattr(Keeping, "fails", False)

    result = Keeping().kickoff(inputs={"token": CANARY}, resume=run.id)

    assert none_in(stored)
    assert result == [CANARY, ODD]
    assert none_in(place.bytes())


@pytest.mark.parametrize("how", ["answer", "resume", "command"])
def test_secret_in_a_persons_answer_is_stored_nowhere_and_the_run_has_it(place, monkeypatch, how):
    class Asking(Flow):
        @start()
        @human_feedback("The password?")
        def inquire(self) -> str:
            return "please"

        @listen("inquire")
        def end(self, said: Any) -> str:
            return str(said.feedback)

    said = f"it is {ODD}"
    assert isinstance(Asking().kickoff(run_key="k"), HumanFeedbackPending)

    if how == "resume":
        got = Asking.from_pending("k").resume(said)
    elif how == "answer":
        answer("k", said)
        got = Asking().kickoff(run_key="k")
    else:
        monkeypatch.chdir(place.folder)
        environ = {**place.environ, "JACKSTAY_DATABASE_URL": place.runtime.journal.url}
        assert CliRunner(env=environ).invoke(app, ["answer", "k", said]).exit_code == 0
        got = Asking().kickoff(run_key="k")

    assert got == said
    assert none_in(place.bytes())


def test_secret_in_a_persons_decision_is_told_to_no_model_and_stored_nowhere(place):
    @tool(side_effect=True)
    async def pay() -> str:
        """Pays."""
        cancel(call_context().run_id)
        await asyncio.Event().wait()
        return ""

    model = ScriptedModel([tool_call("pay"), "done"])
    made = one_task(model, agent_fields={"tools": [pay]})
    with pytest.raises(RunCancelled):
        made.kickoff(run_key="k")
    with pytest.raises(RunWaiting):
        made.kickoff(run_key="k")

    decide("k", "done", f"paid with {ODD}")

    assert made.kickoff(run_key="k").raw == "done"
    said = json.dumps([call.messages for call in model.calls], ensure_ascii=False)
    assert "paid with [secret ODD_PASSWORD]" in said
    assert none_in(said.encode())
    assert none_in(place.bytes())


def test_run_key_finds_its_run_by_inputs_with_a_secret(place):
    crew = one_task(ScriptedModel(["fine"]), "Use {key}")

    first = crew.kickoff(inputs={"key": CANARY}, run_key="nightly")
    second = crew.kickoff(inputs={"key": CANARY}, run_key="nightly")

    assert second.run_id == first.run_id


class Named(Flow):
    name = f"Desk {CANARY}"
    fails = True
    model: ScriptedModel

    @start()
    def begin(self) -> str:
        made = self.step(f"step {CANARY}", str, 1, key=CANARY)
        worker = agent(self.model)
        return made + Crew(name=CANARY, agents=[worker], tasks=[task(worker, name=f"Task {CANARY}")]).kickoff().raw

    @listen(begin)
    def end(self, given: str) -> str:
        if self.fails:
            raise RuntimeError("later")
        return given


def test_run_whose_names_and_key_have_a_secret_goes_on_where_it_stopped(place, monkeypatch):
    model = ScriptedModel(["fine"])
    monkeypatch.setattr(Named, "model", model, raising=False)
    with pytest.raises(RuntimeError, match="later"):
        Named().kickoff(run_key=f"key {CANARY}")
    stored = place.bytes()
    place.open()
    monkeypatch.setattr(Named, "fails", False)

    result = Named().kickoff(run_key=f"key {CANARY}")

    assert (result, len(model.calls)) == ("1fine", 1)
    assert b"canary_7f3a" not in stored.lower()
    assert none_in(stored)


def test_key_and_headers_of_a_model_are_nowhere_even_if_the_provider_repeats_them(tmp_path):
    with Stub(answer=lambda request: Reply(f"your key is {CANARY}, your team {ODD}")) as stub:
        place = Place(tmp_path, **{**stub.environ(), "OPENAI_API_KEY": ""})
        llm = LLM(
            "gpt-4o-mini",
            api_key=CANARY,
            base_url=stub.openai_url,
            default_headers={"X-Team-Secret": "canary-7f3a-team"},
        )
        place.runtime.masked.learn([("team", ODD)])
        worker = agent(llm)

        Crew(agents=[worker], tasks=[task(worker)]).kickoff()

        assert none_in(place.bytes())


def test_headers_and_variables_of_mcp_servers_are_secrets(place):
    pytest.importorskip("mcp")
    from jackstay.tools.mcp import MCPServerHTTP, MCPServerStdio

    servers = [
        MCPServerHTTP(url="https://127.0.0.1:9/", headers={"Authorization": f"Bearer {CANARY}-http"}, timeout_s=1),
        MCPServerStdio(command="/nonexistent", env={"VENDOR_KEY": f"{CANARY}-stdio"}),
    ]
    for server in servers:
        worker = agent(ScriptedModel(["fine"]), mcps=[server])
        with pytest.raises(Exception):  # noqa: B017 - nobody answers there; what is stored of it counts
            Crew(agents=[worker], tasks=[task(worker)]).kickoff()

    known = place.runtime.masked.secrets
    assert known.masked(f"{CANARY}-http") == "[secret header Authorization]"
    assert known.masked(f"{CANARY}-stdio") == "[secret VENDOR_KEY]"
    assert none_in(place.bytes())


def test_key_that_the_program_sets_later_is_known_at_the_next_kickoff(tmp_path, monkeypatch):
    monkeypatch.setenv("JACKSTAY_LOG_FILE", "")
    model = ScriptedModel(["fine", "fine"])
    with Runtime(folder=tmp_path) as runtime:
        crew = one_task(model, f"Use {CANARY}")
        crew.kickoff()
        monkeypatch.setenv("LATE_API_KEY", CANARY)
        crew.kickoff()
        assert runtime.environ["LATE_API_KEY"] == os.environ["LATE_API_KEY"]

    assert CANARY in prompts(model)[0]
    assert "Use [secret LATE_API_KEY]" in prompts(model)[1]


def test_personal_data_is_stored_as_it_is_since_the_run_goes_on_with_it(place):
    output = one_task(ScriptedModel(["write to bob@example.com"])).kickoff()

    assert output.raw == "write to bob@example.com"
    stored = place.bytes()
    assert stored.count(b"bob@example.com") > 0
    assert b"bob@example.com" not in (place.folder / "run.json").read_bytes()


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ("entities = ['EMAIL']", r"masking\.entities has 'EMAIL', which nothing can find; known are API_KEY"),
        ("words = 1", r"masking\.words is unknown; the keys are entities"),
        ("patterns = { A = '(' }", r"masking\.patterns\.A is no regular expression"),
        ("patterns = { A = 'x*' }", r"masking\.patterns\.A matches nothing at all"),
        ("secrets = 'A'", r"masking\.secrets is no list of names"),
    ],
)
def test_wrong_section_is_refused_before_anything_runs(tmp_path, section, says):
    (tmp_path / "jackstay.toml").write_text(f"[masking]\n{section}\n")
    model = ScriptedModel(["fine"])

    with Runtime(folder=tmp_path, environ={"HOME": str(tmp_path)}), pytest.raises(ValueError, match=says):
        one_task(model).kickoff()

    assert model.calls == []


def test_section_names_further_secrets_and_forms(tmp_path):
    (tmp_path / "jackstay.toml").write_text(
        "[masking]\nentities = ['US_SSN']\nsecrets = ['PARTNER_CODE']\npatterns = { CASE = 'CASE-\\d+' }\n".replace(
            "\\\\", "\\"
        )
    )
    environ: dict[str, Any] = {"HOME": str(tmp_path), "PARTNER_CODE": "partner-code-1"}

    with Runtime(folder=tmp_path, environ=environ) as runtime:
        shown = runtime.masked.now.text("partner-code-1 CASE-77 123-45-6789 bob@example.com")

    assert shown == "[secret PARTNER_CODE] <CASE> <US_SSN> bob@example.com"
