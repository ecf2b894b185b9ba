"""Tools of MCP servers: a real server process over standard input and output, and one on loopback over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from jackstay import Crew, Process, Runtime, Task
from jackstay.core.records import RunFilter, StepRow
from jackstay.errors import DefinitionError, MissingExtraError, ToolExecutionFailedError, ToolServerUnavailable
from jackstay.testing import ScriptedModel, tool_call
from jackstay.tools import tool
from jackstay.tools.mcp import (
    MCPServerHTTP,
    MCPServerSSE,
    MCPServerStdio,
    create_dynamic_tool_filter,
    create_static_tool_filter,
)
from tests.programs import mcp_server
from tests.unit.crew.building import agent, crew, one_task, task

PROGRAM = str(Path(mcp_server.__file__))


@pytest.fixture(autouse=True)
def runtime(jackstay_runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    monkeypatch.chdir(jackstay_runtime.folder)
    return jackstay_runtime


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


def stdio(ledger: Path | None = None, **more: Any) -> MCPServerStdio:
    env = {"MCP_KEY": "k", **({"MCP_LEDGER": str(ledger)} if ledger else {})}
    fields = {"command": sys.executable, "args": [PROGRAM], "env": env, "side_effects": [], **more}
    return MCPServerStdio(**fields)


class Loopback:
    """An application on a port of its own."""

    def __init__(self, app: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=0)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(self, *_: Any) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()


class Recording:
    """Notes the headers of requests on their way to an application."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.headers: list[dict[bytes, bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.headers.append(dict(scope["headers"]))
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server for all tests that do not look at its process."""
    with Loopback(mcp_server.server.streamable_http_app()) as url:
        yield f"{url}/mcp"


def at(address: str, **more: Any) -> MCPServerHTTP:
    return MCPServerHTTP(url=address, **{"side_effects": [], **more})


def lines(ledger: Path) -> list[str]:
    return ledger.read_text(encoding="utf-8").splitlines() if ledger.exists() else []


def steps(runtime: Runtime) -> dict[str, StepRow]:
    run = runtime.journal.runs(RunFilter())[0]
    return {row.path: row for row in runtime.journal.steps(run.id)}


def names(model: ScriptedModel) -> list[str]:
    """The tools that the last call offered."""
    return sorted(one["function"]["name"] for one in model.calls[-1].tools)


def told(model: ScriptedModel) -> str:
    return str(model.calls[-1].messages[-1]["content"])


def using(model: Any, *servers: Any, **more: Any) -> Any:
    return one_task(model, agent_fields={"mcps": list(servers), **more})


# --- a program -----------------------------------------------------------------------------------------------------


@pytest.mark.promise("agent.mcps", "tool.mcp")
def test_a_programs_tools_are_offered_and_called_and_each_call_is_a_step(runtime: Runtime, ledger: Path) -> None:
    model = ScriptedModel([tool_call("tide", place="Brest"), tool_call("note", text="low"), "done"])

    output = using(model, stdio(ledger)).kickoff()

    assert output.raw == "done"
    assert names(model) == ["note", "sink", "stop_it", "tide"]
    offered = {one["function"]["name"]: one["function"] for one in model.calls[0].tools}["tide"]
    assert offered["description"] == "The height of the tide."
    assert offered["parameters"]["required"] == ["place"]
    assert model.calls[1].messages[-1]["content"] == "Brest at 6: 3.2 m"
    rows = steps(runtime)
    assert rows["do_it#1/tool:tide#1"].result == '{"text":"Brest at 6: 3.2 m"}'
    listed = [row for path, row in rows.items() if path.startswith("@tools:")]
    assert [(row.kind, row.status, len(json.loads(row.result or ""))) for row in listed] == [("input", "succeeded", 4)]


def test_one_process_serves_a_kickoff_and_ends_with_it(runtime: Runtime, ledger: Path) -> None:
    model = ScriptedModel([tool_call("note", text="a"), "done", tool_call("note", text="b"), "done"])
    worker = agent(model, mcps=[stdio(ledger)])

    crew(task(worker, "First"), task(worker, "Second")).kickoff()

    assert lines(ledger) == ["started", "a", "b"]


def test_a_server_is_given_its_own_variables_and_not_those_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_OTHER", "secret")
    model = ScriptedModel([tool_call("note", text="x"), "done"])

    using(model, stdio()).kickoff()

    assert told(model) == "noted x, key k, other None"


def test_a_tool_that_fails_is_a_typed_failure(runtime: Runtime, address: str) -> None:
    model = ScriptedModel([tool_call("sink", place="Brest"), "done"])

    output = using(model, at(address)).kickoff()

    assert "no harbour at Brest" in told(model)
    [failure] = output.tool_failures
    assert (failure.tool_name, failure.reason, failure.error_type) == (
        "sink", "tool_reported", "jackstay.errors:ToolFailure",
    )  # fmt: skip


def test_a_tool_that_fails_ends_the_task_where_that_is_the_policy(address: str) -> None:
    model = ScriptedModel([tool_call("sink", place="Brest")])

    with pytest.raises(ToolExecutionFailedError, match="no harbour at Brest"):
        using(model, at(address), tool_failure_policy="raise").kickoff()


def test_missing_arguments_are_said_before_the_server_is_asked(address: str) -> None:
    model = ScriptedModel([tool_call("tide", hour=3), "done"])

    output = using(model, at(address)).kickoff()

    assert "place: required, and not given" in told(model)
    assert [failure.reason for failure in output.tool_failures] == ["invalid_input"]


def test_a_server_that_dies_is_started_again_for_the_next_call(ledger: Path) -> None:
    model = ScriptedModel([tool_call("stop_it"), tool_call("note", text="back"), "done"])

    output = using(model, stdio(ledger)).kickoff()

    assert lines(ledger) == ["started", "started", "back"]
    [failure] = output.tool_failures
    assert (failure.tool_name, failure.code) == ("stop_it", "tool_server")


def test_an_awaited_kickoff_has_its_connection_on_the_callers_loop(ledger: Path) -> None:
    model = ScriptedModel([tool_call("note", text="a"), "done"])

    async def main() -> Any:
        output = await using(model, stdio(ledger)).akickoff()
        left = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
        return output.raw, left

    assert asyncio.run(main()) == ("done", [])
    assert lines(ledger) == ["started", "a"]


def test_a_coworker_has_its_servers_tools_too(address: str) -> None:
    asks = tool_call("ask_question_to_coworker", question="How high?", context="", coworker="Pilot")
    chief, pilot = ScriptedModel([asks, "done"]), ScriptedModel([tool_call("tide", place="Brest"), "3.2 m"])
    worker = agent(chief, "Chief", allow_delegation=True)
    made = crew(task(worker))
    made.agents.append(agent(pilot, "Pilot", mcps=[at(address)]))

    assert made.kickoff().raw == "done"
    assert told(pilot) == "Brest at 6: 3.2 m"
    assert names(chief) == ["ask_question_to_coworker", "delegate_work_to_coworker"]


def test_a_tasks_own_tools_stand_beside_those_of_the_agents_servers(address: str) -> None:
    @tool
    def own() -> str:
        """Own."""
        return ""

    model = ScriptedModel(["done"])
    crew(task(agent(model, mcps=[at(address, tool_filter=create_static_tool_filter(["tide"]))]), tools=[own])).kickoff()

    assert names(model) == ["own", "tide"]


# --- which tools ---------------------------------------------------------------------------------------------------


def only_for_analysts(context: Any, tool: Any) -> bool:
    return context.agent.role == "Analyst" and bool(tool["inputSchema"].get("required"))


async def short(tool: Any) -> bool:
    return len(tool["name"]) == 4


@pytest.mark.promise("tool.mcp")
@pytest.mark.parametrize(
    ("tool_filter", "expected"),
    [
        (create_static_tool_filter(allowed_tool_names=["tide", "Stop it"]), ["stop_it", "tide"]),
        (create_static_tool_filter(blocked_tool_names=["stop_it", "note"]), ["sink", "tide"]),
        (create_dynamic_tool_filter(only_for_analysts), ["note", "sink", "tide"]),
        (short, ["note", "sink", "tide"]),
        (lambda context, tool: False, []),
    ],
)
@pytest.mark.promise("tool.mcp")
def test_filters_say_which_tools_an_agent_sees(tool_filter: Any, expected: list[str], address: str) -> None:
    model = ScriptedModel(["done"])

    using(model, at(address, tool_filter=tool_filter)).kickoff()

    assert names(model) == expected


def test_a_name_stands_before_the_names_of_its_tools(address: str) -> None:
    model = ScriptedModel([tool_call("second_tide", place="Brest"), "done"])
    only = create_static_tool_filter(["tide"])

    using(model, at(address, tool_filter=only), at(address, tool_filter=only, name="Second")).kickoff()

    assert names(model) == ["second_tide", "tide"]
    assert told(model) == "Brest at 6: 3.2 m"


def test_two_tools_of_one_name_are_refused_before_anything_is_asked(address: str) -> None:
    model = ScriptedModel(["done"])

    with pytest.raises(DefinitionError, match=r"agent 'Analyst' has two tools that models see as 'tide'.*name=…"):
        using(model, at(address), at(address, headers={"other": "one"})).kickoff()
    assert model.calls == []


def test_tools_that_act_are_named_and_have_their_intent(runtime: Runtime, address: str) -> None:
    model = ScriptedModel([tool_call("note", text="x"), "done"])

    using(model, at(address, side_effects=["note"])).kickoff()

    assert "side_effect" in (steps(runtime)["do_it#1/tool:note#1"].flags or "")


def test_a_mark_that_no_tool_has_is_refused_before_anything_is_asked(address: str) -> None:
    model = ScriptedModel(["done"])

    with pytest.raises(
        DefinitionError, match=r"127\.0\.0\.1.* has no tool 'notes', which is in side_effects; it has .*note"
    ):
        using(model, at(address, side_effects=["notes", "tide"])).kickoff()
    assert model.calls == []


def test_a_filter_that_lets_through_what_there_is_not_is_warned_of(address: str) -> None:
    model = ScriptedModel(["done"])

    with pytest.warns(UserWarning, match="has no tool 'tides' that a filter could let through; it has .*tide"):
        using(model, at(address, tool_filter=create_static_tool_filter(["tides", "stop_it"]))).kickoff()
    assert names(model) == ["stop_it"]


def test_tools_that_sound_as_if_they_acted_are_warned_of(address: str) -> None:
    only = create_static_tool_filter(["publish"])
    mcp_server.server.add_tool(lambda: "", name="publish", description="Publishes.")
    try:
        with pytest.warns(UserWarning, match=r"'publish' sounds as if it acted.*side_effects="):
            using(ScriptedModel(["done"]), MCPServerHTTP(url=address, tool_filter=only)).kickoff()
    finally:
        mcp_server.server.remove_tool("publish")


# --- resumed and replayed --------------------------------------------------------------------------------------------


def gone(server: MCPServerStdio) -> None:
    """The very same server, which cannot be started any more: a frozen definition is told nothing else."""
    server.env["MCP_LEDGER"] = "\0"  # type: ignore[index]


def test_a_resumed_run_needs_no_server_for_what_is_recorded() -> None:
    server = stdio()
    broken = ScriptedModel([tool_call("tide", place="Brest"), RuntimeError("the model broke")])
    made = using(broken, server)
    with pytest.raises(RuntimeError, match="the model broke") as failed:
        made.kickoff()
    gone(server)
    broken.add("done")

    output = made.kickoff(resume=failed.value.run_id)  # type: ignore[attr-defined]

    assert output.raw == "done"
    assert broken.calls[-1].messages[-1]["content"] == "Brest at 6: 3.2 m"


def test_a_resumed_run_starts_the_server_for_a_call_that_is_not_recorded(ledger: Path) -> None:
    model = ScriptedModel([tool_call("tide", place="Brest"), RuntimeError("the model broke")])
    made = using(model, stdio(ledger))
    with pytest.raises(RuntimeError) as failed:
        made.kickoff()
    model.add(tool_call("note", text="again"), "done")

    made.kickoff(resume=failed.value.run_id)  # type: ignore[attr-defined]

    assert lines(ledger) == ["started", "started", "again"]


def test_a_replay_takes_the_list_of_tools_from_the_record() -> None:
    server = stdio()
    model = ScriptedModel([tool_call("tide", place="Brest"), "first", "second", "third"])
    worker = agent(model, mcps=[server])
    made = crew(task(worker, "First"), task(worker, "Second"))
    made.kickoff()
    gone(server)

    assert made.replay("second").raw == "third"
    assert names(model) == ["note", "sink", "stop_it", "tide"]


def test_other_tools_of_a_server_make_another_question(ledger: Path) -> None:
    """The schemas of its tools are part of what a model is asked."""
    first, second = ScriptedModel(["done"]), ScriptedModel(["done"])
    made = using(first, stdio(ledger, tool_filter=create_static_tool_filter(["tide"])))
    other = using(second, stdio(ledger, tool_filter=create_static_tool_filter(["note"])))

    assert made.fingerprint != other.fingerprint
    assert made.fingerprint != using(first).fingerprint
    assert using(first).fingerprint == one_task(first).fingerprint


def test_no_secret_of_a_server_is_in_the_definition_or_the_record(runtime: Runtime) -> None:
    server = stdio(env={"MCP_KEY": "s3cret"})
    made = using(ScriptedModel(["done"]), server)

    made.kickoff()

    assert "s3cret" not in repr(server) + json.dumps(made.outline())
    assert "s3cret" not in (runtime.folder / "jackstay.db").read_bytes().decode("latin-1")


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_server_that_cannot_be_started_is_named_before_anything_is_asked(runtime: Runtime) -> None:
    model = ScriptedModel(["done"])

    with pytest.raises(ToolServerUnavailable, match=r"the MCP server nowhere cannot be used: FileNotFoundError"):
        using(model, MCPServerStdio(command="/nowhere")).kickoff()

    assert model.calls == []


def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    silent = MCPServerStdio(command=sys.executable, args=["-c", "import sys; sys.stdin.read()"], timeout_s=0.2)

    with pytest.raises(ToolServerUnavailable, match=r"no connection within 0\.2 s"):
        using(ScriptedModel(["done"]), silent).kickoff()


def test_a_cancelled_kickoff_leaves_nothing_of_its_connection(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    says_nothing = f"import os, pathlib, sys; pathlib.Path({str(pid)!r}).write_text(str(os.getpid())); sys.stdin.read()"
    silent = MCPServerStdio(command=sys.executable, args=["-c", says_nothing])

    async def main() -> Any:
        running = asyncio.create_task(using(ScriptedModel(["done"]), silent).akickoff())
        while not (pid.exists() and pid.read_text()):
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running], timeout=20)
        return running.cancelled(), [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]

    assert asyncio.run(main()) == (True, [])
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_missing_sdk_is_said_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'jackstay\[mcp\]'"):
        using(ScriptedModel(["done"]), stdio()).kickoff()


@pytest.mark.parametrize("given", ["http://example.org/mcp", "crewai-amp:tides", 3])
def test_what_is_no_server_is_refused_where_it_is_written(given: Any) -> None:
    with pytest.raises(DefinitionError, match=r"agent 'Analyst' has mcps=.*https://"):
        agent(ScriptedModel(), mcps=[given])


# --- at a URL --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["http", "sse"])
def at_url(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Recording]]:
    over_http = request.param == "http"
    app = Recording(mcp_server.server.streamable_http_app() if over_http else mcp_server.server.sse_app())
    with Loopback(app) as url:
        headers = {"Authorization": "Bearer t"}
        made = (
            MCPServerHTTP(url=f"{url}/mcp", headers=headers)
            if over_http
            else MCPServerSSE(url=f"{url}/sse", headers=headers)
        )
        yield made, app


@pytest.mark.promise("tool.mcp")
def test_a_server_at_a_url_is_asked_with_its_headers(at_url: tuple[Any, Recording]) -> None:
    server, seen = at_url
    model = ScriptedModel([tool_call("tide", place="Brest", hour=9), "done"])

    using(model, server).kickoff()

    assert told(model) == "Brest at 9: 3.2 m"
    assert seen.headers
    assert all(each[b"authorization"] == b"Bearer t" for each in seen.headers)


def test_a_manager_has_no_servers() -> None:
    boss = agent(ScriptedModel(), "Boss", mcps=["https://example.org/mcp"])

    with pytest.raises(DefinitionError, match="the manager 'Boss' has tools"):
        Crew(
            agents=[agent(ScriptedModel())],
            tasks=[Task(description="x", expected_output="y")],
            process=Process.hierarchical,
            manager_agent=boss,
        )


def test_a_copy_has_a_list_of_servers_of_its_own() -> None:
    made = using(ScriptedModel(), "https://example.org/mcp")

    made.copy().agents[0].mcps.append("https://example.org/other")

    assert made.agents[0].mcps == ["https://example.org/mcp"]
    assert made.copy().fingerprint == made.fingerprint


@pytest.mark.promise("agent.mcps")
def test_an_address_is_a_server_and_may_name_one_tool() -> None:
    made = agent(ScriptedModel(), mcps=["https://example.org/mcp", "https://example.org/mcp#tide"])

    whole, one = made.to_spec({}).servers

    assert whole == MCPServerHTTP(url="https://example.org/mcp")
    assert one == MCPServerHTTP(url="https://example.org/mcp", tool_filter=create_static_tool_filter(["tide"]))
