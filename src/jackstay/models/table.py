"""The routing table: every provider's prefixes, variables and SDK. Adding a provider is adding a row.

Variables are those that CrewAI reads, the one of its documentation first. The functions behind a row are imported
at the first call.
"""

from __future__ import annotations

from jackstay.models import prepare
from jackstay.models.lazy import lazily
from jackstay.models.provider import Provider

LAZY_PROVIDERS = {"sim": "jackstay.models.sim:PROVIDER"}
"""Rows that stand in a module of their own, loaded when their prefix is asked for."""

_CLIENTS = "jackstay.models.clients"
_openai = lazily(f"{_CLIENTS}.openai:connect")

OPENAI = Provider(
    "openai",
    ("openai",),
    _openai,
    key_variables=("OPENAI_API_KEY",),
    base_url_variables=("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    default_base_url="https://api.openai.com/v1",
    module="openai",
)
COMPATIBLE = Provider("openai_compatible", (), _openai, needs_key=False, module="openai")
"""A server that only speaks OpenAI's language: an unknown prefix with an address."""


def _speaks_openai(
    name: str, prefixes: tuple[str, ...], variable: str, base_url: str | None, *, local: bool = False
) -> Provider:
    """A provider behind an OpenAI-compatible address: X_API_KEY, X_BASE_URL."""
    return Provider(
        name,
        prefixes,
        _openai,
        key_variables=(f"{variable}_API_KEY",),
        base_url_variables=(f"{variable}_BASE_URL", f"{variable}_API_BASE"),
        default_base_url=base_url,
        module="openai",
        needs_key=not local,
        local=local,
    )


ROWS: tuple[Provider, ...] = (
    OPENAI,
    COMPATIBLE,
    Provider(
        "anthropic",
        ("anthropic", "claude"),
        lazily(f"{_CLIENTS}.anthropic:connect"),
        key_variables=("ANTHROPIC_API_KEY",),
        base_url_variables=("ANTHROPIC_BASE_URL", "ANTHROPIC_API_BASE"),
        default_base_url="https://api.anthropic.com",
        module="anthropic",
        extra="anthropic",
    ),
    Provider(
        "gemini",
        ("gemini", "google"),
        lazily(f"{_CLIENTS}.google:connect"),
        key_variables=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        base_url_variables=("GEMINI_BASE_URL", "GEMINI_API_BASE"),
        module="google.genai",
        extra="google",
        needs_key=False,  # Google Cloud authenticates without one; `prepare.gemini` decides
        prepare=prepare.gemini,
    ),
    Provider(
        "azure",
        ("azure", "azure_openai"),
        lazily(f"{_CLIENTS}.azure:connect"),
        key_variables=("AZURE_API_KEY", "AZURE_OPENAI_API_KEY"),
        base_url_variables=("AZURE_ENDPOINT", "AZURE_OPENAI_ENDPOINT", "AZURE_API_BASE"),
        module="openai",
        prepare=prepare.azure,
    ),
    Provider(
        "bedrock",
        ("bedrock", "aws"),
        lazily(f"{_CLIENTS}.bedrock:connect"),
        key_variables=("AWS_BEARER_TOKEN_BEDROCK",),
        base_url_variables=("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"),
        module="boto3",
        extra="bedrock",
        needs_key=False,  # AWS finds its credentials in many places (profile, role); boto3 looks there
        prepare=prepare.bedrock,
    ),
    Provider(
        "mistral",
        ("mistral",),
        lazily(f"{_CLIENTS}.mistral:connect"),
        key_variables=("MISTRAL_API_KEY",),
        base_url_variables=("MISTRAL_BASE_URL", "MISTRAL_API_BASE"),
        default_base_url="https://api.mistral.ai",
        module="mistralai",
        extra="mistral",
    ),
    Provider(
        "ollama",
        ("ollama", "ollama_chat"),
        _openai,
        key_variables=("OLLAMA_API_KEY",),
        base_url_variables=("OLLAMA_HOST", "OLLAMA_BASE_URL", "OLLAMA_API_BASE"),
        default_base_url="http://localhost:11434",
        module="openai",
        needs_key=False,
        local=True,
        prepare=prepare.ollama,
    ),
    Provider(
        "snowflake",
        ("snowflake",),
        _openai,
        key_variables=("SNOWFLAKE_TOKEN", "SNOWFLAKE_API_KEY"),
        base_url_variables=("SNOWFLAKE_BASE_URL",),
        module="openai",
        prepare=prepare.snowflake,
    ),
    _speaks_openai("hosted_vllm", ("hosted_vllm", "vllm"), "VLLM", "http://localhost:8000/v1", local=True),
    _speaks_openai("openrouter", ("openrouter",), "OPENROUTER", "https://openrouter.ai/api/v1"),
    _speaks_openai("deepseek", ("deepseek",), "DEEPSEEK", "https://api.deepseek.com"),
    _speaks_openai("cerebras", ("cerebras",), "CEREBRAS", "https://api.cerebras.ai/v1"),
    _speaks_openai("dashscope", ("dashscope", "alibaba"), "DASHSCOPE", prepare.DASHSCOPE),
    _speaks_openai("groq", ("groq",), "GROQ", "https://api.groq.com/openai/v1"),
    _speaks_openai("xai", ("xai", "x-ai", "grok"), "XAI", "https://api.x.ai/v1"),
    _speaks_openai("together", ("together", "together_ai", "togetherai"), "TOGETHER", "https://api.together.xyz/v1"),
)


def providers() -> dict[str, Provider]:
    """The table, by name."""
    return {row.name: row for row in ROWS}
