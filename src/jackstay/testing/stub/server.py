"""The stub server: model providers' HTTP APIs on a loopback port, with a request log and scripted answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from inspect import isawaitable
from types import TracebackType
from typing import Any, Self, TypeVar

from jackstay.core.usage import Usage
from jackstay.testing.stub.answering import Responder
from jackstay.testing.stub.control import Control
from jackstay.testing.stub.environment import client_environment
from jackstay.testing.stub.fault import Fault
from jackstay.testing.stub.http import Exchange, HttpConnection, serve
from jackstay.testing.stub.intake import Intake
from jackstay.testing.stub.log import Log, StubRequest
from jackstay.testing.stub.plan import AnswerFunction, Chance, Plan
from jackstay.testing.stub.reply import Reply, Rule
from jackstay.testing.stub.wire import WireFormat

T = TypeVar("T")
Latency = float | Callable[[StubRequest], float]


class Stub:
    """A server on 127.0.0.1 that speaks OpenAI chat completions, OpenAI responses and Anthropic messages.

    `with Stub() as stub:` or `async with Stub() as stub:`; `stub.environ()` points clients at it. Without a script it
    answers like the simulated model. It runs in a thread of its own; every method may be called from any thread.

    answer: answers the requests that no rule and no script covers (see `AnswerFunction`).
    latency_s: seconds before each answer, or a function of the request.
    pace_s: pause before each chunk of a stream; piece_chars: characters in a chunk.
    seed, rounds: of the simulated model (`rounds`: turns with tool calls before the answer).
    keys: the only keys that are accepted; None accepts any, and none.
    models: what the model lists show.
    """

    def __init__(
        self,
        answer: AnswerFunction | None = None,
        *,
        latency_s: Latency = 0.0,
        pace_s: float = 0.0,
        piece_chars: int = 24,
        seed: int = 0,
        rounds: int = 1,
        keys: Iterable[str] | None = None,
        models: Iterable[str] = ("gpt-4o-mini", "gpt-4.1-mini", "claude-sonnet-5"),
        port: int = 0,
        on_finished: Callable[[StubRequest], None] | None = None,
    ) -> None:
        self._plan = Plan(answer=answer, seed=seed, rounds=rounds)
        self._log = Log(on_finished)
        self._latency_s: Latency = latency_s
        self._pace_s, self._piece_chars = pace_s, piece_chars
        self._intake = Intake(keys=keys, models=tuple(models))
        self._control = Control(self, self._log)
        self._wanted_port, self._port = port, 0
        self._open_gate: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopped: asyncio.Event | None = None

    # --- life ---

    def start(self) -> Self:
        """Listens from the return on."""
        self._begin().result(timeout=30)
        return self

    def stop(self) -> None:
        """Closes the port and every connection. Harmless when it is not running."""
        if self._loop is None or self._thread is None or self._stopped is None:
            return
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(timeout=30)
        self._loop = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.wrap_future(self._begin())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        # Milliseconds, and the stub's own thread needs nothing of this loop.
        self.stop()

    # --- where it is ---

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`: what Anthropic's client wants."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def openai_url(self) -> str:
        """`url` + `/v1`: what OpenAI's client wants."""
        return f"{self.url}/v1"

    def environ(self) -> dict[str, str]:
        """Environment variables that point every provider's client at the stub, keys included."""
        return client_environment(self.url)

    # --- what it saw ---

    @property
    def requests(self) -> list[StubRequest]:
        """The model calls since the last reset, in order of arrival."""
        with self._log.changed:
            return list(self._log.requests)

    @property
    def other_requests(self) -> list[StubRequest]:
        """Everything else: model lists, token counts, unknown paths."""
        with self._log.changed:
            return list(self._log.others)

    @property
    def in_flight(self) -> int:
        return self._log.in_flight

    @property
    def max_in_flight(self) -> int:
        return self._log.max_in_flight

    def total_usage(self) -> Usage:
        """The sum of what the answers reported."""
        return self._log.total_usage()

    def wait_for(self, predicate: Callable[[Self], bool], timeout_s: float = 10.0) -> None:
        """Returns when `predicate(stub)` holds; looked at whenever a request arrives or ends.

        Raises `TimeoutError` with the log's state after `timeout_s`.
        """
        with self._log.changed:
            if not self._log.changed.wait_for(lambda: predicate(self), timeout_s):
                raise TimeoutError(
                    f"not so after {timeout_s} s: {len(self._log.requests)} requests, {self._log.in_flight} in flight"
                )

    def reset(self) -> None:
        """Forgets requests, scripts, rules and faults; latency stays."""
        self._on_loop(self._forget)

    # --- what it is told ---

    @property
    def latency_s(self) -> Latency:
        return self._latency_s

    @latency_s.setter
    def latency_s(self, latency_s: Latency) -> None:
        self._latency_s = latency_s

    def script(self, answers: Iterable[Any]) -> None:
        """Answers for the next requests, in order; None is an answer of the brain's. Added to what is left."""
        listed = list(answers)
        self._on_loop(lambda: self._plan.extend(listed))

    def rule(
        self,
        answer: Any,
        *,
        user: str | None = None,
        system: str | None = None,
        model: str | None = None,
        path: str | None = None,
        times: int | None = None,
    ) -> None:
        """An answer (or `Fault`) for the requests that match; the first rule that was given and matches counts."""
        rule = Rule(answer, user, system, model, path, times)
        self._on_loop(lambda: self._plan.add_rule(rule))

    def fault_at(self, index: int, fault: Fault | str) -> None:
        """A fault for one request by its number since the last reset (from 0)."""
        made = Fault.from_json(fault) if isinstance(fault, str) else fault
        self._on_loop(lambda: self._plan.by_index.__setitem__(index, made))

    def fault_by_chance(self, fault: Fault | str, probability: float, *, seed: int = 0) -> None:
        """A fault for a share of the requests; equal seeds strike the same request numbers."""
        made = Fault.from_json(fault) if isinstance(fault, str) else fault
        self._on_loop(lambda: self._plan.chances.append(Chance(made, probability, seed)))

    def hold(self) -> None:
        """Receives requests, but begins no answer until `release()`."""
        self._on_loop(self._close_gate)

    def release(self) -> None:
        """Lets the held requests be answered."""
        self._on_loop(self._free_gate)

    @contextmanager
    def held(self) -> Iterator[None]:
        """`with stub.held():` no answer begins inside the block."""
        self.hold()
        try:
            yield
        finally:
            self.release()

    # --- on the stub's loop ---

    def _begin(self) -> Future[None]:
        if self._thread is not None:
            raise RuntimeError("this stub is running already")
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="jackstay-stub", daemon=True)
        self._thread.start()
        return ready

    def _run(self, ready: Future[None]) -> None:
        # A loop of its own: a stub on the tested program's loop would be slowed down, or blocked, by what it measures.
        with asyncio.Runner() as runner:  # noqa: TID251 - on the stub's own thread
            runner.run(self._serve(ready))

    async def _serve(self, ready: Future[None]) -> None:
        connections: set[HttpConnection] = set()
        try:
            server = await serve(self._handle, self._wanted_port, connections)
        except OSError as exc:
            self._thread = None
            ready.set_exception(exc)
            return
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        self._port = server.sockets[0].getsockname()[1]
        ready.set_result(None)
        await self._stopped.wait()
        server.close()
        for connection in list(connections):
            connection.close()
        # One turn of the loop: the requests in flight are logged as ended.
        await asyncio.sleep(0)

    def _on_loop(self, change: Callable[[], T]) -> T:
        """Runs a change on the stub's loop and waits for it, so that the next request sees it."""
        loop = self._loop
        if loop is None or threading.current_thread() is self._thread:
            return change()
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(change())
            except BaseException as exc:  # noqa: BLE001 - handed to the caller, who waits for it
                done.set_exception(exc)

        loop.call_soon_threadsafe(run)
        return done.result(timeout=30)

    def _forget(self) -> None:
        self._plan.clear()
        self._log.reset()

    def _close_gate(self) -> None:
        if self._open_gate is None:
            self._open_gate = asyncio.Event()

    def _free_gate(self) -> None:
        if self._open_gate is not None:
            self._open_gate.set()
            self._open_gate = None

    def _handle(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        if exchange.request.path.startswith("/__stub__/"):
            return self._control.handle(exchange)
        request, wire, refusal = self._intake.read(exchange.request)
        self._log.opened(request, model_call=wire is not None)
        exchange.when_gone(lambda: self._log.closed(request, status=exchange.status, usage=None, left=True))
        if wire is None or refusal is not None:
            status, body = refusal or self._intake.other(exchange.request)
            self._log.closed(request, status=status, usage=None, left=False)
            exchange.send(status, {"content-type": "application/json"}, body)
            return None
        try:
            decided = self._plan.decide(request)
        except Exception as exc:  # noqa: BLE001 - users' answer functions
            decided = _failed(exc)
        if isawaitable(decided) or self._open_gate is not None or self._latency_of(request, decided):
            return self._answer_later(exchange, request, wire, decided)
        responder = self._responder(exchange, request, wire, decided)
        return None if responder.immediate() else responder.gradual()

    async def _answer_later(self, exchange: Exchange, request: StubRequest, wire: WireFormat, decided: Any) -> None:
        try:
            reply: Reply = await decided if isawaitable(decided) else decided
        except Exception as exc:  # noqa: BLE001 - users' answer functions
            reply = _failed(exc)
        if self._open_gate is not None:
            await self._open_gate.wait()
        latency_s = self._latency_of(request, reply)
        if latency_s:
            await asyncio.sleep(latency_s)
        responder = self._responder(exchange, request, wire, reply)
        if not responder.immediate():
            await responder.gradual()

    def _responder(self, exchange: Exchange, request: StubRequest, wire: WireFormat, reply: Reply) -> Responder:
        request.fault = reply.fault.label if reply.fault is not None else ""

        def on_end(status: int | None, usage: Usage | None) -> None:
            self._log.closed(request, status=status, usage=usage, left=False)

        return Responder(
            exchange, request, reply, wire, piece_chars=self._piece_chars, pace_s=self._pace_s, on_end=on_end
        )

    def _latency_of(self, request: StubRequest, reply: Reply) -> float:
        if reply.latency_s is not None:
            return reply.latency_s
        return self._latency_s(request) if callable(self._latency_s) else self._latency_s


def _failed(exc: Exception) -> Reply:
    """A mistake in an answer function shows where the test looks: in the client's error."""
    return Reply(fault=Fault.http(500, f"the stub's answer function failed: {exc!r}"))
