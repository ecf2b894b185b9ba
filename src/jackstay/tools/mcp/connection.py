"""A kickoff's connection to one MCP server: opened when it is first needed, on the loop of the user's code."""

from __future__ import annotations

import asyncio
import contextvars
import json
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from jackstay.core.messages import ToolSpec
from jackstay.core.specs import AgentSpec, ToolDef
from jackstay.errors import DefinitionError, MissingExtraError, ToolFailure, ToolServerUnavailable
from jackstay.tools.json_schema import checked
from jackstay.tools.marks import warn_if_unmarked
from jackstay.tools.mcp.filters import StaticToolFilter, ToolFilterContext, lets_through
from jackstay.tools.naming import tool_name

if TYPE_CHECKING:
    from jackstay.tools.mcp.servers import MCPServer

CLOSE_WAIT_S = 7.0
"""The SDK gives a program 2 s to end by itself, 2 s after SIGTERM and 2 s after SIGKILL."""


class McpConnection:
    """Lives on the home loop, but for `tool_defs`. One task holds the SDK's client: it has to be closed by the task that
    has opened it, and calls come from many."""

    def __init__(self, server: MCPServer, *, is_alone: bool = True) -> None:
        """`is_alone`: what its definition names are its own tools, not those of other servers as well."""
        self.server, self._is_alone = server, is_alone
        self._serving: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[Any] | None = None
        self._over = asyncio.Event()
        self._listed: list[dict[str, Any]] | None = None

    @property
    def is_open(self) -> bool:
        return self._serving is not None

    async def tools(self, agent: AgentSpec) -> list[dict[str, Any]]:
        """The server's tools that the agent sees, as JSON data for `tool_defs`. Raises `ToolServerUnavailable`."""
        listed = self._listed if self.server.cache_tools_list else None
        if listed is None:
            listed = self._listed = await self._list()
            if self._is_alone:
                self._check_names([tool["name"] for tool in listed])
        context = ToolFilterContext(agent, self.server.label)
        kept = [tool for tool in listed if await lets_through(self.server.tool_filter, context, tool)]
        if self.server.side_effects is None:
            for name in (tool["name"] for tool in kept if not tool["readOnly"]):
                warn_if_unmarked(name, None, remedy=f"Give its server {self.server.label} side_effects=[…]")
        return kept

    def tool_defs(self, tools: Sequence[Mapping[str, Any]]) -> tuple[ToolDef, ...]:
        """What `tools` has found, now or in an earlier process, as tools. No I/O."""
        return tuple(self._tool_def(tool) for tool in tools)

    async def close(self) -> None:
        """Ends the connection, and the server's process if it is one of ours."""
        serving, self._serving = self._serving, None
        if serving is None:
            return
        if self._ready is not None and self._ready.done():
            self._over.set()
        else:
            serving.cancel()
        await asyncio.wait([serving], timeout=CLOSE_WAIT_S)
        if not serving.done():
            serving.cancel()

    @property
    def names(self) -> list[str]:
        """Of all its tools, once it has been asked."""
        return [tool["name"] for tool in self._listed or ()]

    def _check_names(self, names: Sequence[str]) -> None:
        check_marks(self.server.side_effects, names, f"the MCP server {self.server.label}")
        chosen = self.server.tool_filter
        for name in chosen.unknown(names) if isinstance(chosen, StaticToolFilter) else ():
            text = f"the MCP server {self.server.label} has no tool {name!r} that a filter could let through; it has"
            warnings.warn(f"{text} {', '.join(sorted(names)) or 'none'}", UserWarning, stacklevel=2)

    # --- the tools -----------------------------------------------------------------------------------------------------

    def _tool_def(self, tool: Mapping[str, Any]) -> ToolDef:
        name, prefix, parameters = tool["name"], self.server.name, tool["inputSchema"]
        shown = tool_name(f"{prefix}_{name}" if prefix else name)

        async def call(**arguments: Any) -> str:
            return await self._call(name, arguments)

        return ToolDef(
            ToolSpec(shown, tool["description"], parameters),
            call,
            lambda given: checked(parameters, given),
            side_effect=name in (self.server.side_effects or ()),
        )

    async def _call(self, name: str, arguments: dict[str, Any]) -> str:
        client = await self._client()
        result = await self._asked(client.call_tool(name, arguments), self.server.call_timeout_s)
        text = "\n".join(_text_of(block) for block in result.content)
        if not text and result.structured_content is not None:
            text = json.dumps(result.structured_content, ensure_ascii=False)
        if result.is_error:
            raise ToolFailure(text or f"the MCP server {self.server.label} says that {name} failed, and not why")
        return text

    async def _list(self) -> list[dict[str, Any]]:
        client, found, cursor = await self._client(), [], None
        while True:
            page = await self._asked(client.list_tools(cursor=cursor), self.server.timeout_s)
            found += [_plain(tool) for tool in page.tools]
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def _asked(self, answer: Any, timeout_s: float) -> Any:
        """What the server answers. A connection that is gone is closed, so that the next call opens a new one."""
        from mcp import MCPError  # an optional extra
        from mcp_types import CONNECTION_CLOSED  # an optional extra

        serving = self._serving
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError as error:
            raise self._unavailable(f"it has not answered within {timeout_s:g} s") from error
        except MCPError as error:
            if error.error.code != CONNECTION_CLOSED:
                raise ToolFailure(error.error.message, reason="protocol", code=str(error.error.code)) from error
            if self._serving is serving:  # else another call has opened a new one meanwhile
                await self.close()
            raise self._unavailable("the connection broke") from error

    # --- the connection --------------------------------------------------------------------------------------------------

    async def _client(self) -> Any:
        if self._serving is None or self._serving.done():
            loop = asyncio.get_running_loop()
            self._ready, self._over = loop.create_future(), asyncio.Event()
            # In a context of its own: it outlives the step that has needed it first.
            serve = self._serve(self._ready, self._over)
            self._serving = loop.create_task(serve, context=contextvars.Context())
        assert self._ready is not None
        return await asyncio.shield(self._ready)

    async def _serve(self, ready: asyncio.Future[Any], over: asyncio.Event) -> None:
        """Holds the connection open until it is over."""
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(self.server.timeout_s):
                    client = await stack.enter_async_context(_sdk_client(self.server.transport))
                ready.set_result(client)
                await over.wait()
        except TimeoutError as error:
            self._not_opened(ready, f"no connection within {self.server.timeout_s:g} s", error)
        except MissingExtraError as error:
            ready.set_exception(error)
        except Exception as error:  # noqa: BLE001 - whatever a transport raises, in groups: the message says what
            self._not_opened(ready, _reason(error), error)
        finally:
            if not ready.done():
                ready.cancel()

    def _not_opened(self, ready: asyncio.Future[Any], why: str, cause: Exception) -> None:
        """After it was open, a failure shows in the calls."""
        if not ready.done():
            error = self._unavailable(why)
            error.__cause__ = cause
            ready.set_exception(error)

    def _unavailable(self, why: str) -> ToolServerUnavailable:
        return ToolServerUnavailable(
            f"the MCP server {self.server.label} cannot be used: {why}; check that it can be started or reached, then "
            "run again or resume"
        )


