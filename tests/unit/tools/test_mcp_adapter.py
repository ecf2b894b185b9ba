"""`MCPServerAdapter`: tools of servers as objects, for as long as its block lasts."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import StdioServerParameters

from jackstay.errors import DefinitionError, ToolFailure, ToolServerUnavailable
from jackstay.testing import ScriptedModel, tool_call
from jackstay.tools import MCPServerAdapter
from jackstay.tools.mcp import MCPServerStdio
from tests.programs import mcp_server
from tests.unit.crew.building import one_task
from tests.unit.tools.test_mcp import Loopback, lines, stdio

PROGRAM = str(Path(mcp_server.__file__))
NAMES = ["tide", "note", "sink", "stop_it"]


@pytest.fixture(autouse=True)
def _nothing_is_left(jackstay_runtime: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(jackstay_runtime.folder)
    yield
    assert [thread for thread in threading.enumerate() if thread.name == "jackstay-mcp"] == []


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Loopback(mcp_server.server.streamable_http_app()) as made:
        yield f"{made}/mcp"


@pytest.mark.promise("tool.mcp.adapter")
def test_one_connection_serves_kickoffs_and_direct_calls_until_the_block_ends(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    server = StdioServerParameters(command=sys.executable, args=[PROGRAM], env={"MCP_LEDGER": str(ledger)})
    model = ScriptedModel([tool_call("tide", place="Kiel"), "high", tool_call("tide", place="Husum", hour=9), "higher"])

    with MCPServerAdapter(server, side_effects=["note"]) as tools:
        crew = one_task(model, agent_fields={"tools": tools})
        outputs = [crew.kickoff().raw, asyncio.run(crew.akickoff()).raw]
        direct = tools["tide"].run(place="Kiel")

    assert [tool.name for tool in tools] == NAMES
    assert [tool.side_effect for tool in tools] == [False, True, False, False]
    assert outputs == ["high", "higher"]
    assert "Husum at 9: 3.2 m" in str(model.calls[-1].messages)
    assert direct == "Kiel at 6: 3.2 m"
    assert lines(ledger) == ["started"]
    with pytest.raises(DefinitionError, match="has been stopped; kick off inside its with block"):
        tools["tide"].run(place="Kiel")


@pytest.mark.promise("tool.mcp.adapter")
def test_names_choose_tools_and_failures_are_those_of_tools(url: str) -> None:
    adapter = MCPServerAdapter([{"url": url}], "sink", "Stop it", side_effects=[])
    try:
        assert [tool.name for tool in adapter.tools] == ["sink", "stop_it"]
        with pytest.raises(ToolFailure, match="no harbour at Bern"):
            adapter.tools["sink"].run(place="Bern")
        with pytest.raises(KeyError, match="there is no tool 'tide'; there is sink, stop_it"):
            adapter.tools["tide"]
    finally:
        adapter.stop()
        adapter.stop()


def test_a_name_that_no_server_has_is_refused_and_nothing_is_left_open(url: str) -> None:
    with pytest.raises(DefinitionError, match="no server has a tool 'tides'; of the wanted ones there is tide"):
        MCPServerAdapter({"url": url, "transport": "streamable-http"}, "tide", "tides")


def test_marks_are_of_any_of_the_servers_and_one_that_is_of_none_is_refused(url: str) -> None:
    mcp_server.server.add_tool(lambda: "", name="extra", description="Only one server has it.")
    try:
        with MCPServerAdapter([{"url": url}, stdio(name="other")], side_effects=["extra"]) as tools:
            assert [tool.name for tool in tools if tool.side_effect] == ["extra"]
    finally:
        mcp_server.server.remove_tool("extra")
    with pytest.raises(DefinitionError, match="the MCPServerAdapter has no tool 'notes', which is in side_effects"):
        MCPServerAdapter({"url": url}, side_effects=["notes"])


def test_a_server_that_cannot_be_started_is_said_and_nothing_is_left_open() -> None:
    with pytest.raises(ToolServerUnavailable, match="the MCP server no-such-program cannot be used"):
        MCPServerAdapter(MCPServerStdio(command="no-such-program"))


@pytest.mark.parametrize(
    "given", ["https://tides.example", {"command": "x"}, 3, {"url": "http://x", "transport": "ws"}]
)
def test_what_is_no_server_is_refused(given: Any) -> None:
    with pytest.raises(DefinitionError, match="MCPServerAdapter: "):
        MCPServerAdapter(given)
