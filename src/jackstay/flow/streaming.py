"""`Flow(stream=True)`: a kickoff that is iterated. Everything that happens in it comes out as frames, the result at the end.

Frames are the events of the bus (`jackstay.events`), of this kickoff alone and whether or not a handler listens, and
the pieces of what its models say.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from jackstay.core.events import Event
from jackstay.core.pieces import Piece
from jackstay.engine.asked import Kickoff
from jackstay.engine.home import Home
from jackstay.engine.kickoff import start
from jackstay.engine.run import Run
from jackstay.engine.runtime import Runtime
from jackstay.engine.scope import Scope
from jackstay.engine.streamed import Streamed
from jackstay.engine.telling import listeners
from jackstay.events.base_events import BaseEvent
from jackstay.events.default import event_bus
from jackstay.events.line import Line, Told
from jackstay.events.translate import translate
from jackstay.events.types.flow_events import FlowEvent
from jackstay.events.types.llm_events import (
    FunctionCall,
    LLMCallType,
    LLMStreamChunkEvent,
    LLMStreamRestartEvent,
    LLMThinkingChunkEvent,
    ToolCall,
)
from jackstay.events.types.tool_usage_events import ToolUsageEvent

if TYPE_CHECKING:
    from jackstay.flow.running import Running

Channel = Literal["llm", "flow", "tools", "messages", "lifecycle", "custom"]
_ENVELOPE = {
    "event_id", "emission_sequence", "type", "timestamp", "parent_event_id", "previous_event_id", "run_id", "path",
}  # fmt: skip
_OURS = BaseEvent.__module__.rpartition(".")[0]


class StreamFrame(BaseModel):
    """Something that has happened. `content` is what may be shown of it as text: what a model says, piece by piece."""

    id: str
    seq: int
    """Counts the stream's frames, from 1."""
    type: str
    """The event's: `method_execution_started`, `llm_stream_chunk`."""
    channel: Channel
    namespace: list[str]
    """Where: `["flow", "Report", "draft", "research", "llm"]`, from the flow inwards."""
    timestamp: datetime
    parent_id: str | None = None
    """The frame that began what this one happened in."""
    previous_id: str | None = None
    data: dict[str, Any]
    """The event's fields, as JSON data."""
    run_id: str = ""
    path: str = ""
    """The step, as `jackstay show` has it."""

    @property
    def event(self) -> dict[str, Any]:
        """The same as `data`."""
        return self.data

    @property
    def content(self) -> str:
        return str(self.data.get("chunk") or "") if self.channel == "llm" and not self.data.get("tool_call") else ""


_own: ContextVar[object] = ContextVar("jackstay_flow_stream", default=None)
"""Whose kickoff the work in this context belongs to."""


class _Session(Streamed[StreamFrame]):
    def __init__(self, runtime: Runtime, running: Running, kickoff: Kickoff) -> None:
        self._running, self._name = running, kickoff.name
        listened = replace(kickoff, body=self._listened(kickoff.body))
        super().__init__(runtime, lambda home: start(runtime, home, listened))
        self._line = Line()
        self._where: tuple[str, str] | None = None
        """The run and the flow's path in it, once it has begun."""
        # Thrown away without having been iterated, it must not keep the flow object for ever.
        weakref.finalize(self, running.let_go)
        self.frames: list[StreamFrame] = []
        """Those that the iteration has given out."""

    @property
    def result(self) -> Any:
        """What the flow returned. `RuntimeError` before the iteration has ended; what the run raised, if it did."""
        return self._the_result()

    @property
    def is_exhausted(self) -> bool:
        """Nothing comes any more."""
        return self._ended and (self._closed or not self._waiting)

    @property
    def is_cancelled(self) -> bool:
        """It was closed before its end."""
        return self._closed and not self.is_completed

    # --- the run -----------------------------------------------------------------------------------------------------

    async def _drive(self, home: Home) -> Any:
        _own.set(self)
        listeners.append(self)
        event_bus.taps.append(self._emitted)
        return await super()._drive(home)

    def _presented(self, outcome: Any) -> Any:
        return self._running.ended(outcome)

    def _over(self) -> None:
        self._running.let_go()
        if self in listeners:
            listeners.remove(self)
        if self._emitted in event_bus.taps:
            event_bus.taps.remove(self._emitted)

    # --- what is heard, on the engine loop ---------------------------------------------------------------------------

    def hear(self, run: Run, event: Event, about: Any) -> None:
        if event.name == "kickoff_started" and self._where is None and _own.get() is self:
            self._where = (run.id, event.path)
        if not self._is_mine(run.id, event.path):
            return
        if event.name == "model_piece" and about[1].kind != "thinking":
            return  # comes by way of the scope's listener: what is recorded, and restarts, too
        try:
            for _, made in translate(run, event, about, _everything):
                self._tell(made)
        except Exception as error:  # noqa: BLE001 - an observer cannot change or fail a run
            logging.getLogger("jackstay").warning("run %s: no frame was made of %s: %r", run.id, event.name, error)

    async def caught_up(self, run: Run) -> None:
        """A consumer is waited for by nobody."""

    def _emitted(self, run: Run, event: BaseEvent) -> None:
        if self._is_mine(run.id, event.path or ""):
            self._tell(event.model_copy())

    def _is_mine(self, run_id: str, path: str) -> bool:
        if self._where is None or run_id != self._where[0]:
            return False
        around = self._where[1]
        return not around or path == around or path.startswith(f"{around}/")

    def _listened(self, body: Callable[[Scope], Any]) -> Callable[[Scope], Any]:
        async def listened(scope: Scope) -> Any:
            outer, run = scope.listener, scope.run

            def heard(piece: Piece) -> None:
                self._tell(_said(run, piece))
                if outer is not None:
                    outer(piece)

            scope.listener = heard
            return await body(scope)

        return listened

    def _tell(self, event: BaseEvent) -> None:
        self._line.add(Told(None, event, None, None))
        self._line.waiting.clear()  # its order is wanted, not its queue
        self._push(event)

    # --- what is given out, where it is iterated ---------------------------------------------------------------------

    def _as_one(self, last: BaseEvent, new: BaseEvent) -> BaseEvent | None:
        if type(last) is not LLMStreamChunkEvent or type(new) is not LLMStreamChunkEvent:
            return None
        if last.call_id != new.call_id or last.tool_call or new.tool_call or last.replayed or new.replayed:
            return None
        return last.model_copy(update={"chunk": last.chunk + new.chunk})

    def _given(self, waiting: Any) -> StreamFrame:
        event: BaseEvent = waiting
        frame = StreamFrame(
            id=event.event_id,
            seq=len(self.frames) + 1,
            type=event.type,
            channel=_channel(event),
            namespace=["flow", self._name, *_names_in((event.path or "")[len(self._where[1]) if self._where else 0 :])],
            timestamp=event.timestamp,
            parent_id=event.parent_event_id,
            previous_id=self.frames[-1].id if self.frames else None,
            # Here and not on the engine loop: classes of users' may have something to say on how they are written.
            data=event.model_dump(mode="json", fallback=str, exclude=_ENVELOPE),
            run_id=event.run_id or "",
            path=event.path or "",
        )
        self.frames.append(frame)
        return frame


