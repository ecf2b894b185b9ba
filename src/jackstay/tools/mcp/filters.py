"""Which of a server's tools an agent sees. CrewAI's names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jackstay.tools.naming import tool_name


@dataclass(frozen=True, slots=True)
class ToolFilterContext:
    """What a filter function with two parameters is given first."""

    agent: Any
    """Who asks, with `role`, `goal` and `backstory`, variables filled in."""
    server_name: str
    run_context: Mapping[str, Any] | None = None
    """CrewAI's; always None."""


class StaticToolFilter:
    """Lets through the tools that are allowed (None: all) and not blocked, by the server's names or as models see them."""

    def __init__(self, *, allowed: Iterable[str] | None = None, blocked: Iterable[str] = ()) -> None:
        self.allowed = None if allowed is None else tuple(sorted(allowed))
        self.blocked = tuple(sorted(blocked))

    def __call__(self, tool: Mapping[str, Any]) -> bool:
        names = {tool["name"], tool_name(tool["name"])}
        return not names & set(self.blocked) and (self.allowed is None or bool(names & set(self.allowed)))

    def unknown(self, names: Iterable[str]) -> list[str]:
        """What is allowed and none of these names."""
        known = {form for name in names for form in (name, tool_name(name))}
        return [name for name in self.allowed or () if name not in known]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StaticToolFilter) and self.question() == other.question()

    def __hash__(self) -> int:
        return hash((self.allowed, self.blocked))

    def question(self) -> list[Any]:
        """What decides which tools there are, as JSON data."""
        return [None if self.allowed is None else list(self.allowed), list(self.blocked)]


ToolFilter = Callable[..., Any]
"""Called with a tool as a dict (`name`, `description`, `inputSchema`), or with a `ToolFilterContext` and that."""


def create_static_tool_filter(
    allowed_tool_names: Iterable[str] | None = None, blocked_tool_names: Iterable[str] | None = None
) -> StaticToolFilter:
    """A filter by lists of names."""
    return StaticToolFilter(allowed=allowed_tool_names, blocked=blocked_tool_names or ())


def create_dynamic_tool_filter(filter_func: ToolFilter) -> ToolFilter:
    """The function itself: `filter_func(context, tool)` says whether the agent sees the tool."""
    return filter_func


def filter_question(tool_filter: ToolFilter | None) -> Any:
    """What of a filter decides which tools there are: lists by what they say, functions by name."""
    if tool_filter is None:
        return None
    if isinstance(tool_filter, StaticToolFilter):
        return tool_filter.question()
    return getattr(tool_filter, "__qualname__", type(tool_filter).__qualname__)


async def lets_through(tool_filter: ToolFilter | None, context: ToolFilterContext, tool: Mapping[str, Any]) -> bool:
    """Whether the agent sees the tool."""
    if tool_filter is None:
        return True
    said = tool_filter(context, tool) if _takes_context(tool_filter) else tool_filter(tool)
    return bool(await said if inspect.isawaitable(said) else said)


def _takes_context(tool_filter: ToolFilter) -> bool:
    try:
        inspect.signature(tool_filter).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # a builtin that does not say
        return True
    return True
