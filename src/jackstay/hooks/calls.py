"""CrewAI's own names for the hooks around model and tool calls; each is a hook of one interception point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, overload

from jackstay.core.interception import InterceptionPoint
from jackstay.engine.hooks import HookFunction
from jackstay.hooks.points import clear_hooks, get_hooks, on, register, unregister

F = TypeVar("F", bound=HookFunction)


@overload
def before_llm_call(function: F) -> F: ...
@overload
def before_llm_call(function: None = None, *, agents: str | Sequence[str] | None = None) -> Callable[[F], F]: ...
def before_llm_call(function: Any = None, *, agents: str | Sequence[str] | None = None) -> Any:
    """Before each model call: `LLMCallHookContext.messages` may be changed in place; False forbids the call. With or without parentheses."""
    decorate = on(InterceptionPoint.PRE_MODEL_CALL, agents=agents)
    return decorate if function is None else decorate(function)


@overload
def after_llm_call(function: F) -> F: ...
@overload
def after_llm_call(function: None = None, *, agents: str | Sequence[str] | None = None) -> Callable[[F], F]: ...
def after_llm_call(function: Any = None, *, agents: str | Sequence[str] | None = None) -> Any:
    """After each model call: a `str` stands in place of the answer's text. With or without parentheses."""
    decorate = on(InterceptionPoint.POST_MODEL_CALL, agents=agents)
    return decorate if function is None else decorate(function)


@overload
def before_tool_call(function: F) -> F: ...
@overload
def before_tool_call(
    function: None = None, *, tools: str | Sequence[str] | None = None, agents: str | Sequence[str] | None = None
) -> Callable[[F], F]: ...
def before_tool_call(
    function: Any = None, *, tools: str | Sequence[str] | None = None, agents: str | Sequence[str] | None = None
) -> Any:
    """Before each tool call: `ToolCallHookContext.tool_input` may be changed in place; False forbids the call. With or without parentheses."""
    decorate = on(InterceptionPoint.PRE_TOOL_CALL, agents=agents, tools=tools)
    return decorate if function is None else decorate(function)


@overload
def after_tool_call(function: F) -> F: ...
@overload
def after_tool_call(
    function: None = None, *, tools: str | Sequence[str] | None = None, agents: str | Sequence[str] | None = None
) -> Callable[[F], F]: ...
def after_tool_call(
    function: Any = None, *, tools: str | Sequence[str] | None = None, agents: str | Sequence[str] | None = None
) -> Any:
    """After each tool call: the model is told the returned `str` instead of the result. With or without parentheses."""
    decorate = on(InterceptionPoint.POST_TOOL_CALL, agents=agents, tools=tools)
    return decorate if function is None else decorate(function)


def register_before_llm_call_hook(hook: HookFunction) -> None:
    register(InterceptionPoint.PRE_MODEL_CALL, hook)


def unregister_before_llm_call_hook(hook: HookFunction) -> bool:
    """Whether it was registered."""
    return unregister(InterceptionPoint.PRE_MODEL_CALL, hook)


def get_before_llm_call_hooks() -> list[HookFunction]:
    return get_hooks(InterceptionPoint.PRE_MODEL_CALL)


def clear_before_llm_call_hooks() -> int:
    """How many there were."""
    return clear_hooks(InterceptionPoint.PRE_MODEL_CALL)


def register_after_llm_call_hook(hook: HookFunction) -> None:
    register(InterceptionPoint.POST_MODEL_CALL, hook)


def unregister_after_llm_call_hook(hook: HookFunction) -> bool:
    """Whether it was registered."""
    return unregister(InterceptionPoint.POST_MODEL_CALL, hook)


def get_after_llm_call_hooks() -> list[HookFunction]:
    return get_hooks(InterceptionPoint.POST_MODEL_CALL)


def clear_after_llm_call_hooks() -> int:
    """How many there were."""
    return clear_hooks(InterceptionPoint.POST_MODEL_CALL)


def register_before_tool_call_hook(hook: HookFunction) -> None:
    register(InterceptionPoint.PRE_TOOL_CALL, hook)


def unregister_before_tool_call_hook(hook: HookFunction) -> bool:
    """Whether it was registered."""
    return unregister(InterceptionPoint.PRE_TOOL_CALL, hook)


def get_before_tool_call_hooks() -> list[HookFunction]:
    return get_hooks(InterceptionPoint.PRE_TOOL_CALL)


def clear_before_tool_call_hooks() -> int:
    """How many there were."""
    return clear_hooks(InterceptionPoint.PRE_TOOL_CALL)


def register_after_tool_call_hook(hook: HookFunction) -> None:
    register(InterceptionPoint.POST_TOOL_CALL, hook)


def unregister_after_tool_call_hook(hook: HookFunction) -> bool:
    """Whether it was registered."""
    return unregister(InterceptionPoint.POST_TOOL_CALL, hook)


def get_after_tool_call_hooks() -> list[HookFunction]:
    return get_hooks(InterceptionPoint.POST_TOOL_CALL)


def clear_after_tool_call_hooks() -> int:
    """How many there were."""
    return clear_hooks(InterceptionPoint.POST_TOOL_CALL)


def clear_all_llm_call_hooks() -> tuple[int, int]:
    """How many there were, before and after."""
    return clear_before_llm_call_hooks(), clear_after_llm_call_hooks()


def clear_all_tool_call_hooks() -> tuple[int, int]:
    """How many there were, before and after."""
    return clear_before_tool_call_hooks(), clear_after_tool_call_hooks()


def clear_all_global_hooks() -> dict[str, tuple[int, int]]:
    """How many there were around model calls and around tool calls."""
    return {"llm_hooks": clear_all_llm_call_hooks(), "tool_hooks": clear_all_tool_call_hooks()}
