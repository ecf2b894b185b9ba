"""A small HTTP/1.1 server: bytes in, requests out, answers in the ways that real servers give or fail to give them.

Knows nothing of models. Not `asyncio.start_server`: its streams cost half of the stub's throughput, and a protocol
hears at once that a client has left. Requests on one connection are answered one after the other (keep-alive).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

_REASONS = {status.value: status.phrase for status in HTTPStatus} | {529: "Site Overloaded"}


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


Handler = Callable[["Exchange"], "Coroutine[Any, Any, None] | None"]
"""Answers an exchange: at once (returns None), or later (returns the coroutine that does; it is cancelled when the
client leaves)."""


class Exchange:
    """One request and the answer being given to it."""

    __slots__ = ("_connection", "_on_gone", "done", "gone", "request", "status")

    def __init__(self, connection: HttpConnection, request: HttpRequest) -> None:
        self._connection = connection
        self._on_gone: Callable[[], None] | None = None
        self.request = request
        self.gone = False
        """The client closed the connection before the answer's end."""
        self.done = False
        self.status: int | None = None

    def when_gone(self, call: Callable[[], None]) -> None:
        """Called once if the client leaves before the end."""
        self._on_gone = call

    def send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """The whole answer."""
        self.status = status
        self._write(_head(status, {**headers, "content-length": str(len(body))}) + body)
        self.end()

    def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Status and headers; `headers` say how the end will be known (content-length or chunked)."""
        self.status = status
        self._write(_head(status, headers))

    def start_stream(self, status: int, headers: Mapping[str, str]) -> None:
        self.start(status, {**headers, "transfer-encoding": "chunked"})

    def write(self, data: bytes) -> None:
        """Raw bytes of the body."""
        self._write(data)

    def chunk(self, data: bytes) -> None:
        self._write(b"%x\r\n%b\r\n" % (len(data), data))

    def end_stream(self) -> None:
        self._write(b"0\r\n\r\n")
        self.end()

    async def drained(self) -> None:
        """Waits while the client reads too slowly."""
        await self._connection.writable.wait()

    def end(self) -> None:
        if not self.done:
            self.done = True
            self._connection.finished(self)

    def cut(self) -> None:
        """Ends the connection in the middle of the answer (FIN: `incomplete read` at the client)."""
        self.done = True
        self._connection.close()

    def reset(self) -> None:
        """Ends the connection with a TCP RST: `connection reset by peer` at the client."""
        self.done = True
        self._connection.reset()

    def _write(self, data: bytes) -> None:
        if not self.gone:
            self._connection.write(data)

    def left(self) -> None:
        """The connection's word that the client is gone."""
        if not self.done:
            self.gone = self.done = True
            if self._on_gone is not None:
                self._on_gone()


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class HttpConnection(asyncio.Protocol):
    """One client connection."""

    def __init__(self, handler: Handler, connections: set[HttpConnection]) -> None:
        self._handler = handler
        self._connections = connections
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._current: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._close_after = False
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._connections.discard(self)
        self.writable.set()
        if self._current is not None:
            self._current.left()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def _next(self) -> None:
        while self._current is None and self._transport is not None:
            request = self._take_request()
            if request is None:
                return
            exchange = self._current = Exchange(self, request)
            later = self._handler(exchange)
            if later is not None:
                self._task = asyncio.get_running_loop().create_task(later)

    def _take_request(self) -> HttpRequest | None:
        """The next whole request in the buffer."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        lines = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        parts = lines[0].split(" ")
        if len(parts) != 3 or "chunked" in headers.get("transfer-encoding", ""):
            # Bodies of unknown length: no client of a model API sends them.
            self._refuse(400 if len(parts) != 3 else 411)
            return None
        size = int(headers.get("content-length") or 0)
        if len(self._buffer) < end + 4 + size:
            if headers.get("expect", "").lower() == "100-continue" and len(self._buffer) == end + 4:
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        body = bytes(self._buffer[end + 4 : end + 4 + size])
        del self._buffer[: end + 4 + size]
        path, _, query = parts[1].partition("?")
        self._close_after = headers.get("connection", "").lower() == "close" or parts[2] == "HTTP/1.0"
        return HttpRequest(parts[0], path, query, headers, body)

    def _refuse(self, status: int) -> None:
        self._buffer.clear()
        self.write(_head(status, {"content-length": "0", "connection": "close"}))
        self.close()

    def finished(self, exchange: Exchange) -> None:
        """The current exchange is answered: the connection is free for its next request."""
        if exchange is not self._current:
            return
        self._current = None
        self._task = None
        if self._close_after:
            self.close()
        elif self._buffer:
            # Not at once: the handler of the finished exchange is still on the stack.
            asyncio.get_running_loop().call_soon(self._next)

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        if self._transport is not None:
            # Linger 0: the kernel drops what is unsent and answers with RST instead of FIN.
            sock: socket.socket = self._transport.get_extra_info("socket")
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()


async def serve(handler: Handler, port: int, connections: set[HttpConnection]) -> asyncio.Server:
    """Listens on 127.0.0.1; port 0 takes a free one."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: HttpConnection(handler, connections), "127.0.0.1", port, backlog=4096, reuse_address=True
    )
