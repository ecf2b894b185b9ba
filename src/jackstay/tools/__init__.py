"""Tools for agents: `@tool` and `BaseTool`, and a few that are ready to use."""

from jackstay.core.tool_failures import ToolFailurePolicy, ToolFailureRecord
from jackstay.engine.tool_context import ToolCallContext, call_context
from jackstay.errors import ToolExecutionFailedError, ToolFailure
from jackstay.tools.base_tool import BaseTool, CrewStructuredTool, tool
from jackstay.tools.files import DirectoryReadTool, FileReadTool
from jackstay.tools.mcp.adapter import MCPServerAdapter
from jackstay.tools.variables import EnvVar
from jackstay.tools.web_search import WebSearchTool

SerperDevTool = WebSearchTool
"""CrewAI's name."""

__all__ = [
    "BaseTool",
    "CrewStructuredTool",
    "DirectoryReadTool",
    "EnvVar",
    "FileReadTool",
    "MCPServerAdapter",
    "SerperDevTool",
    "ToolCallContext",
    "ToolExecutionFailedError",
    "ToolFailure",
    "ToolFailurePolicy",
    "ToolFailureRecord",
    "WebSearchTool",
    "call_context",
    "tool",
]
