"""Connections to Azure OpenAI: a deployment of a resource, with the resource's key."""

from __future__ import annotations

from collections.abc import Mapping

from openai import AsyncAzureOpenAI, AsyncOpenAI
from pydantic_ai.providers.azure import AzureProvider
from pydantic_ai.providers.openai import OpenAIProvider

from jackstay.models.clients.openai import connection
from jackstay.models.connection import WireConnection
from jackstay.models.network import http_client
from jackstay.models.provider import Endpoint


def connect(endpoint: Endpoint, environ: Mapping[str, str]) -> WireConnection:
    """A connection to one resource. The Responses API is served without a deployment's path or a version."""
    http = http_client(endpoint.base_url, environ)
    key = str(endpoint.key)
    client: AsyncOpenAI
    if endpoint.api == "responses":
        url = f"{endpoint.base_url}/openai/v1"
        client = AsyncOpenAI(
            api_key=key,
            base_url=url,
            default_headers={"api-key": key},
            http_client=http,
            max_retries=0,
            timeout=http.timeout,
        )
        return connection(client, OpenAIProvider(openai_client=client), environ)
    client = AsyncAzureOpenAI(
        api_key=key,
        azure_endpoint=str(endpoint.base_url),
        api_version=endpoint.api_version,
        http_client=http,
        max_retries=0,
        timeout=http.timeout,
    )
    return connection(client, AzureProvider(openai_client=client), environ)
