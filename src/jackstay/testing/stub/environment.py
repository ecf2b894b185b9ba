"""The variables by which model clients find their server."""

from __future__ import annotations

_KEY = "sk-stub"
_COMPATIBLE = (
    "CEREBRAS", "DASHSCOPE", "DEEPSEEK", "FIREWORKS", "GROQ", "MISTRAL", "OPENROUTER", "SAMBANOVA", "TOGETHER", "VLLM",
    "XAI",
)  # fmt: skip
"""Providers that speak OpenAI's chat completions, by their variables' prefix."""


def client_environment(url: str) -> dict[str, str]:
    """Addresses and keys for every client that can be pointed at a stub, and no proxy on the way."""
    openai_url = f"{url}/v1"
    variables = {
        "OPENAI_API_KEY": _KEY, "OPENAI_BASE_URL": openai_url, "OPENAI_API_BASE": openai_url,
        "ANTHROPIC_API_KEY": _KEY, "ANTHROPIC_BASE_URL": url,
        "SIM_BASE_URL": openai_url,
        "OLLAMA_HOST": url, "OLLAMA_BASE_URL": openai_url,
        "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost",
    }  # fmt: skip
    for prefix in _COMPATIBLE:
        variables |= {f"{prefix}_API_KEY": _KEY, f"{prefix}_BASE_URL": openai_url}
    return variables
