"""Short ways for the contract tests to ask through the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from jackstay.core.messages import Answer, Conversation, Message, OutputSchema, Question, Sampling, ToolCall, ToolSpec
from jackstay.core.specs import ModelConfig
from jackstay.models import Delta
from jackstay.models.wire import Wire

KEY = "sk-test-1234567890abcdef"
ENVIRON = {
    f"{name}_API_KEY": KEY
    for name in [
        "OPENAI",
        "ANTHROPIC",
        "GEMINI",
        "AZURE",
        "MISTRAL",
        "OPENROUTER",
        "DEEPSEEK",
        "GROQ",
        "XAI",
        "TOGETHER",
    ]
} | {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION_NAME": "us-east-1"}

NEEDS = {
    "claude": "anthropic",
    "anthropic": "anthropic",
    "gemini": "google.genai",
    "bedrock": "boto3",
    "mistral": "mistralai",
}
"""Starts of models' names, and the SDK that the provider's extra brings."""


def needed(model: str) -> None:
    """Skips the test where the provider's extra is not installed."""
    for start, module in NEEDS.items():
        if model.startswith(start):
            pytest.importorskip(module, reason=f"the extra that brings {module} is not installed")


ADD = ToolSpec("add", "Adds.", {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})
CITY = OutputSchema("City", {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]})


def question(*messages: Message, **more: Any) -> Question:
    """With `max_tokens`: without it, the wire library streams behind the scenes where an answer may be very long."""
    more.setdefault("sampling", Sampling(max_tokens=1024))
    return Question(("any",), Conversation.of(messages or (Message("user", "hello"),)), **more)


AFTER_A_TOOL = question(
    Message("system", "You add."),
    Message("user", "1 + 2?"),
    Message("assistant", "", (ToolCall("call_1", "add", '{"a": 1}'),)),
    Message("tool", "3", tool_call_id="call_1", name="add"),
    tools=(ADD,),
)


def ask(
    url: str,
    model: str = "gpt-4o-mini",
    asked: Question | None = None,
    *,
    timeout_s: float | None = 20.0,
    on_delta: Callable[[Delta], None] | None = None,
    environ: Mapping[str, str] = ENVIRON,
    **config: Any,
) -> Answer:
    """One answer from the server at `url`, with a wire of its own."""
    needed(model)

    async def once() -> Answer:
        wire = Wire(environ)
        try:
            endpoint = wire.resolve(ModelConfig(model, base_url=url, **config))
            return await wire.ask(endpoint, asked or question(), timeout_s=timeout_s, on_delta=on_delta)
        finally:
            await wire.close()

    return asyncio.run(once())
