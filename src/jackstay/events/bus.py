"""The event bus: who listens to which events, and how events reach them.

Events of a run are handed on in their order, one after the other, beside the run: sync handlers on a thread of the pool,
async ones on the run's home loop. A kickoff returns when its handlers have heard it. What a handler raises is told as a
warning and changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Any, TypeVar

from jackstay.core.events import Event
from jackstay.engine.bridge import run_sync
from jackstay.engine.home import CallerHome, Home
from jackstay.engine.run import Run
from jackstay.engine.runtime import Runtime, current_runtime
from jackstay.engine.scope import current_scope
from jackstay.engine.telling import listeners, listeners_home
from jackstay.engine.user_code import UserExit, tell_user
from jackstay.events.base_events import BaseEvent
from jackstay.events.line import Line, Told
from jackstay.events.order import After, Handler, Registered, in_order, registered

F = TypeVar("F", bound=Handler)
Translate = Callable[[Run, Event, Any, Callable[[type[BaseEvent]], bool]], Sequence[tuple[Any, BaseEvent]]]
"""The public events of what the engine tells, each with its source; only those that somebody listens to."""

CAUGHT_UP_S = 5.0
"""How long a kickoff waits for its handlers when it has ended."""


class EventBus:
    """One for the process: `jackstay.events.event_bus`. Handlers are called with the source and the event."""

    def __init__(self, translate: Translate) -> None:
        self._translate = translate
        self._handlers: dict[type[BaseEvent], tuple[Registered, ...]] = {}
        self._lock = threading.Lock()
        self.taps: list[Callable[[Run, BaseEvent], None]] = []
        """Who hears everything that is emitted inside runs, on the engine loop: streams."""
        self._lines: dict[str, Line] = {}
        """On the engine loop: the runs with events that have not been handed on."""
        self._flying: set[Future[None]] = set()
        """Emitted by users and not handed on yet."""

    # --- who listens -------------------------------------------------------------------------------------------------

    def on(self, event_type: type[BaseEvent], depends_on: After = None) -> Callable[[F], F]:
        """Decorator: the function, `def` or `async def`, is called with `(source, event)` for each such event; after the
        handlers that it depends on."""

        def decorated(handler: F) -> F:
            self.register_handler(event_type, handler, depends_on)
            return handler

        return decorated

    def register_handler(self, event_type: type[BaseEvent], handler: Handler, depends_on: After = None) -> None:
        """From now on, for this class and its subclasses. Raises `DefinitionError` if two wait for one another."""
        with self._lock:
            new = registered(handler, depends_on)
            in_order([*self._heard_with(event_type), new])
            self._set({**self._handlers, event_type: (*self._handlers.get(event_type, ()), new)})

    def _heard_with(self, event_type: type[BaseEvent]) -> Iterator[Registered]:
        """Who may hear the same event as a handler of this class."""
        for cls, known in self._handlers.items():
            if issubclass(cls, event_type) or issubclass(event_type, cls):
                yield from known

    def off(self, event_type: type[BaseEvent], handler: Handler) -> None:
        """Not any more; nothing happens if it was not registered."""
        with self._lock:
            left = tuple(each for each in self._handlers.get(event_type, ()) if each.handler is not handler)
            self._set({**self._handlers, event_type: left})

    @contextmanager
    def scoped_handlers(self) -> Iterator[None]:
        """In the block there are no handlers but those that are registered in it; afterwards those before it, again."""
        with self._lock:
            before = self._handlers
            self._set({})
        try:
            yield
        finally:
            with self._lock:
                self._set(before)

    def _set(self, handlers: dict[type[BaseEvent], tuple[Registered, ...]]) -> None:
        self._handlers = {cls: known for cls, known in handlers.items() if known}
        if self._handlers and self not in listeners:
            listeners.append(self)
        elif not self._handlers and self in listeners:
            listeners.remove(self)

    def handlers_of(self, event_type: type[BaseEvent]) -> tuple[Handler, ...]:
        known = self._handlers
        return in_order([each for cls in event_type.__mro__ for each in known.get(cls, ())])

    # --- from the engine ---------------------------------------------------------------------------------------------

    def hear(self, run: Run, event: Event, about: Any) -> None:
        """On the engine loop."""
        try:
            for source, made in self._translate(run, event, about, lambda cls: bool(self.handlers_of(cls))):
                self._queue(run, source, made)
        except Exception as error:  # noqa: BLE001 - an observer cannot change or fail a run
            _log().warning("run %s: no event was made of %s: %r", run.id, event.name, error)

    async def caught_up(self, run: Run) -> None:
        line = self._lines.get(run.id)
        if line is None:
            return
        late = line.task is not None and (await asyncio.wait([line.task], timeout=CAUGHT_UP_S))[1]
        if run.ended is not None and not late:
            self._lines.pop(run.id, None)
        if late:
            text = f"handlers of events are {CAUGHT_UP_S:g} s behind; the kickoff has not waited for them any longer"
            run.tell("warning", "", text=text)

    def _queue(self, run: Run, source: Any, event: BaseEvent, done: Future[None] | None = None) -> None:
        line = self._lines.get(run.id)
        if line is None:
            line = self._lines[run.id] = Line()
        line.add(Told(source, event, listeners_home(), done))
        if line.task is None:
            line.task = asyncio.ensure_future(self._hand_on(run, line))

    async def _hand_on(self, run: Run, line: Line) -> None:
        def failed(text: str) -> None:
            run.tell("warning", "", text=text)

        while line.waiting:
            told = line.next()
            if told.home is not None:
                await self._call_all(run.runtime, told.home, told.source, told.event, failed)
            if told.done is not None:
                told.done.set_result(None)
        line.task = None

    async def _call_all(
        self, runtime: Runtime, home: Home, source: Any, event: BaseEvent, failed: Callable[[str], None]
    ) -> None:
        for handler in self.handlers_of(type(event)):
            try:
                await tell_user(runtime, home, handler, source, event)
            except (Exception, UserExit) as error:  # noqa: BLE001 - an observer cannot change or fail a run
                name = getattr(handler, "__name__", None) or repr(handler)
                failed(f"the handler {name} of {event.type} failed: {type(error).__name__}: {error}")

    # --- from users --------------------------------------------------------------------------------------------------

    def emit(self, source: Any, event: BaseEvent) -> Future[None] | None:
        """Hands an event of yours on and returns at once; the future ends when the handlers have heard it. None: nobody
        listens. Inside a run it comes after what the run has told before."""
        scope = current_scope()
        if scope is not None:
            event.run_id, event.path = scope.run.id, event.path or scope.path
            for tap in tuple(self.taps):
                scope.run.runtime.engine_loop.loop.call_soon_threadsafe(tap, scope.run, event)
        if not self.handlers_of(type(event)):
            return None
        runtime = current_runtime()
        done: Future[None]
        if scope is not None:
            run, done = scope.run, Future()
            run.runtime.engine_loop.loop.call_soon_threadsafe(self._queue, run, source, event, done)
        elif (loop := _running()) is not None:
            home = CallerHome(loop)
            done = runtime.engine_loop.submit(lambda: self._outside(runtime, home, source, event)).future
        else:
            done = runtime.pool.submit(
                lambda: run_sync(runtime, lambda home: self._outside(runtime, home, source, event))
            )
        self._flying.add(done)
        done.add_done_callback(self._flying.discard)
        return done

    async def aemit(self, source: Any, event: BaseEvent) -> None:
        """As `emit`, and waits until the handlers have heard it."""
        done = self.emit(source, event)
        if done is not None:
            await asyncio.wrap_future(done)

    async def _outside(self, runtime: Runtime, home: Home, source: Any, event: BaseEvent) -> None:
        await self._call_all(runtime, home, source, event, lambda text: _log().warning("%s", text))

    def flush(self, timeout: float | None = 30.0) -> bool:
        """Waits until what was emitted so far has been heard; False: `timeout` seconds were not enough. (A kickoff that
        has returned has been heard already.)"""
        return not wait(tuple(self._flying), timeout).not_done


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _log() -> logging.Logger:
    return logging.getLogger("jackstay")
