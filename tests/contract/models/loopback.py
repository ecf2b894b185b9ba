"""A provider on 127.0.0.1 that answers what the test scripts: bodies, streams, faults. Counts what it was asked."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One scripted answer. `chunks` makes it a stream; `end` says how the connection goes on afterwards."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    chunks: Iterable[str | bytes] | None = None
    delay_s: float = 0.0
    chunk_delay_s: float = 0.0
    end: str = "whole"
    """`whole`, `cut` (no last chunk), `reset` (before any byte), `hang` (until the server stops)."""

    def data(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


@dataclass
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class Loopback:
    """`with Loopback(reply) as server:`; `reply` is a `Reply` or a function of the request."""

    def __init__(
        self, reply: Reply | Callable[[Asked], Reply] | None = None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.reply = reply or Reply({})
        self.asked: list[Asked] = []
        self.in_flight = self.most_in_flight = self.dropped = 0
        self.on_connection: Callable[[int], None] = lambda port: None
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                server._serve(self)

            do_GET = do_POST

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 1024
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a client that went away is what some tests are about

        self._http = Server(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._http.server_port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        if tls is not None:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)

    def __enter__(self) -> Loopback:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        asked = Asked(
            handler.command,
            handler.path,
            {key.lower(): value for key, value in handler.headers.items()},
            json.loads(raw) if raw else None,
        )
        self.on_connection(handler.client_address[1])
        with self._lock:
            self.asked.append(asked)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            self._send(handler, self.reply if isinstance(self.reply, Reply) else self.reply(asked))
        finally:
            with self._lock:
                self.in_flight -= 1

    def _send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        if reply.delay_s:
            time.sleep(reply.delay_s)
        if reply.end == "reset":
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.close_connection = True
            handler.connection.close()
            return
        if reply.end == "hang" and reply.chunks is None:
            self._hold(handler)
            return
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        if reply.chunks is None:
            data = reply.data()
            handler.send_header("content-type", reply.content_type)
            handler.send_header("content-length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data)
            return
        self._stream(handler, reply)

    def _stream(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        for chunk in reply.chunks or ():
            data = chunk if isinstance(chunk, bytes) else chunk.encode()
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            handler.wfile.flush()
            time.sleep(reply.chunk_delay_s)
        if reply.end == "hang":
            self._hold(handler)
        elif reply.end == "cut":
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
        else:
            handler.wfile.write(b"0\r\n\r\n")

    def _hold(self, handler: BaseHTTPRequestHandler) -> None:
        """Until the client goes away (counted) or the test ends."""
        handler.close_connection = True
        handler.connection.settimeout(0.01)
        while not self.stopping.is_set():
            try:
                if handler.connection.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            return
        with self._lock:
            self.dropped += 1


def sse(*events: Any, done: bool = True) -> list[str]:
    """Server-sent events in OpenAI's manner."""
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    return [*lines, "data: [DONE]\n\n"] if done else lines


def named_sse(*events: dict[str, Any]) -> list[str]:
    """Server-sent events with their type as name (Anthropic, OpenAI's responses)."""
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
