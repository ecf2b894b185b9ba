"""What some providers need to know beyond a key and an address, found before the first call: regions, accounts,
deployments. No I/O; a missing piece is named with its variable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from jackstay.errors import ConfigurationError, MissingKeyError
from jackstay.models.provider import Endpoint

DASHSCOPE = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"
GEMINI = "https://generativelanguage.googleapis.com"
AZURE_API_VERSION = "2024-06-01"
"""CrewAI's default, where neither the model nor AZURE_API_VERSION names one."""


def ollama(endpoint: Endpoint, _: Mapping[str, str]) -> Endpoint:
    """OLLAMA_HOST is written for Ollama itself: often without a scheme, never with the `/v1` of its OpenAI side."""
    url = endpoint.base_url or ""
    url = url if "://" in url else f"http://{url}"
    parts = urlsplit(url)
    # 0.0.0.0 is where the server listens, not where a client can go on every system.
    netloc = parts.netloc.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - that is the point
    netloc = netloc if parts.port or parts.scheme == "https" else f"{netloc}:11434"
    path = parts.path.rstrip("/")
    return replace(endpoint, base_url=urlunsplit((parts.scheme, netloc, path if path else "/v1", "", "")))


def azure(endpoint: Endpoint, environ: Mapping[str, str]) -> Endpoint:
    """The resource's address and API version. CrewAI also takes the address with the deployment's path in it."""
    if not endpoint.base_url:
        raise ConfigurationError(
            f"AZURE_ENDPOINT is not set (model {endpoint.requested}); put the resource's address in .env, for example "
            f"AZURE_ENDPOINT=https://NAME.openai.azure.com"
        )
    base_url, _, deployment = endpoint.base_url.partition("/openai/deployments/")
    base_url = base_url.removesuffix("/openai/v1").removesuffix("/openai")
    version = endpoint.api_version or environ.get("AZURE_API_VERSION") or environ.get("OPENAI_API_VERSION")
    model = deployment.partition("/")[0] or endpoint.model
    return replace(endpoint, base_url=base_url, model=model, api_version=version or AZURE_API_VERSION)


def bedrock(endpoint: Endpoint, environ: Mapping[str, str]) -> Endpoint:
    """The region; credentials that stand in the environment are passed on by name, all others boto3 finds."""
    options = dict(endpoint.options)
    region = options.get("region_name") or next(
        (environ[name] for name in ("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION") if environ.get(name)), None
    )
    if region:
        options["region_name"] = region
    return replace(endpoint, options=tuple(sorted(options.items())))


def gemini(endpoint: Endpoint, environ: Mapping[str, str]) -> Endpoint:
    """Gemini's API with a key, or Google Cloud with a project."""
    options = dict(endpoint.options)
    project = options.get("project") or environ.get("GOOGLE_CLOUD_PROJECT")
    wanted = environ.get("GOOGLE_GENAI_USE_VERTEXAI", "").lower() in ("1", "true", "yes")
    if wanted or (project and endpoint.key is None):
        options["vertexai"] = "true"
        if project:
            options["project"] = project
        options.setdefault("location", environ.get("GOOGLE_CLOUD_LOCATION") or "us-central1")
        return replace(endpoint, options=tuple(sorted(options.items())))
    if endpoint.key is None:
        raise MissingKeyError(
            f"GOOGLE_API_KEY (or GEMINI_API_KEY) is not set (model {endpoint.requested}); put it in .env, "
            f"or run with JACKSTAY_MODEL=sim/demo"
        )
    return replace(endpoint, base_url=endpoint.base_url or GEMINI)


def snowflake(endpoint: Endpoint, environ: Mapping[str, str]) -> Endpoint:
    """The account's address."""
    if endpoint.base_url:
        return endpoint
    account = dict(endpoint.options).get("account") or environ.get("SNOWFLAKE_ACCOUNT") or ""
    account = re.sub(r"^https?://|(\.snowflakecomputing\.com)?/?$", "", account.strip())
    if not re.fullmatch(r"[A-Za-z0-9._-]+", account):
        raise ConfigurationError(
            f"SNOWFLAKE_ACCOUNT is {'not an account' if account else 'not set'} (model {endpoint.requested}); "
            f"put the account's identifier in .env, for example SNOWFLAKE_ACCOUNT=myorg-myaccount"
        )
    return replace(endpoint, base_url=f"https://{account}.snowflakecomputing.com/api/v2/cortex/v1")