def check_marks(side_effects: Collection[str] | None, names: Sequence[str], owner: str) -> None:
    """A mark that no tool has protects nothing: the tool that it was meant for would be called again after a crash."""
    unknown = sorted(set(side_effects or ()).difference(names))
    if unknown:
        raise DefinitionError(
            f"{owner} has no tool {', '.join(map(repr, unknown))}, which is in side_effects; it has "
            f"{', '.join(sorted(names)) or 'none'}"
        )


def _sdk_client(transport: Callable[[], Any]) -> Any:
    try:
        from mcp import Client  # an optional extra
    except ImportError as error:
        raise MissingExtraError("mcps= needs the SDK of the protocol: pip install 'jackstay[mcp]'") from error
    return Client(transport(), cache=None)


def _plain(tool: Any) -> dict[str, Any]:
    """A tool as the record and filters have it."""
    hints = tool.annotations
    return {
        "name": tool.name,
        "description": tool.description or tool.title or tool.name,
        "inputSchema": tool.input_schema,
        "readOnly": bool(hints is not None and hints.read_only_hint),
    }


def _text_of(block: Any) -> str:
    """Text as it is; of anything else, what it was."""
    if block.type == "text":
        return str(block.text)
    if block.type == "resource":
        return str(getattr(block.resource, "text", None) or f"[{block.resource.uri}: binary, not shown]")
    if block.type == "resource_link":
        return f"[{block.name}: {block.uri}]"
    return f"[{block.type}, {getattr(block, 'mime_type', 'unknown')}: not shown]"


def _reason(error: BaseException) -> str:
    """Of a group, what its first exception says."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
