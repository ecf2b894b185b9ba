"""Which provider, address and key a model's name leads to; what is said when it leads nowhere."""

from __future__ import annotations

import pytest

from jackstay.core.specs import ModelConfig, Secret
from jackstay.errors import ConfigurationError, MissingExtraError, MissingKeyError, UnknownModelError
from jackstay.models import Endpoint, Provider
from jackstay.models.routing import Routes
from jackstay.models.table import ROWS, providers

KEYS = {
    "OPENAI_API_KEY": "k-openai",
    "ANTHROPIC_API_KEY": "k-anthropic",
    "GEMINI_API_KEY": "k-gemini",
    "AZURE_API_KEY": "k-azure",
    "AZURE_ENDPOINT": "https://res.openai.azure.com/",
    "AWS_REGION_NAME": "eu-west-1",
    "MISTRAL_API_KEY": "k-mistral",
    "OPENROUTER_API_KEY": "k-openrouter",
    "DEEPSEEK_API_KEY": "k-deepseek",
    "CEREBRAS_API_KEY": "k-cerebras",
    "DASHSCOPE_API_KEY": "k-dashscope",
    "SNOWFLAKE_TOKEN": "k-snowflake",
    "SNOWFLAKE_ACCOUNT": "org-acc",
    "GROQ_API_KEY": "k-groq",
    "XAI_API_KEY": "k-xai",
    "TOGETHER_API_KEY": "k-together",
}


class Installed(Routes):
    """Every SDK counts as installed: this is about names."""

    def _require_sdk(self, provider: Provider, model: str, owner: str) -> None:
        pass


def resolve(model: str, environ: dict[str, str] = KEYS, **config: object) -> Endpoint:
    return Installed(providers().values()).resolve(ModelConfig(model, **config), environ, owner="agent 'Analyst'")  # type: ignore[arg-type]


@pytest.mark.promise("llm.providers")
@pytest.mark.parametrize(
    ("model", "provider", "on_the_wire", "address", "key"),
    [
        ("gpt-4o-mini", "openai", "gpt-4o-mini", "https://api.openai.com/v1", "k-openai"),
        ("openai/o3-mini", "openai", "o3-mini", "https://api.openai.com/v1", "k-openai"),
        ("OpenAI/gpt-4o", "openai", "gpt-4o", "https://api.openai.com/v1", "k-openai"),
        ("ft:gpt-4o-mini:acme", "openai", "ft:gpt-4o-mini:acme", "https://api.openai.com/v1", "k-openai"),
        ("claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5", "https://api.anthropic.com", "k-anthropic"),
        ("anthropic/claude-3", "anthropic", "claude-3", "https://api.anthropic.com", "k-anthropic"),
        ("claude/claude-3", "anthropic", "claude-3", "https://api.anthropic.com", "k-anthropic"),
        ("gemini-2.5-flash", "gemini", "gemini-2.5-flash", "https://generativelanguage.googleapis.com", "k-gemini"),
        ("google/gemini-2.5", "gemini", "gemini-2.5", "https://generativelanguage.googleapis.com", "k-gemini"),
        ("azure/dep", "azure", "dep", "https://res.openai.azure.com", "k-azure"),
        ("bedrock/us.anthropic.claude", "bedrock", "us.anthropic.claude", None, None),
        ("aws/amazon.nova", "bedrock", "amazon.nova", None, None),
        ("mistral/large", "mistral", "large", "https://api.mistral.ai", "k-mistral"),
        ("ollama/llama3", "ollama", "llama3", "http://localhost:11434/v1", None),
        ("ollama_chat/llama3", "ollama", "llama3", "http://localhost:11434/v1", None),
        ("hosted_vllm/org/m", "hosted_vllm", "org/m", "http://localhost:8000/v1", None),
        ("openrouter/a/b", "openrouter", "a/b", "https://openrouter.ai/api/v1", "k-openrouter"),
        ("deepseek/chat", "deepseek", "chat", "https://api.deepseek.com", "k-deepseek"),
        ("cerebras/x", "cerebras", "x", "https://api.cerebras.ai/v1", "k-cerebras"),
        (
            "dashscope/qwen",
            "dashscope",
            "qwen",
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
            "k-dashscope",
        ),
        ("snowflake/x", "snowflake", "x", "https://org-acc.snowflakecomputing.com/api/v2/cortex/v1", "k-snowflake"),
        ("groq/llama", "groq", "llama", "https://api.groq.com/openai/v1", "k-groq"),
        ("xai/grok-4", "xai", "grok-4", "https://api.x.ai/v1", "k-xai"),
        ("together_ai/org/m", "together", "org/m", "https://api.together.xyz/v1", "k-together"),
    ],
)
def test_a_name_leads_to_its_provider(model: str, provider: str, on_the_wire: str, address: str, key: str) -> None:
    endpoint = resolve(model)

    assert (endpoint.provider, endpoint.model, endpoint.base_url) == (provider, on_the_wire, address)
    assert endpoint.key == key
    assert endpoint.requested == model


