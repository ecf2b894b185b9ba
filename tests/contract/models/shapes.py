"""Answers in the shape of each provider, written by hand after their documentation. Values are arbitrary."""

from __future__ import annotations

from typing import Any

from tests.contract.models.loopback import named_sse, sse

OPENAI_USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 50,
    "total_tokens": 1050,
    "prompt_tokens_details": {"cached_tokens": 400},
    "completion_tokens_details": {"reasoning_tokens": 30},
}


def chat(text: str | None = "hello", calls: list[tuple[str, str, str]] = [], **more: Any) -> dict[str, Any]:  # noqa: B006
    """A chat completion; `calls` are (id, name, arguments)."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in calls
        ]
    message.update(more.pop("message", {}))
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}],
        "usage": OPENAI_USAGE,
        **more,
    }


def chat_chunks(*deltas: dict[str, Any], finish: str | None = "stop", usage: Any = OPENAI_USAGE) -> list[str]:
    """The same, streamed."""
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1700000000, "model": "gpt-4o-mini-2024-07-18"}
    events = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    if finish:
        events.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if usage:
        events.append({**head, "choices": [], "usage": usage})
    return sse(*events)


def responses(*output: dict[str, Any]) -> dict[str, Any]:
    """An answer of OpenAI's Responses API."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000000,
        "status": "completed",
        "model": "gpt-5-mini-2025-08-07",
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 1000,
            "input_tokens_details": {"cached_tokens": 400},
            "output_tokens": 50,
            "output_tokens_details": {"reasoning_tokens": 30},
            "total_tokens": 1050,
        },
    }


def responses_text(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": content}


def anthropic(*content: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    """A message of Anthropic's API. Its `input_tokens` do not count the cached ones."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 500,
            "cache_read_input_tokens": 400,
            "cache_creation_input_tokens": 100,
            "output_tokens": 50,
        },
    }


def anthropic_chunks(text: str) -> list[str]:
    """The same, streamed."""
    message = anthropic()
    return named_sse(
        {"type": "message_start", "message": {**message, "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": c}} for c in text),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 50}},
        {"type": "message_stop"},
    )


def gemini(*parts: dict[str, Any]) -> dict[str, Any]:
    """An answer of Gemini's API. `candidatesTokenCount` does not count the thoughts."""
    return {
        "candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 1000,
            "cachedContentTokenCount": 400,
            "candidatesTokenCount": 20,
            "thoughtsTokenCount": 30,
            "totalTokenCount": 1050,
        },
        "modelVersion": "gemini-2.5-flash",
    }


def bedrock(*content: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    """An answer of Bedrock's Converse API."""
    return {
        "output": {"message": {"role": "assistant", "content": list(content)}},
        "stopReason": stop,
        "usage": {"inputTokens": 1000, "outputTokens": 50, "totalTokens": 1050},
        "metrics": {"latencyMs": 1},
    }


def mistral(text: str) -> dict[str, Any]:
    """A chat completion of Mistral's API."""
    return {
        "id": "cmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "mistral-large-latest",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050},
    }
