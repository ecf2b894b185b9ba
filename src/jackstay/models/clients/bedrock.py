"""Connections to AWS Bedrock through boto3, which the wire library runs in threads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.session import Session
from botocore.tokens import FrozenAuthToken
from pydantic_ai.models import Model
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.providers.bedrock import BedrockProvider

from jackstay.errors import ConfigurationError
from jackstay.models.connection import DEFAULT_LIMIT_S, WireConnection
from jackstay.models.lazy import in_thread
from jackstay.models.network import CONNECT_TIMEOUT_S, proxy_for
from jackstay.models.provider import Endpoint

CONNECTIONS = 256
"""boto3's own 10 would hold back all but ten calls."""


class _BearerSession(Session):  # type: ignore[misc, unused-ignore]  # untyped where boto3 is not installed
    """A session that signs with a Bedrock API key instead of an access key."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def get_auth_token(self, **_: Any) -> FrozenAuthToken:
        return FrozenAuthToken(self._token)


def connect(endpoint: Endpoint, environ: Mapping[str, str]) -> WireConnection:
    """A connection to one region. Credentials: the environment that the wire was given, else boto3's own search."""
    options = dict(endpoint.options)
    session = boto3.Session(
        botocore_session=_BearerSession(endpoint.key) if endpoint.key else None,
        aws_access_key_id=environ.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=environ.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=environ.get("AWS_SESSION_TOKEN"),
        region_name=options.get("region_name"),
        profile_name=options.get("profile_name"),
    )
    if session.region_name is None and endpoint.base_url is None:
        raise ConfigurationError(
            f"no AWS region is set (model {endpoint.requested}); set AWS_DEFAULT_REGION, give LLM(region_name=…), or "
            "name a region in your AWS profile"
        )
    url = endpoint.base_url or f"https://bedrock-runtime.{session.region_name}.amazonaws.com"
    proxy = proxy_for(url, environ)
    config = Config(
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=DEFAULT_LIMIT_S,
        max_pool_connections=CONNECTIONS,
        proxies={"http": proxy, "https": proxy} if proxy else {},
        signature_version="bearer" if endpoint.key else None,
    )
    client: Any = session.client("bedrock-runtime", endpoint_url=endpoint.base_url, config=config)
    provider = BedrockProvider(bedrock_client=client)

    def build(endpoint: Endpoint) -> Model:
        return BedrockConverseModel(endpoint.model, provider=provider)

    async def models() -> list[str]:
        control: Any = session.client("bedrock", config=config)
        listed = await in_thread(control.list_foundation_models)
        return [model["modelId"] for model in listed["modelSummaries"]]

    async def close() -> None:
        client.close()

    return WireConnection(build, environ=environ, models=models, close=close, paced=False)
