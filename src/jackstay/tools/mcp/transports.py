"""The SDK's ways to a server at a URL. This module imports the extra `mcp`: it is imported when a connection is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client


@asynccontextmanager
async def streamable_http(
    url: str, headers: Mapping[str, str] | None, timeout_s: float, read_timeout_s: float
) -> AsyncIterator[Any]:
    """Streamable HTTP, with headers of the user's own."""
    timeout = httpx2.Timeout(timeout_s, read=read_timeout_s)
    async with (
        httpx2.AsyncClient(headers=dict(headers or {}), timeout=timeout) as client,
        streamable_http_client(url, http_client=client) as streams,
    ):
        yield streams


def sse(
    url: str, headers: Mapping[str, str] | None, timeout_s: float, read_timeout_s: float
) -> AbstractAsyncContextManager[Any]:
    """Server-sent events."""
    return sse_client(url, headers=dict(headers or {}), timeout=timeout_s, sse_read_timeout=read_timeout_s)
