"""The stub's own paths, `/__stub__/…`: its log and its script for readers in other processes (`RemoteStub`)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs

from jackstay.testing.stub.fault import Fault
from jackstay.testing.stub.http import Exchange
from jackstay.testing.stub.log import Log
from jackstay.testing.stub.reply import Reply
from jackstay.testing.stub.wire import compact

_LONGEST_WAIT_S = 60.0


class Controlled(Protocol):
    """What can be told from outside: the stub's own methods."""

    latency_s: Any

    def script(self, answers: list[Any]) -> None: ...
    @property
    def rule(self) -> Callable[..., None]: ...
    def fault_at(self, index: int, fault: Fault | str) -> None: ...
    def fault_by_chance(self, fault: Fault | str, probability: float, *, seed: int = 0) -> None: ...
    def hold(self) -> None: ...
    def release(self) -> None: ...
    def reset(self) -> None: ...


class Control:
    def __init__(self, stub: Controlled, log: Log) -> None:
        self._stub, self._log = stub, log

    def handle(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """`GET log?since=V&wait_s=S`, or `POST` of one of the methods with its arguments as JSON."""
        request = exchange.request
        command = request.path.removeprefix("/__stub__/")
        if request.method == "GET" and command == "log":
            query = {name: values[0] for name, values in parse_qs(request.query).items()}
            return self._send_log(exchange, int(query.get("since", 0)), float(query.get("wait_s", 0)))
        try:
            self._tell(command, json.loads(request.body or b"{}"))
        except (LookupError, TypeError, ValueError) as exc:
            _send(exchange, 400, {"error": repr(exc)})
        else:
            _send(exchange, 200, {"ok": True})
        return None

    def _tell(self, command: str, body: Mapping[str, Any]) -> None:
        match command:
            case "script":
                self._stub.script([answer_from_json(one) for one in body["answers"]])
            case "rule":
                self._stub.rule(answer_from_json(body["answer"]), **body["conditions"])
            case "fault_at":
                self._stub.fault_at(body["index"], Fault.from_json(body["fault"]))
            case "fault_by_chance":
                self._stub.fault_by_chance(Fault.from_json(body["fault"]), body["probability"], seed=body["seed"])
            case "latency":
                self._stub.latency_s = float(body["latency_s"])
            case "hold":
                self._stub.hold()
            case "release":
                self._stub.release()
            case "reset":
                self._stub.reset()
            case _:
                raise LookupError(f"unknown command {command!r}")

    async def _send_log(self, exchange: Exchange, since: int, wait_s: float) -> None:
        """The changes after version `since`; waits for one if there is none yet."""
        if self._log.version <= since:
            changed = asyncio.Event()
            self._log.watchers.add(changed.set)
            try:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), min(wait_s, _LONGEST_WAIT_S))
            finally:
                self._log.watchers.discard(changed.set)
        _send(exchange, 200, self._log.since(since))


def _send(exchange: Exchange, status: int, body: Any) -> None:
    exchange.send(status, {"content-type": "application/json"}, compact(body))


def answer_to_json(answer: Reply | None) -> Any:
    return None if answer is None else answer.to_json()


def answer_from_json(body: Any) -> Reply | None:
    return None if body is None else Reply.from_json(body)
