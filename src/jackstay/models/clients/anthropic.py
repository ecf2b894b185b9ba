"""Connections through Anthropic's SDK."""

from __future__ import annotations

from collections.abc import Mapping

from anthropic import AsyncAnthropic
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

from jackstay.models.connection import WireConnection
from jackstay.models.network import http_client
from jackstay.models.provider import Endpoint


def connect(endpoint: Endpoint, environ: Mapping[str, str]) -> WireConnection:
    """A connection to one address with one key. The SDK adds `/v1` itself."""
    http = http_client(endpoint.base_url, environ)
    client = AsyncAnthropic(
        api_key=str(endpoint.key),
        base_url=(endpoint.base_url or "").removesuffix("/v1"),
        http_client=http,
        max_retries=0,
        timeout=http.timeout,
    )
    provider = AnthropicProvider(anthropic_client=client)

    def build(endpoint: Endpoint) -> Model:
        return AnthropicModel(endpoint.model, provider=provider)

    async def models() -> list[str]:
        return [model.id async for model in client.models.list()]

    return WireConnection(build, environ=environ, models=models, close=client.close)
