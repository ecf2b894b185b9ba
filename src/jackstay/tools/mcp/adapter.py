"""`MCPServerAdapter`: servers' tools as objects, for as long as the block lasts. CrewAI's name.

`mcps=` of an agent opens its servers for each kickoff, and records which tools they have. Here the connections are opened once,
live on a loop of their own, and serve any number of kickoffs and direct calls.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from jackstay.core.specs import AgentSpec, ModelConfig, ToolDef
from jackstay.engine.loop import EngineLoop, Start
from jackstay.errors import DefinitionError
from jackstay.tools.base_tool import BaseTool
from jackstay.tools.mcp.connection import CLOSE_WAIT_S, McpConnection, check_marks
from jackstay.tools.mcp.filters import StaticToolFilter
from jackstay.tools.mcp.servers import CONNECT_TIMEOUT_S, MCPServer, MCPServerHTTP, MCPServerSSE, MCPServerStdio
from jackstay.tools.naming import tool_name

_TRANSPORTS = {"sse": MCPServerSSE, "streamable-http": MCPServerHTTP, "streamable_http": MCPServerHTTP}
# Filters by name ask nobody who it is.
_NOBODY = AgentSpec(role="", goal="", backstory="", model=ModelConfig("none"))


class ServerTools(list[BaseTool]):
    """Tools by position or by name."""

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return super().__getitem__(key)
        found = next((tool for tool in self if tool.name == key), None)
        if found is None:
            raise KeyError(f"there is no tool {key!r}; there is {', '.join(tool.name for tool in self) or 'none'}")
        return found


class MCPServerAdapter:
    """Connects to one server or several, and gives their tools: `with MCPServerAdapter(server) as tools: …`

    `serverparams`: what the SDK calls `StdioServerParameters`, `{"url": …, "transport": "streamable-http" | "sse", "headers": …}`
    (without `transport`: SSE where the path ends with /sse), an `MCPServerStdio`, `MCPServerHTTP` or `MCPServerSSE`, or a list of
    these. `tool_names`: only these tools, by the servers' names. `connect_timeout`: seconds. `side_effects`: those of the tools
    that act on the world, by the servers' names; no call of them is ever repeated by itself. It is connected once made; `stop`
    ends it. Raises `ToolServerUnavailable`, `DefinitionError` for parameters that are none and names that no tool has.
    """

    def __init__(
        self,
        serverparams: Any,
        *tool_names: str,
        connect_timeout: float = CONNECT_TIMEOUT_S,
        side_effects: frozenset[str] | set[str] | list[str] | None = None,
    ) -> None:
        several = serverparams if isinstance(serverparams, list | tuple) else [serverparams]
        given = {
            "timeout_s": connect_timeout,
            "tool_filter": StaticToolFilter(allowed=tool_names) if tool_names else None,
            "side_effects": None if side_effects is None else frozenset(side_effects),
        }
        self._connections = [McpConnection(_server(one, given), is_alone=False) for one in several]
        self._loop = EngineLoop("jackstay-mcp")
        self._open = True
        try:
            self._tools = ServerTools(tool for connection in self._connections for tool in self._tools_of(connection))
            _check_names(self._tools, tool_names)
            check_marks(
                side_effects, [name for each in self._connections for name in each.names], "the MCPServerAdapter"
            )
        except BaseException:
            self.stop()
            raise

    @property
    def tools(self) -> ServerTools:
        """The tools of all servers, in the servers' order."""
        return self._tools

    def stop(self) -> None:
        """Ends the connections, and the servers that it has started. May be called twice."""
        if not self._open:
            return
        self._open = False
        closing = [self._loop.submit(connection.close) for connection in self._connections if connection.is_open]
        for job in closing:
            job.future.result(CLOSE_WAIT_S + 1)
        self._loop.close()

    def __enter__(self) -> ServerTools:
        return self._tools

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _tools_of(self, connection: McpConnection) -> list[BaseTool]:
        found = self._loop.submit(lambda: connection.tools(_NOBODY)).future.result()
        return [_ServerTool.of(made, self) for made in connection.tool_defs(found)]

    async def _asked(self, start: Start[Any]) -> Any:
        """What a coroutine on the connections' loop comes to; a cancel of who waits stops it."""
        if not self._open:
            raise DefinitionError(
                "the MCPServerAdapter of this tool has been stopped; kick off inside its with block, or name the server in "
                "mcps= of the agent"
            )
        job = self._loop.submit(start)
        try:
            return await asyncio.shield(asyncio.wrap_future(job.future))
        except asyncio.CancelledError:
            job.cancel()
            raise


class _ServerTool(BaseTool):
    """A tool of a server."""

    _made: Any = None
    _adapter: Any = None

    @classmethod
    def of(cls, made: ToolDef, adapter: MCPServerAdapter) -> BaseTool:
        spec = made.spec
        tool = cls(
            name=spec.name,
            description=spec.description,
            args_schema=dict(spec.parameters),
            side_effect=made.side_effect,  # the connection has warned of those that sound as if they were
        )
        tool._made, tool._adapter = made, adapter
        return tool

    async def _arun(self, **arguments: Any) -> Any:
        return await self._adapter._asked(lambda: self._made.call(**arguments))


def _server(given: Any, common: Mapping[str, Any]) -> MCPServer:
    if isinstance(given, MCPServer):
        update = {name: value for name, value in common.items() if value is not None}
        return given.model_copy(update=update)
    if isinstance(given, Mapping) and "url" in given:
        fields = dict(given)
        transport = fields.pop("transport", None) or ("sse" if _ends_with_sse(fields["url"]) else "streamable-http")
        if transport not in _TRANSPORTS:
            raise DefinitionError(f"MCPServerAdapter: the transport {transport!r} is none of sse and streamable-http")
        known = {name: fields.pop(name) for name in ("url", "headers") if name in fields}
        if fields:
            warnings.warn(f"MCPServerAdapter: {', '.join(sorted(fields))} of a server has no effect", stacklevel=3)
        server: MCPServer = _TRANSPORTS[transport](**known, **common)
        return server
    if hasattr(given, "command"):
        fields = {name: getattr(given, name, None) for name in ("command", "args", "env", "cwd")}
        cwd = None if fields["cwd"] is None else str(fields["cwd"])
        return MCPServerStdio(**{**fields, "args": list(fields["args"] or ()), "cwd": cwd}, **common)
    raise DefinitionError(
        f"MCPServerAdapter: {type(given).__name__} is no server; give StdioServerParameters(command=…), "
        '{"url": …, "transport": "streamable-http"}, or a list of these'
    )


def _ends_with_sse(url: str) -> bool:
    return urlsplit(url).path.rstrip("/").endswith("/sse")


def _check_names(tools: ServerTools, names: tuple[str, ...]) -> None:
    known = {tool.name for tool in tools}
    missing = [name for name in names if tool_name(name) not in known]
    if missing:
        raise DefinitionError(
            f"MCPServerAdapter: no server has a tool {', '.join(map(repr, missing))}; of the wanted ones there is "
            f"{', '.join(sorted(known)) or 'none'}"
        )
