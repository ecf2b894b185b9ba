"""How a person is asked while the run goes on: by the provider of a definition, by the process's, or at the console."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from jackstay.core.waits import Answer, Asked
from jackstay.engine import console
from jackstay.engine.home import PrivateHome
from jackstay.engine.runtime import Runtime, runtimes
from jackstay.engine.scope import Scope, entered
from jackstay.engine.telling import listeners_home
from jackstay.engine.user_code import call_user, guarded

T = TypeVar("T")


class FlowConfig:
    """Who asks people where the decorator or the flow does not say. A view of the runtime: what is said inside of `with
    Runtime(…):` counts there and ends with it; what was said before it, or where there is none, counts unless it is."""

    def __init__(self) -> None:
        self._of_process: dict[str, Any] = {}
        self._of_runtimes: WeakKeyDictionary[Runtime, dict[str, Any]] = WeakKeyDictionary()

    @property
    def hitl_provider(self) -> Any:
        """A `HumanFeedbackProvider`, for `@human_feedback`."""
        return self._said("hitl_provider", runtimes())

    @hitl_provider.setter
    def hitl_provider(self, provider: Any) -> None:
        self._say("hitl_provider", provider)

    @property
    def input_provider(self) -> Any:
        """An `InputProvider`, for `Flow.ask`."""
        return self._said("input_provider", runtimes())

    @input_provider.setter
    def input_provider(self, provider: Any) -> None:
        self._say("input_provider", provider)

    def said_in(self, runtime: Runtime, name: str) -> Any:
        """What counts for the runs of that runtime, whichever is the current one."""
        around = runtimes()
        return self._said(name, around[around.index(runtime) :] if runtime in around else [runtime, *around])

    def _say(self, name: str, provider: Any) -> None:
        nearest = next(iter(runtimes()), None)
        # The one that is made by itself may be closed, and made anew: the process's word outlives it.
        said = self._of_process
        if nearest is not None and nearest.is_entered:
            said = self._of_runtimes.setdefault(nearest, {})
        said[name] = provider

    def _said(self, name: str, around: Sequence[Runtime]) -> Any:
        for said in (*(self._of_runtimes.get(runtime, {}) for runtime in around), self._of_process):
            if name in said:
                return said[name]
        return None


flow_config = FlowConfig()


def console_is_there(scope: Scope) -> bool:
    return console.is_there(scope.run.runtime.settings.console)


async def asked_at_console(scope: Scope, asked: Asked) -> Answer | None:
    """None: the input has ended."""
    return await at_console(scope, console.ask, asked)


def uses_console(provider: Any) -> bool:
    """Whether it asks at the terminal, which can be done again by each process."""
    return bool(getattr(provider, "asks_at_console", False))


async def called(scope: Scope, provider: Any, function: Callable[..., Any], *args: Any) -> Any:
    """What a provider's function says."""
    if uses_console(provider):
        return await at_console(scope, function, *args)
    return await call_user(scope, function, *args)


async def at_console(scope: Scope, function: Callable[..., T], *args: Any) -> T:
    """Calls what reads the terminal on the thread that waits for the kickoff, where Ctrl-C arrives (engine rule 4). Who
    awaits the kickoff has a loop to run there: then in the pool."""
    home = listeners_home() or scope.home
    if not isinstance(home, PrivateHome):
        result: T = await call_user(scope, function, *args)
        return result
    await scope.run.writer.flush()
    scope.run.check(scope)
    context = copy_context()
    context.run(entered, scope.lent())
    return await asyncio.wrap_future(home.call(lambda: context.run(guarded, lambda: function(*args))))