def test_a_missing_key_says_which_variable_for_which_model_of_whom() -> None:
    with pytest.raises(MissingKeyError) as caught:
        resolve("gpt-4o-mini", {})

    assert str(caught.value) == (
        "OPENAI_API_KEY is not set (model gpt-4o-mini of agent 'Analyst'); "
        "put it in .env, or run with JACKSTAY_MODEL=sim/demo"
    )


@pytest.mark.parametrize("row", [row for row in ROWS if row.needs_key and not row.prepare], ids=lambda row: row.name)
def test_every_provider_with_a_key_names_its_variable_when_it_is_missing(row: Provider) -> None:
    with pytest.raises(MissingKeyError, match=row.key_variables[0]):
        resolve(f"{row.prefixes[0]}/x", {})


@pytest.mark.parametrize(
    ("model", "environ", "variable"),
    [
        ("gemini/x", {}, "GOOGLE_API_KEY"),
        ("azure/x", {"AZURE_API_KEY": "k"}, "AZURE_ENDPOINT"),
        ("azure/x", {"AZURE_ENDPOINT": "https://x"}, "AZURE_API_KEY"),
        ("snowflake/x", {"SNOWFLAKE_TOKEN": "k"}, "SNOWFLAKE_ACCOUNT"),
        ("snowflake/x", {"SNOWFLAKE_TOKEN": "k", "SNOWFLAKE_ACCOUNT": "evil.example/x"}, "SNOWFLAKE_ACCOUNT"),
    ],
)
def test_what_else_is_missing_is_named(model: str, environ: dict[str, str], variable: str) -> None:
    with pytest.raises(ConfigurationError, match=variable):
        resolve(model, environ)


def test_an_unknown_prefix_is_refused_with_near_names() -> None:
    with pytest.raises(UnknownModelError, match="did you mean 'anthropic/…'") as caught:
        resolve("antropic/claude-3")

    assert "agent 'Analyst'" in str(caught.value)
    assert "base_url" in str(caught.value)


@pytest.mark.promise("llm.compatible")
def test_an_unknown_prefix_with_an_address_is_an_openai_compatible_server_and_belongs_to_the_name() -> None:
    endpoint = resolve("meta-llama/Llama-3", base_url="http://localhost:1234/v1/")

    assert (endpoint.provider, endpoint.model) == ("openai_compatible", "meta-llama/Llama-3")
    assert endpoint.base_url == "http://localhost:1234/v1"
    assert endpoint.key is None, "OpenAI's key is not sent to a stranger"
    named = resolve("meta-llama/Llama-3", {"META_LLAMA_API_KEY": "k"}, base_url="http://localhost:1234/v1")
    assert (named.key, named.key_name) == ("k", "META_LLAMA_API_KEY")


