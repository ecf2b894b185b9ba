"""Connections through OpenAI's SDK: OpenAI itself and everything that speaks its language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from openai import AsyncOpenAI, Omit
from openai.types.chat import ChatCompletion
from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.profiles import ModelProfile, merge_profile
from pydantic_ai.profiles.openai import OpenAIJsonSchemaTransformer, OpenAIModelProfile
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider
from pydantic_ai.usage import RequestUsage

from jackstay.models.clients.openai_sdk import Checked, Client
from jackstay.models.connection import WireConnection
from jackstay.models.lazy import load
from jackstay.models.network import http_client
from jackstay.models.provider import Endpoint

PROVIDERS = {
    "openrouter": "pydantic_ai.providers.openrouter:OpenRouterProvider",
    "deepseek": "pydantic_ai.providers.deepseek:DeepSeekProvider",
    "cerebras": "pydantic_ai.providers.cerebras:CerebrasProvider",
    "dashscope": "pydantic_ai.providers.alibaba:AlibabaProvider",
    "snowflake": "pydantic_ai.providers.snowflake:SnowflakeProvider",
    "together": "pydantic_ai.providers.together:TogetherProvider",
    "ollama": "pydantic_ai.providers.ollama:OllamaProvider",
    "hosted_vllm": "pydantic_ai.providers.vllm:VLLMProvider",
}
MODELS = {
    "openrouter": "pydantic_ai.models.openrouter:OpenRouterModel",
    "cerebras": "pydantic_ai.models.cerebras:CerebrasModel",
    "snowflake": "pydantic_ai.models.snowflake:SnowflakeModel",
    "ollama": "pydantic_ai.models.ollama:OllamaModel",
}
PROFILES = {
    "groq": "pydantic_ai.profiles.groq:groq_model_profile",
    "xai": "pydantic_ai.profiles.grok:grok_model_profile",
}
"""Vendors that are asked through their OpenAI-compatible address, without an SDK of their own."""

OLD_MAX_TOKENS = frozenset({"openai_compatible", "ollama", "hosted_vllm", "groq", "xai"})
"""Servers that are sure to know `max_tokens` and may not know `max_completion_tokens`."""


class _ChatModel(OpenAIChatModel):
    """OpenAI's own. Of its usage we keep five numbers, which the library looks for by way of a price list; and an answer that the
    client has found as it should be is not looked at again."""

    def _validate_completion(self, response: ChatCompletion) -> Any:
        return response if isinstance(response, Checked) else super()._validate_completion(response)

    def _map_usage(self, response: ChatCompletion) -> RequestUsage:
        usage = response.usage
        if usage is None:
            return super()._map_usage(response)
        asked, said = usage.prompt_tokens_details, usage.completion_tokens_details
        return RequestUsage(
            input_tokens=usage.prompt_tokens,
            cache_read_tokens=(asked and asked.cached_tokens) or 0,
            cache_write_tokens=getattr(asked, "cache_write_tokens", None) or 0,
            output_tokens=usage.completion_tokens,
            output_reasoning_tokens=(said and said.reasoning_tokens) or 0,
        )


def connect(endpoint: Endpoint, environ: Mapping[str, str]) -> WireConnection:
    """A connection to one address with one key."""
    http = http_client(endpoint.base_url, environ)
    options = dict(endpoint.options)
    at_openai = endpoint.provider == "openai"
    # The SDK would fill these two from OpenAI's variables and send them to strangers.
    strange = {} if at_openai else {"OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}
    client = Client(
        api_key=endpoint.key or "none",
        base_url=endpoint.base_url,
        organization=options.get("organization"),
        project=options.get("project"),
        default_headers=strange,  # type: ignore[arg-type]
        http_client=http,
        max_retries=0,
        timeout=http.timeout,
    )
    return connection(client, _provider(endpoint, client), environ)


def _provider(endpoint: Endpoint, client: AsyncOpenAI) -> Any:
    if endpoint.provider == "openai":
        return OpenAIProvider(openai_client=client)
    if (target := PROVIDERS.get(endpoint.provider)) is not None:
        return load(target)(openai_client=client)
    profile = None
    if (target := PROFILES.get(endpoint.provider)) is not None:
        profile = _with_schemas(load(target))
    return OpenAICompatibleProvider(endpoint.provider, openai_client=client, profile=profile)


def _with_schemas(profile: Callable[[str], ModelProfile | None]) -> Callable[[str], ModelProfile]:
    """A vendor's profile, with the JSON schemas that OpenAI's language wants."""

    def merged(model: str) -> ModelProfile:
        base = OpenAIModelProfile(json_schema_transformer=OpenAIJsonSchemaTransformer)
        return merge_profile(base, profile(model))

    return merged


def connection(client: AsyncOpenAI, provider: Any, environ: Mapping[str, str]) -> WireConnection:
    """Models and the list of models of one client."""

    def build(endpoint: Endpoint) -> Model:
        if endpoint.api == "responses":
            return OpenAIResponsesModel(endpoint.model, provider=provider)
        chat = OpenAIChatModel
        if endpoint.provider == "openai":
            chat = _ChatModel
        elif endpoint.provider in MODELS:
            chat = load(MODELS[endpoint.provider])
        # A stream without a finish reason was cut, even if the connection was closed in good order.
        profile = OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True)
        if endpoint.provider in OLD_MAX_TOKENS:
            profile["openai_chat_supports_max_completion_tokens"] = False
        model: Model = chat(endpoint.model, provider=provider, profile=profile)
        return model

    async def models() -> list[str]:
        return [model.id async for model in client.models.list()]

    return WireConnection(build, environ=environ, models=models, close=client.close)
