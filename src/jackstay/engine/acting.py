"""Tools that act on the world are called once: an intent before the call, its row after it, and if only the intent is
there a person says what has happened. The run waits for that, it does not guess."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from jackstay.core.canonical import canonical_json
from jackstay.core.ids import SHORT
from jackstay.core.intents import DECIDED, NEEDS_DECISION, NOT_CALLED, SIDE_EFFECT, Decided, question
from jackstay.core.messages import ToolCall
from jackstay.core.records import Intent, Wait
from jackstay.engine.scope import Scope
from jackstay.engine.waiting import suspend


class Act:
    """One call of such a tool."""

    def __init__(self, scope: Scope, call: ToolCall) -> None:
        self.scope, self.run, self.call = scope, scope.run, call
        self.unsettled = self.run.acts.unsettled(scope.path, self.run.recorded)
        self.rev = max(self.run.next_rev(scope.path), self.run.acts.last_rev(scope.path) + 1)
        self.key = self.unsettled.key if self.unsettled is not None else self._new_key()
        self.flags = f"{SIDE_EFFECT},{NOT_CALLED}"
        """Of the call's row, as things stand."""
        self._intent: Intent | None = None

    def _new_key(self) -> str:
        key, before = f"{self.run.id}:{self.scope.path}", self.run.recorded.newest(self.scope.path)
        # At this place another call was made, whose question has changed since: a service must tell the two apart.
        another = before is not None and before.status in ("succeeded", "failed")
        return f"{key}:{self.rev}" if another else key

    def decision(self) -> Decided | None:
        """What a person has said of an earlier call whose end is unknown; None: there is no such call. Raises the stop of
        the run if nobody has said anything yet."""
        if self.unsettled is None:
            return None
        decided = self.run.acts.decided(self.unsettled)
        if decided is None:
            raise self.ask(self.unsettled, self.scope.agent)
        self.flags = f"{SIDE_EFFECT},{DECIDED}"
        return decided

    def ask(self, intent: Intent, agent: str | None) -> BaseException:
        """The stop of the run, until a person has said how that call ended."""
        run, tool, arguments = self.run, self.call.name, self.call.arguments
        prompt = question(
            tool=tool,
            arguments=arguments,
            agent=agent,
            at=intent.created_at,
            key=intent.key,
            run=run.id[:SHORT],
        )
        about = {"intent": [intent.path, intent.rev], "tool": tool, "arguments": arguments}
        wait = Wait(
            run.id, self.scope.path, run.next_wait(), NEEDS_DECISION, prompt, canonical_json(about),
            run.row.project_id, run.now(),
        )  # fmt: skip
        return suspend(self.scope, wait, is_new=not run.acts.is_asked(intent))

    async def begin(self) -> None:
        """The intent is on disk when this returns."""
        self.flags = f"{SIDE_EFFECT},{NOT_CALLED}"
        intent = Intent(self.run.id, self.scope.path, self.rev, self.run.lease.epoch, self.key, self.run.now())
        await self.run.commit(intents=(intent,))
        self._intent = intent

    def noticed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, of which it is known afterwards whether it was called."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def acall(**arguments: Any) -> Any:
                self._begun()
                return await function(**arguments)

            return acall

        @functools.wraps(function)
        def call(**arguments: Any) -> Any:
            self._begun()
            return function(**arguments)

        return call

    def _begun(self) -> None:
        self.flags = SIDE_EFFECT

    @property
    def was_prevented(self) -> bool:
        """The intent was written, and the tool was not called after all."""
        return self._intent is not None and NOT_CALLED in self.flags

    def interrupted(self) -> None:
        """The call has not come to its end: an equal one is not made in this run before a person has been asked."""
        if self._intent is not None and NOT_CALLED not in self.flags:
            known, agent = self.run.done_by_tools, self.scope.agent
            known.leave_unsettled(self.call.name, self.call.arguments, self._intent, agent)
