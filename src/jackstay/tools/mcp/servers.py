"""MCP servers as an agent's definition names them. They describe; a kickoff opens the connections and closes them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from jackstay.core.canonical import digest
from jackstay.core.specs import AgentSpec, Connection, ToolServer
from jackstay.engine.masked import secrets_in
from jackstay.errors import DefinitionError
from jackstay.tools.mcp.connection import McpConnection
from jackstay.tools.mcp.filters import StaticToolFilter, ToolFilter, filter_question

CONNECT_TIMEOUT_S = 30.0
CALL_TIMEOUT_S = 300.0


class MCPServer(BaseModel):
    """What all servers have in common."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    tool_filter: ToolFilter | None = None
    """Which of its tools the agent sees; None: all."""
    cache_tools_list: bool = False
    """Its tools are asked for once in a kickoff, else once for each agent that names it."""
    name: str | None = None
    """Put before its tools' names, so that two servers may have tools of one name; None: the names stay as they are."""
    side_effects: frozenset[str] | None = None
    """Those of its tools (by the server's names) that act on the world: no call of them is ever repeated by itself. None:
    not said, which counts as none."""
    timeout_s: float = Field(default=CONNECT_TIMEOUT_S, gt=0)
    """For the connection, and for the list of tools."""
    call_timeout_s: float = Field(default=CALL_TIMEOUT_S, gt=0)
    """For one call of a tool."""

    @property
    def label(self) -> str:
        """What messages call it. No secret is in it."""
        return self.name or self.address

    @property
    def address(self) -> str:
        raise NotImplementedError

    def outline(self) -> list[Any]:
        """What the fingerprint of a definition has of it: no address, no variable, no key."""
        return [self.name, filter_question(self.tool_filter)]

    def question(self, agent: AgentSpec) -> Any:
        """What decides which tools the agent gets from it."""
        own = [*self.outline(), self._place()]
        by_function = self.tool_filter is not None and not isinstance(self.tool_filter, StaticToolFilter)
        return [*own, agent.role] if by_function else own

    def connection(self) -> Connection:
        """A new one; nothing is opened before it is needed."""
        return McpConnection(self)

    def secrets(self) -> Iterable[tuple[str, str]]:
        """What it is told that nobody may see."""
        return ()

    def transport(self) -> Any:
        """What the SDK's client connects to."""
        raise NotImplementedError

    def _place(self) -> str:
        """Tells apart two servers without a name."""
        raise NotImplementedError


class MCPServerStdio(MCPServer):
    """A program that is started for each kickoff and spoken to over its standard input and output.

    Its environment is a small one (PATH, HOME, USER, …) and `env` on top: the keys of this process are not passed on.
    """

    command: str
    args: list[str] = Field(default_factory=list)
    env: dict[str, str] | None = Field(default=None, repr=False)
    cwd: str | None = None

    @property
    def address(self) -> str:
        return PurePath(self.command).name

    def _place(self) -> str:
        return digest([self.command, self.args])

    def secrets(self) -> Iterable[tuple[str, str]]:
        return secrets_in(self.env, "")

    def transport(self) -> Any:
        from mcp import StdioServerParameters  # an optional extra

        return StdioServerParameters(command=self.command, args=self.args, env=self.env, cwd=self.cwd)


class _AtUrl(MCPServer):
    url: str
    headers: dict[str, str] | None = Field(default=None, repr=False)

    @property
    def address(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.hostname or self.url}{parts.path.rstrip('/')}"

    def _place(self) -> str:
        return digest([self.address])

    def secrets(self) -> Iterable[tuple[str, str]]:
        return secrets_in(self.headers, "header ")


class MCPServerHTTP(_AtUrl):
    """A server at a URL, spoken to over streamable HTTP; `streamable=False`: over the older transport, SSE."""

    streamable: bool = True

    def transport(self) -> Any:
        from jackstay.tools.mcp.transports import sse, streamable_http  # imports an optional extra

        return (streamable_http if self.streamable else sse)(
            self.url, self.headers, self.timeout_s, self.call_timeout_s
        )


class MCPServerSSE(_AtUrl):
    """A server at a URL, spoken to over the older HTTP transport: server-sent events."""

    def transport(self) -> Any:
        from jackstay.tools.mcp.transports import sse  # imports an optional extra

        return sse(self.url, self.headers, self.timeout_s, self.call_timeout_s)


def tool_servers(given: Iterable[Any], owner: str) -> tuple[ToolServer, ...]:
    """What stands in `mcps=`, each as a server. Raises `DefinitionError` for what is none."""
    return tuple(_server(one, owner) for one in given)


def servers_outline(given: Iterable[Any], owner: str) -> dict[str, Any]:
    """What an agent's outline has of them: nothing where there are none, so that other fingerprints stay as they are."""
    servers = [_server(one, owner) for one in given]
    return {"servers": [server.outline() for server in servers]} if servers else {}


def _server(given: Any, owner: str) -> MCPServer:
    if isinstance(given, MCPServer):
        return given
    if isinstance(given, str) and given.startswith("https://"):
        url, _, tool = given.partition("#")
        return MCPServerHTTP(url=url, tool_filter=StaticToolFilter(allowed=[tool]) if tool else None)
    raise DefinitionError(
        f"{owner} has mcps={given!r}, which is no MCP server; give MCPServerStdio(command=…), MCPServerHTTP(url=…), "
        "MCPServerSSE(url=…), or an address 'https://…' (with '#tool' for one of its tools)"
    )
