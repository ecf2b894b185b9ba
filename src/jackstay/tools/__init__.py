"""Tools for agents: `@tool` and `BaseTool`."""

from jackstay.tools.base_tool import BaseTool, tool

__all__ = ["BaseTool", "tool"]