class StreamSession(_Session):
    """A flow's kickoff that begins when it is first iterated, and ends with the iteration.

    What the run raises is raised by the iteration. `close()` stops the run; leaving a `with` block does. A consumer that
    is slow gets more text at a time and slows nobody. `llm`, `flow`, … iterate one channel, `interleave` several.
    """

    def interleave(self, channels: Collection[str]) -> Iterator[StreamFrame]:
        """The frames of these channels, in their order."""
        return (frame for frame in self if frame.channel in channels)

    @property
    def events(self) -> Iterator[StreamFrame]:
        return iter(self)

    @property
    def llm(self) -> Iterator[StreamFrame]:
        return self.interleave(["llm"])

    @property
    def flow(self) -> Iterator[StreamFrame]:
        return self.interleave(["flow"])

    @property
    def tools(self) -> Iterator[StreamFrame]:
        return self.interleave(["tools"])

    @property
    def messages(self) -> Iterator[StreamFrame]:
        return self.interleave(["messages"])


class AsyncStreamSession(_Session):
    """As `StreamSession`, for `async for` and `async with`; stopped by `await aclose()`."""

    async def interleave(self, channels: Collection[str]) -> AsyncIterator[StreamFrame]:
        """The frames of these channels, in their order."""
        async for frame in self:
            if frame.channel in channels:
                yield frame

    @property
    def events(self) -> AsyncIterator[StreamFrame]:
        return aiter(self)

    @property
    def llm(self) -> AsyncIterator[StreamFrame]:
        return self.interleave(["llm"])

    @property
    def flow(self) -> AsyncIterator[StreamFrame]:
        return self.interleave(["flow"])

    @property
    def tools(self) -> AsyncIterator[StreamFrame]:
        return self.interleave(["tools"])

    @property
    def messages(self) -> AsyncIterator[StreamFrame]:
        return self.interleave(["messages"])


def _everything(_: type[BaseEvent]) -> bool:
    return True


def _said(run: Run, piece: Piece) -> BaseEvent:
    where: Mapping[str, Any] = {
        "timestamp": run.now(),
        "run_id": run.id,
        "path": piece.path,
        "agent_role": piece.agent or None,
        "call_id": f"{run.id}:{piece.path}",
    }
    if piece.kind == "restart":
        return LLMStreamRestartEvent(**where)
    if piece.kind == "text":
        return LLMStreamChunkEvent(**where, chunk=piece.text, call_type=LLMCallType.LLM_CALL, replayed=piece.replayed)
    function = FunctionCall(arguments=piece.text, name=piece.tool_name or None)
    called = ToolCall(function=function, type="function", index=piece.tool_index)
    return LLMStreamChunkEvent(
        **where, chunk=piece.text, tool_call=called, call_type=LLMCallType.TOOL_CALL, replayed=piece.replayed
    )


def _channel(event: BaseEvent) -> Channel:
    if not type(event).__module__.startswith(_OURS):
        return "custom"
    match event:
        case LLMStreamChunkEvent() | LLMThinkingChunkEvent() | LLMStreamRestartEvent():
            return "llm"
        case FlowEvent():
            return "flow"
        case ToolUsageEvent():
            return "tools"
        case _:
            return "lifecycle"


def _names_in(path: str) -> list[str]:
    return [part.partition("#")[0].partition("~")[0] for part in path.split("/") if part]
