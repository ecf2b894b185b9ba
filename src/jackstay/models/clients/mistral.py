"""Connections through Mistral's SDK."""

from __future__ import annotations

from collections.abc import Mapping

from mistralai.client import Mistral
from pydantic_ai.models import Model
from pydantic_ai.models.mistral import MistralModel
from pydantic_ai.providers.mistral import MistralProvider

from jackstay.models.connection import WireConnection
from jackstay.models.network import http_client
from jackstay.models.provider import Endpoint


def connect(endpoint: Endpoint, environ: Mapping[str, str]) -> WireConnection:
    """A connection to one address with one key. The SDK adds `/v1` itself, and does not retry by default."""
    http = http_client(endpoint.base_url, environ)
    url = (endpoint.base_url or "").removesuffix("/v1")
    client = Mistral(api_key=str(endpoint.key), server_url=url, async_client=http)
    provider = MistralProvider(mistral_client=client)

    def build(endpoint: Endpoint) -> Model:
        return MistralModel(endpoint.model, provider=provider)

    async def models() -> list[str]:
        listed = await client.models.list_async()
        return [name for model in listed.data or [] if (name := getattr(model, "id", None))]

    return WireConnection(build, environ=environ, models=models, close=http.aclose)
