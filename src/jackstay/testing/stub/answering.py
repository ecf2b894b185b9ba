"""Puts a decided reply on the wire, with whatever is to go wrong. Knows HTTP and the wire formats, not the plan."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any

from jackstay.core.usage import Usage
from jackstay.testing.stub.fault import Fault
from jackstay.testing.stub.http import Exchange
from jackstay.testing.stub.log import StubRequest
from jackstay.testing.stub.reply import Reply
from jackstay.testing.stub.wire import Answering, WireFormat, compact, usage_of

_JSON = {"content-type": "application/json"}
_EVENTS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


class Responder:
    """Writes one reply to one exchange. `immediate` does it at once if nothing has to be waited for.

    on_end: told status and reported usage (None: the answer was not whole) just before the last bytes go out, so
    that a client that has its answer finds it in the log.
    """

    def __init__(
        self,
        exchange: Exchange,
        request: StubRequest,
        reply: Reply,
        wire: WireFormat,
        *,
        piece_chars: int,
        pace_s: float,
        on_end: Callable[[int | None, Usage | None], None],
    ) -> None:
        self._exchange, self._request, self._reply, self._wire = exchange, request, reply, wire
        self._piece_chars, self._pace_s, self._on_end = piece_chars, pace_s, on_end

    def immediate(self) -> bool:
        """Answers without waiting, if this reply can be; else does nothing and returns False."""
        fault = self._reply.fault
        if fault is None and not (self._request.stream and self._pace_s):
            self._plain()
            return True
        if fault is not None and fault.kind in ("status", "reset", "invalid_json", "no_choices"):
            self._broken(fault)
            return True
        return False

    async def gradual(self) -> None:
        """Answers with pauses, or with a fault that takes time."""
        fault = self._reply.fault or Fault.drip(self._pace_s)
        match fault.kind:
            case "hang":
                await _for_ever()
            case _ if self._request.stream:
                await self._stream(fault)
            case _:
                await self._body(fault)

    def _plain(self) -> None:
        answer = self._answering()
        if self._request.stream:
            self._exchange.start_stream(200, self._headers(_EVENTS))
            frames = b"".join(self._wire.frames(answer))
            self._on_end(200, answer.usage)
            self._exchange.chunk(frames)
            self._exchange.end_stream()
        else:
            body = compact(self._wire.whole(answer))
            self._on_end(200, answer.usage)
            self._exchange.send(200, self._headers(_JSON), body)

    def _broken(self, fault: Fault) -> None:
        if fault.kind == "reset":
            self._on_end(None, None)
            self._exchange.reset()
        elif fault.kind == "invalid_json":
            self._on_end(200, None)
            self._exchange.send(200, self._headers(_JSON), b'{"id": "stub", "choices": [{"message": {"content": "cut')
        elif fault.kind == "no_choices":
            answer = self._answering()
            self._on_end(200, answer.usage)
            self._exchange.send(200, self._headers(_JSON), compact(self._wire.empty(answer)))
        else:
            status = self._status(fault)
            self._on_end(status, None)
            headers = self._headers({**_JSON, **retry_headers(fault, time.time())})
            self._exchange.send(status, headers, compact(self._wire.error(fault, self._request.model)))

    def _status(self, fault: Fault) -> int:
        # Anthropic says "no credit" with a 400.
        return 400 if fault.reason == "quota" and self._wire.api == "anthropic" else fault.status

    async def _stream(self, fault: Fault) -> None:
        answer = self._answering()
        frames = self._wire.frames(answer)
        whole = fault.kind == "drip"
        self._exchange.start_stream(200, self._headers(_EVENTS))
        for frame in frames[:-1] if whole else frames[: fault.after_chunks]:
            if whole:
                await asyncio.sleep(fault.interval_s)
            self._exchange.chunk(frame)
            await self._exchange.drained()
        if whole:
            self._on_end(200, answer.usage)
            self._exchange.chunk(frames[-1])
            self._exchange.end_stream()
        elif fault.kind == "error_event":
            self._on_end(200, None)
            self._exchange.chunk(self._wire.error_frame(fault, self._request.model))
            self._exchange.end_stream()
        elif fault.kind == "cut":
            self._on_end(200, None)
            self._exchange.cut()
        else:
            await _for_ever()

    async def _body(self, fault: Fault) -> None:
        if fault.kind == "error_event":
            self._broken(Fault.http(500, fault.message))
            return
        answer = self._answering()
        body = compact(self._wire.whole(answer))
        self._exchange.start(200, self._headers({**_JSON, "content-length": str(len(body))}))
        if fault.kind == "drip":
            for start in range(0, len(body), 64):
                await asyncio.sleep(fault.interval_s)
                if start + 64 >= len(body):
                    self._on_end(200, answer.usage)
                self._exchange.write(body[start : start + 64])
            self._exchange.end()
            return
        self._exchange.write(body[: len(body) // 2])
        if fault.kind == "cut":
            self._on_end(200, None)
            self._exchange.cut()
        else:
            await _for_ever()

    def _answering(self) -> Answering:
        request, reply = self._request, self._reply
        return Answering(
            number=request.index,
            created=int(request.received_s),
            model=reply.model or request.model,
            reply=reply,
            usage=usage_of(request.body, reply),
            piece_chars=self._piece_chars,
            with_usage=bool((request.body.get("stream_options") or {}).get("include_usage")),
        )

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {**headers, **self._wire.headers(self._request.index)}


def retry_headers(fault: Fault, now_s: float) -> dict[str, str]:
    """`Retry-After` in the wanted form."""
    if fault.retry_after_s is None:
        return {}
    match fault.retry_form:
        case "ms":
            return {"retry-after-ms": f"{fault.retry_after_s * 1000:g}"}
        case "date":
            return {"retry-after": formatdate(now_s + fault.retry_after_s, usegmt=True)}
        case _:
            return {"retry-after": f"{fault.retry_after_s:g}"}


async def _for_ever() -> Any:
    """Until the client leaves: the exchange's task is cancelled then."""
    await asyncio.get_running_loop().create_future()
