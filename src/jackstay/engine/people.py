"""How a person is asked while the run goes on: by the provider of a definition, by the process's, or at the console."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, TypeVar

from jackstay.core.waits import Answer, Asked
from jackstay.engine import console
from jackstay.engine.home import PrivateHome
from jackstay.engine.scope import Scope, entered
from jackstay.engine.telling import listeners_home
from jackstay.engine.user_code import call_user, guarded

T = TypeVar("T")


class FlowConfig:
    """Who asks people in all flows of this process, where the decorator or the flow does not say."""

    def __init__(self) -> None:
        self.hitl_provider: Any = None
        """A `HumanFeedbackProvider`, for `@human_feedback`."""
        self.input_provider: Any = None
        """An `InputProvider`, for `Flow.ask`."""


# Of the process, as hooks are: programs set it at module level.
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
