"""`Flow.ask`: a text from a person in the middle of a method, as a step of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from jackstay.core.canonical import canonical_json, digest
from jackstay.core.deadline import is_limit
from jackstay.core.waits import Answer, Asked
from jackstay.engine.home import Home
from jackstay.engine.kickoff import belonging_to
from jackstay.engine.people import asked_at_console, called, console_is_there, flow_config, uses_console
from jackstay.engine.scope import Scope, current_scope
from jackstay.engine.waiting import answered
from jackstay.errors import DefinitionError, InputsError, RunSignal


async def ask(
    home: Home, flow: Any, provider: Any, message: str, timeout_s: float | None, metadata: Mapping[str, Any] | None
) -> str | None:
    """What the person says; None if nobody has in time, or the provider has failed. `flow`: the public object, for the
    provider; `provider`: its own, else the process's, else the console. Raises the stop of a run that has to wait."""
    scope = current_scope()
    if scope is None:
        raise DefinitionError(
            f"ask({message!r}) is outside a run; call it in a method of a flow that has been kicked off"
        )
    if timeout_s is not None and not is_limit(timeout_s):
        raise InputsError(
            f"ask(timeout={timeout_s!r}): a time limit is a number of seconds greater than 0; None: no limit"
        )
    with belonging_to(scope):
        return await _Asking(
            scope, home, flow, provider or flow_config.said_in(scope.run.runtime, "input_provider"), timeout_s
        ).perform(message, _plain(metadata))


def _plain(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    try:
        canonical_json(dict(metadata or {}))
    except (TypeError, ValueError) as error:
        raise InputsError(f"ask(metadata=…): {error}; pass plain values, they are stored with the question") from error
    return dict(metadata or {})


class _Asking:
    def __init__(self, around: Scope, home: Home, flow: Any, provider: Any, timeout_s: float | None) -> None:
        self.around, self.home, self.flow, self.provider, self.timeout_s = around, home, flow, provider, timeout_s

    async def perform(self, message: str, metadata: dict[str, Any]) -> str | None:
        around = self.around
        # The home of who blocks here: that of the run may be the loop that stands still meanwhile.
        scope = around.child(around.hashed("ask", digest([message, metadata])), home=self.home)
        about = {
            "flow_class": around.about.flow or around.run.row.name,
            "method": _method(around),
            "metadata": metadata,
        }
        asked = Asked("input", message, timeout_s=self.timeout_s, about=about)
        console = uses_console(self.provider) or (self.provider is None and console_is_there(scope))

        async def here() -> Answer | None:
            return await self._in_time(scope, asked, metadata)

        can_ask = console or self.provider is not None
        return (await answered(scope, asked, here if can_ask else None, again=console)).text

    async def _in_time(self, scope: Scope, asked: Asked, metadata: dict[str, Any]) -> Answer | None:
        asking = self._said(scope, asked, metadata)
        if self.timeout_s is None:
            return await asking
        task = asyncio.ensure_future(asking)
        await asyncio.wait([task], timeout=self.timeout_s)
        if task.done():
            return task.result()
        task.cancel()
        await asyncio.wait([task])
        return Answer(None)

    async def _said(self, scope: Scope, asked: Asked, metadata: dict[str, Any]) -> Answer | None:
        if self.provider is None:
            return await asked_at_console(scope, asked)
        try:
            said = await called(scope, self.provider, self.provider.request_input, asked.message, self.flow, metadata)
        except (asyncio.CancelledError, RunSignal):
            raise
        except Exception as error:
            if scope.run.stopped(scope) is not None:
                raise
            text = (
                f"ask({asked.message!r}): {type(self.provider).__name__} has failed ({type(error).__name__}: {error})"
            )
            scope.run.tell("warning", scope.path, text=f"{text}; the answer is None")
            return Answer(None)
        text = getattr(said, "text", said)
        return Answer(text if text is None else str(text), by=type(self.provider).__name__)


def _method(scope: Scope) -> str:
    return scope.branch.rpartition("/")[2].rpartition("#")[0]
