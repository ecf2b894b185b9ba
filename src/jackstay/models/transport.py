"""HTTP for the SDKs' clients: the interface of their library, the connections of aiohttp.

Their library's own transport took half of a request's CPU time, and more the more calls were in flight
(`bench/bench_crews.py`): its pool looks at every open connection whenever a request starts or ends.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import aiohttp
import httpx2
from aiohttp import payload
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from jackstay.models.turnstile import TICKET, Ticket

SKIPPED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""Headers that aiohttp would add: the client has said what it wants to send."""


class Prepared:
    """What stands around a request's body, in aiohttp's words; good for many requests."""

    def __init__(self, request: httpx2.Request) -> None:
        self.method, self.url = request.method, URL(str(request.url), encoded=True)
        self.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        limits = request.extensions.get("timeout") or {}
        self.timeout = aiohttp.ClientTimeout(
            total=None, connect=limits.get("pool"), sock_connect=limits.get("connect"), sock_read=limits.get("read")
        )


class Whole(NamedTuple):
    """An answer that was read to its end, its content as it came."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    content: bytes
    extensions: dict[str, Any]

    @property
    def is_plain(self) -> bool:
        """A success whose content is not compressed."""
        return 200 <= self.status < 300 and not any(name.lower() == b"content-encoding" for name, _ in self.headers)

    def response(self, request: httpx2.Request) -> httpx2.Response:
        """As the client has it, which decompresses."""
        return httpx2.Response(
            self.status, headers=self.headers, content=self.content, extensions=self.extensions, request=request
        )


class Transport(httpx2.AsyncBaseTransport):
    """As many connections as there are requests (the engine's limiter is the limit), kept open for `keepalive_s`.
    One TLS context serves them all. Belongs to the loop of its first request. SOCKS proxies are not known."""

    def __init__(self, *, proxy: str | None, verify: ssl.SSLContext | bool, keepalive_s: float) -> None:
        self._proxy, self._keepalive_s = proxy, keepalive_s
        self._context = httpx2.create_ssl_context(trust_env=False) if verify is True else verify
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._answer(Prepared(request), await request.aread())
        return httpx2.Response(
            status_code=answer.status,
            headers=answer.raw_headers,
            stream=_Answer(answer),
            extensions=_said(answer),
        )

    async def whole(self, prepared: Prepared, content: bytes) -> Whole:
        """One answer, read to its end. Raises what the client raises."""
        answer = await self._answer(prepared, content)
        with _in_their_words():
            return Whole(answer.status, answer.raw_headers, await answer.read(), _said(answer))

    async def _answer(self, prepared: Prepared, content: bytes) -> aiohttp.ClientResponse:
        ticket = TICKET.get()
        with _in_their_words():
            answer = await self._opened().request(
                prepared.method,
                prepared.url,
                headers=prepared.headers,
                data=_Body(content, ticket) if content or ticket is not None else None,
                allow_redirects=False,
                proxy=self._proxy,
                timeout=prepared.timeout,
            )
        if ticket is not None:
            ticket.answered(answer.status, answer.raw_headers)
            try:
                await ticket.read()
            except BaseException:  # cancelled: nobody else knows of the answer yet
                answer.close()
                raise
        return answer

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=self._keepalive_s, ssl=self._context)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=SKIPPED,
                trust_env=False,
            )
        return self._session

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()


class HttpClient(httpx2.AsyncClient):
    """What the SDKs are given. `transport` is there for who can do without the client's layers (redirects, cookies,
    streams inside of streams), which take longer than the request."""

    def __init__(self, transport: Transport, *, connect_timeout_s: float) -> None:
        super().__init__(
            transport=transport,
            trust_env=False,
            follow_redirects=True,
            timeout=httpx2.Timeout(None, connect=connect_timeout_s),
        )
        self.transport = transport


def _said(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    return {"http_version": b"HTTP/1.1", "reason_phrase": (answer.reason or "").encode()}


class _Body(payload.Payload):
    """A request's body. When it is written, the headers have gone out."""

    def __init__(self, content: bytes, ticket: Ticket | None) -> None:
        super().__init__(content)
        self._content, self._ticket, self._size = content, ticket, len(content)

    async def write(self, writer: AbstractStreamWriter) -> None:
        if self._ticket is not None:
            self._ticket.sent()
        await writer.write(self._content)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._content.decode(encoding, errors)


class _Answer(httpx2.AsyncByteStream):
    """A response's body; its connection is busy until the body is closed."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self._answer.content
        with _in_their_words():
            while piece := await content.readany():
                yield piece

    async def aclose(self) -> None:
        if self._answer.content.at_eof():
            self._answer.release()
        else:
            self._answer.close()


# The first that fits.
WORDS: tuple[tuple[type[Exception], type[httpx2.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx2.ConnectTimeout),
    (aiohttp.ServerTimeoutError, httpx2.ReadTimeout),
    (aiohttp.ClientProxyConnectionError, httpx2.ProxyError),
    (aiohttp.ClientHttpProxyError, httpx2.ProxyError),
    (aiohttp.ClientConnectorError, httpx2.ConnectError),
    (aiohttp.ClientPayloadError, httpx2.RemoteProtocolError),
    (aiohttp.ServerDisconnectedError, httpx2.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx2.RemoteProtocolError),
    (aiohttp.ClientConnectionError, httpx2.ReadError),
    (aiohttp.InvalidURL, httpx2.UnsupportedProtocol),
    (aiohttp.ClientError, httpx2.NetworkError),
    (OSError, httpx2.NetworkError),
)


@contextmanager
def _in_their_words() -> Iterator[None]:
    """Failures as the client's library names them, the cause kept."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as exc:
        kind = next(theirs for ours, theirs in WORDS if isinstance(exc, ours))
        raise kind(str(exc) or type(exc).__name__) from exc
