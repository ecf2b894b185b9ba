"""Tools for agents: `@tool` and `BaseTool`."""

from jackstay.core.tool_failures import ToolFailurePolicy, ToolFailureRecord
from jackstay.engine.tool_context import ToolCallContext, call_context
from jackstay.errors import ToolExecutionFailedError, ToolFailure
from jackstay.tools.base_tool import BaseTool, CrewStructuredTool, tool
from jackstay.tools.variables import EnvVar

__all__ = [
    "BaseTool",
    "CrewStructuredTool",
    "EnvVar",
    "ToolCallContext",
    "ToolExecutionFailedError",
    "ToolFailure",
    "ToolFailurePolicy",
    "ToolFailureRecord",
    "call_context",
    "tool",
]
