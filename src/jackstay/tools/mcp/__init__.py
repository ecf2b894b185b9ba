"""Tools of MCP servers: `Agent(mcps=[…])`. The SDK is the extra `mcp`, loaded when a server is first needed."""

from jackstay.tools.mcp.adapter import MCPServerAdapter
from jackstay.tools.mcp.filters import (
    StaticToolFilter,
    ToolFilterContext,
    create_dynamic_tool_filter,
    create_static_tool_filter,
)
from jackstay.tools.mcp.servers import MCPServerHTTP, MCPServerSSE, MCPServerStdio

__all__ = [
    "MCPServerAdapter",
    "MCPServerHTTP",
    "MCPServerSSE",
    "MCPServerStdio",
    "StaticToolFilter",
    "ToolFilterContext",
    "create_dynamic_tool_filter",
    "create_static_tool_filter",
]
