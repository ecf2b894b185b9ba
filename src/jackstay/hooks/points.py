"""Interception points by name: `on`, `register`, `scoped_hooks` and their like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from jackstay.core.interception import InterceptionPoint
from jackstay.engine import hooks as registry
from jackstay.engine.hooks import Hook, HookFunction
from jackstay.tools.naming import tool_name

F = TypeVar("F", bound=HookFunction)


def on(
    point: InterceptionPoint, *, agents: str | Sequence[str] | None = None, tools: str | Sequence[str] | None = None
) -> Callable[[F], F]:
    """Decorator: the function is called at this point, for these agents' (by role) and tools' calls; None: for all. One name
    stands for a list of one. A tool is named as it is defined, or as models see it."""
    chosen = _names(agents), frozenset(map(tool_name, named)) if (named := _names(tools)) is not None else None

    def registered(function: F) -> F:
        registry.add_hook(InterceptionPoint(point), Hook(function, *chosen))
        return function

    return registered


def _names(given: str | Sequence[str] | None) -> frozenset[str] | None:
    # A name by itself is a sequence of its letters, none of which is an agent or a tool: a veto that is never asked.
    return None if given is None else frozenset([given] if isinstance(given, str) else given)


def register(point: InterceptionPoint, hook: HookFunction) -> None:
    """From now on, in the whole process."""
    registry.add_hook(InterceptionPoint(point), Hook(hook))


def unregister(point: InterceptionPoint, hook: HookFunction) -> bool:
    """Whether it was registered, by `register` or by a decorator."""
    return registry.remove_hook(InterceptionPoint(point), hook)


def register_scoped(point: InterceptionPoint, hook: HookFunction) -> None:
    """For the `scoped_hooks()` around the caller; `RuntimeError` outside of one."""
    registry.add_scoped_hook(InterceptionPoint(point), Hook(hook))


@contextmanager
def scoped_hooks(
    hooks: Mapping[InterceptionPoint, Sequence[HookFunction]] | None = None,
) -> Iterator[dict[InterceptionPoint, list[HookFunction]]]:
    """Hooks for what is kicked off in the block, after those of the process: of this thread or task alone."""
    with registry.hooks_in_scope(hooks or {}) as scoped:
        yield {point: [hook.function for hook in listed] for point, listed in scoped.items()}


def get_hooks(point: InterceptionPoint) -> list[HookFunction]:
    """Those of the whole process, in the order in which they are called."""
    return registry.hooks_of(InterceptionPoint(point))


def clear_hooks(point: InterceptionPoint) -> int:
    """How many there were."""
    return registry.clear_hooks(InterceptionPoint(point))


def clear_all() -> None:
    for point in InterceptionPoint:
        registry.clear_hooks(point)


def dispatch(point: InterceptionPoint, context: Any) -> Any:
    """Calls the point's `def` hooks for a context of your own, here and now, and returns it; not part of a run's record.
    What they raise is raised."""
    for hook in registry.looking(InterceptionPoint(point), agent=getattr(context, "agent_role", None)):
        said = hook(context)
        if said is not None and hasattr(context, "payload"):
            context.payload = said
    return context
