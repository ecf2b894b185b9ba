"""Connections through Google's SDK: Gemini's API with a key, or Google Cloud with a project."""

from __future__ import annotations

from collections.abc import Mapping

from google.genai import Client
from google.genai.types import HttpOptions
from pydantic_ai.models import Model
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.providers.google import GoogleProvider

from jackstay.models.connection import WireConnection
from jackstay.models.network import http_client
from jackstay.models.provider import Endpoint


def connect(endpoint: Endpoint, environ: Mapping[str, str]) -> WireConnection:
    """A connection with one key or project. The SDK does not retry unless it is told to."""
    http = http_client(endpoint.base_url or "https://aiplatform.googleapis.com", environ)
    options = dict(endpoint.options)
    transport = HttpOptions(base_url=endpoint.base_url, httpx_async_client=http)
    if options.get("vertexai"):
        client = Client(
            vertexai=True, project=options.get("project"), location=options.get("location"), http_options=transport
        )
    else:
        client = Client(vertexai=False, api_key=str(endpoint.key), http_options=transport)
    provider = GoogleProvider(client=client)

    def build(endpoint: Endpoint) -> Model:
        return GoogleModel(endpoint.model, provider=provider)

    async def models() -> list[str]:
        names = [model.name async for model in await client.aio.models.list()]
        return [name.removeprefix("models/") for name in names if name]

    return WireConnection(build, environ=environ, models=models, close=http.aclose)
