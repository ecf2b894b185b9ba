"""Connections to AWS Bedrock through boto3, which the wire library runs in threads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from pydantic_ai.models import Model
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.providers.bedrock import BedrockProvider

from jackstay.models.connection import DEFAULT_LIMIT_S, WireConnection
from jackstay.models.network import CONNECT_TIMEOUT_S, proxy_for
from jackstay.models.provider import Endpoint

CONNECTIONS = 256
"""boto3's own 10 would hold back all but ten calls."""


def connect(endpoint: Endpoint, environ: Mapping[str, str]) -> WireConnection:
    """A connection to one region. Credentials: the environment that the wire was given, else boto3's own search."""
    options = dict(endpoint.options)
    session = boto3.Session(
        aws_access_key_id=environ.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=environ.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=environ.get("AWS_SESSION_TOKEN"),
        region_name=options.get("region_name"),
        profile_name=options.get("profile_name"),
    )
    url = endpoint.base_url or f"https://bedrock-runtime.{session.region_name}.amazonaws.com"
    proxy = proxy_for(url, environ)
    settings = {
        "retries": {"total_max_attempts": 1, "mode": "standard"},
        "connect_timeout": CONNECT_TIMEOUT_S,
        "read_timeout": DEFAULT_LIMIT_S,
        "max_pool_connections": CONNECTIONS,
        "proxies": {"http": proxy, "https": proxy} if proxy else {},
    }
    client: Any = session.client("bedrock-runtime", endpoint_url=endpoint.base_url, config=Config(**settings))
    provider = BedrockProvider(bedrock_client=client)

    def build(endpoint: Endpoint) -> Model:
        return BedrockConverseModel(endpoint.model, provider=provider)

    async def models() -> list[str]:
        control: Any = session.client("bedrock", config=Config(**settings))
        import asyncio

        listed = await asyncio.to_thread(control.list_foundation_models)
        return [model["modelId"] for model in listed["modelSummaries"]]

    async def close() -> None:
        client.close()

    return WireConnection(build, environ=environ, models=models, close=close)
