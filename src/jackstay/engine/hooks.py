"""Hooks: which functions look in at which point, and what they have said there.

What hooks leave of what they are shown is a step below the one that they look at: a resumed run reads it and does not call
them again. A hook that fails is told as a warning and listed in that step; only `HookAborted`, or False before a call, ends
anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NoReturn

from jackstay.core.canonical import digest, ordered_json
from jackstay.core.interception import InterceptionPoint
from jackstay.core.paths import numbered
from jackstay.engine.decision import Decision
from jackstay.engine.scope import Scope
from jackstay.engine.user_code import call_user
from jackstay.errors import DefinitionError, HookAborted, RunSignal

HookFunction = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Hook:
    """A function, and for whose calls it is called; None: for all."""

    function: HookFunction
    agents: frozenset[str] | None = None
    tools: frozenset[str] | None = None

    def looks_at(self, agent: str | None, tool: str | None) -> bool:
        return (self.agents is None or agent in self.agents) and (self.tools is None or tool in self.tools)


Hooks = dict[InterceptionPoint, list[Hook]]

# Of the process, as decorators at module level want it; looked at when a step begins.
_global: Hooks = {}
_scoped: ContextVar[Hooks | None] = ContextVar("jackstay_hooks", default=None)


def add_hook(point: InterceptionPoint, hook: Hook) -> None:
    _global.setdefault(point, []).append(hook)


def add_scoped_hook(point: InterceptionPoint, hook: Hook) -> None:
    """For the block of `hooks_in_scope` around the caller; raises `RuntimeError` outside of one."""
    scoped = _scoped.get()
    if scoped is None:
        raise RuntimeError(
            "there is no scoped_hooks() around this; write `with scoped_hooks(): …`, or register for all"
        )
    scoped.setdefault(point, []).append(hook)


def remove_hook(point: InterceptionPoint, function: HookFunction) -> bool:
    """Whether it was there."""
    left = [hook for hook in _global.get(point, ()) if hook.function is not function]
    was_there = len(left) != len(_global.get(point, ()))
    _global[point] = left
    return was_there


def clear_hooks(point: InterceptionPoint) -> int:
    """How many there were."""
    return len(_global.pop(point, ()))


def hooks_of(point: InterceptionPoint) -> list[HookFunction]:
    """Those of the whole process."""
    return [hook.function for hook in _global.get(point, ())]


@contextmanager
def hooks_in_scope(hooks: Mapping[InterceptionPoint, Sequence[HookFunction]]) -> Iterator[Hooks]:
    """Hooks for what is kicked off in the block; they come after those of the process."""
    around = _scoped.get() or {}
    scoped: Hooks = {point: list(known) for point, known in around.items()}
    for point, functions in hooks.items():
        scoped.setdefault(point, []).extend(Hook(function) for function in functions)
    token = _scoped.set(scoped)
    try:
        yield scoped
    finally:
        _scoped.reset(token)


def looking(point: InterceptionPoint, *, agent: str | None = None, tool: str | None = None) -> list[HookFunction]:
    """The functions to call, in order."""
    scoped = _scoped.get()
    if not _global and not scoped:
        return []
    listed = [*_global.get(point, ()), *((scoped or {}).get(point, ()))]
    return [hook.function for hook in listed if hook.looks_at(agent, tool)]


# --- asking them -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Interception:
    """What hooks are asked about at one point of a step."""

    scope: Scope
    """The step's own; each point comes once in it."""
    point: InterceptionPoint
    shown: Any
    """JSON data that decides what they see."""
    tool: str | None = None

    def hooks(self) -> list[HookFunction]:
        return looking(self.point, agent=self.scope.agent, tool=self.tool)

    @property
    def is_recorded(self) -> bool:
        return _is_recorded(self.scope, self.point)


def is_wanted(scope: Scope, point: InterceptionPoint) -> bool:
    """Somebody looks, or has looked."""
    return bool(looking(point, agent=scope.agent)) or _is_recorded(scope, point)


def _is_recorded(scope: Scope, point: InterceptionPoint) -> bool:
    recorded = scope.run.recorded
    return not recorded.is_empty and recorded.newest(numbered(scope.path, f"@{point.value}", 1)) is not None


async def intercepted(
    at: Interception,
    context: Any,
    *,
    left: Callable[[], Any],
    take: Callable[[Any], None] | None = None,
    vetoes: bool = False,
) -> Any:
    """What the hooks leave of what they are shown: from the record, else they are asked. None: nobody looks, or nothing
    was changed.

    `take` is given what a hook returned (not None); without it that says nothing. `left` is what the context holds then, as JSON data. `vetoes`: False
    forbids. Raises `HookAborted`.
    """
    hooks = at.hooks()
    if not hooks and not at.is_recorded:
        return None
    decision = Decision(at.scope, f"@{at.point.value}", "step", at.point.value, digest(at.shown))
    known = decision.recorded()
    if known is not None:
        return known.get("left")
    errors: list[str] = []
    with decision.recording_failure():
        for hook in hooks:
            said = await _said(decision, hook, context, errors)
            if said is False and vetoes:
                _forbid(at, hook)
            if said is not None and take is not None:
                take(said)
        changed = _plain(at, left())
    changed = None if changed == at.shown else changed
    decision.record({"left": changed, **({"errors": errors} if errors else {})})
    return changed


async def _said(decision: Decision, hook: HookFunction, context: Any, errors: list[str]) -> Any:
    run, scope = decision.run, decision.scope
    try:
        return await decision.ask(hook, context)
    except HookAborted:
        raise
    except Exception as error:  # noqa: BLE001 - users' code; a hook that is broken does not break the run
        run.check(scope)
        told = f"the {decision.name} hook {_name_of(hook)} failed: {type(error).__name__}: {error}"
        run.tell("warning", scope.path, text=f"{scope.path}: {told}; the run goes on without it")
        errors.append(told)
        return None


def _forbid(at: Interception, hook: HookFunction) -> NoReturn:
    what = f"the tool '{at.tool}'" if at.tool is not None else "the model call"
    raise HookAborted(f"{what} was blocked by the hook {_name_of(hook)} (it returned False)", hook)


def _plain(at: Interception, left: Any) -> Any:
    try:
        return json.loads(ordered_json(left))
    except (TypeError, ValueError) as error:
        raise DefinitionError(
            f"the {at.point.value} hooks at {at.scope.path or 'the run'} left something that is no JSON: {error}; leave "
            "text, numbers, lists and dicts"
        ) from error


async def notify(scope: Scope, point: InterceptionPoint, context: Any) -> None:
    """Hooks that change nothing and forbid nothing any more; not recorded."""
    for hook in looking(point, agent=scope.agent):
        try:
            await call_user(scope, hook, context)
        except (Exception, RunSignal) as error:  # noqa: BLE001 - as above; a stop is raised again by the next step
            told = f"the {point.value} hook {_name_of(hook)} failed: {type(error).__name__}: {error}"
            scope.run.tell("warning", scope.path, text=told)


def _name_of(function: HookFunction) -> str:
    return getattr(function, "__name__", None) or repr(function)