def test_a_given_key_and_address_win_over_the_environment() -> None:
    endpoint = resolve("gpt-4o", api_key=Secret("mine"), base_url="https://proxy.example/v1")

    assert (endpoint.key, endpoint.key_name, endpoint.base_url) == ("mine", "api_key", "https://proxy.example/v1")


def test_a_forced_provider_keeps_the_name_as_it_is() -> None:
    assert resolve("custom-name", provider="openrouter").model == "custom-name"
    assert resolve("openrouter/a/b", provider="openrouter").model == "a/b"
    assert resolve("a/b", provider="openrouter").model == "a/b"


@pytest.mark.parametrize("variable", ["OPENAI_BASE_URL", "OPENAI_API_BASE"])
def test_openai_s_address_comes_from_either_variable(variable: str) -> None:
    assert resolve("gpt-4o", {**KEYS, variable: "https://gate/v1"}).base_url == "https://gate/v1"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "gpt-4.1-mini"),
        ({"OPENAI_MODEL_NAME": "c"}, "c"),
        ({"OPENAI_MODEL_NAME": "c", "MODEL_NAME": "b"}, "b"),
        ({"OPENAI_MODEL_NAME": "c", "MODEL_NAME": "b", "MODEL": "a"}, "a"),
    ],
)
def test_no_name_means_the_environment_s_model(environ: dict[str, str], expected: str) -> None:
    assert resolve("", {**KEYS, **environ}, reads_environment=True).model == expected


def test_the_default_address_is_for_the_default_model_only() -> None:
    environ = {**KEYS, "BASE_URL": "https://gate/v1"}

    assert resolve("", environ, reads_environment=True).base_url == "https://gate/v1"
    assert resolve("gpt-4o", environ).base_url == "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("http://box:1234", "http://box:1234/v1"),
        ("https://ollama.example.com", "https://ollama.example.com/v1"),
        ("http://localhost:11434/v1", "http://localhost:11434/v1"),
    ],
)
def test_ollama_s_own_variable_becomes_the_address_of_its_openai_side(host: str, expected: str) -> None:
    assert resolve("ollama/llama3", {"OLLAMA_HOST": host}).base_url == expected


def test_azure_takes_the_deployment_out_of_the_address() -> None:
    environ = {"AZURE_API_KEY": "k", "AZURE_ENDPOINT": "https://r.openai.azure.com/openai/deployments/dep-1"}
    endpoint = resolve("azure/gpt-4o", environ)

    assert (endpoint.base_url, endpoint.model) == ("https://r.openai.azure.com", "dep-1")
    assert endpoint.api_version == "2024-06-01"
    assert resolve("azure/x", {**KEYS, "AZURE_API_VERSION": "2025-01-01"}).api_version == "2025-01-01"


def test_gemini_without_a_key_goes_to_google_cloud_when_there_is_a_project() -> None:
    endpoint = resolve("gemini/x", {"GOOGLE_CLOUD_PROJECT": "p"})

    assert dict(endpoint.options) == {"vertexai": "true", "project": "p", "location": "us-central1"}


def test_a_missing_sdk_names_the_extra_and_imports_nothing() -> None:
    row = Provider("gone", ("gone",), lambda *_: None, module="no_such_module", extra="gone")  # type: ignore[arg-type, return-value]

    with pytest.raises(MissingExtraError, match=r"pip install 'jackstay\[gone\]'"):
        Routes([row]).resolve(ModelConfig("gone/x"), {})


def test_neither_key_nor_headers_show_in_a_repr() -> None:
    endpoint = resolve("gpt-4o", headers={"X-Secret": "hush-hush"})

    assert "k-openai" not in repr(endpoint)
    assert "hush-hush" not in repr(endpoint)


def test_equal_endpoints_share_a_connection_and_another_key_does_not() -> None:
    assert resolve("gpt-4o").address == resolve("gpt-4.1").address
    assert resolve("gpt-4o").address != resolve("gpt-4o", api_key=Secret("other")).address
