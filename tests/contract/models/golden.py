"""Bodies in which each provider reports usage, written by hand after their API references; whole and streamed.

All tell of the same numbers, each in its own way of counting: 1000 tokens in and 50 out, of these 400 read from a cache,
100 written to one, 30 of reasoning, where a case has them.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import Any

from tests.contract.models import shapes
from tests.contract.models.loopback import Reply, named_sse, sse

Body = dict[str, Any]


def split(whole: str) -> tuple[str, str]:
    return whole[: len(whole) // 2], whole[len(whole) // 2 :]


# --- OpenAI's chat completions: cached ones are part of the prompt, reasoning is part of the completion ----------------


def chat(usage: Body, *, streamed: bool, model: str) -> Reply:
    if not streamed:
        return Reply(shapes.chat("hello", model=model, usage=usage))
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1700000000, "model": model}
    deltas = [{"role": "assistant", "content": ""}, *({"content": part} for part in split("hello"))]
    pieces = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    end = {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return Reply(chunks=sse(*pieces, end, {**head, "choices": [], "usage": usage}))


def openrouter(usage: Body, *, streamed: bool, model: str) -> Reply:
    """Chat, with the provider behind it and that one's own words."""

    def named(body: Body) -> Body:
        choices = [{**choice, "native_finish_reason": choice.get("finish_reason")} for choice in body["choices"]]
        return {**body, "provider": "Anthropic", "choices": choices}

    plain = chat(usage, streamed=streamed, model=model)
    if plain.chunks is None:
        return Reply(named(plain.body))
    told = (json.loads(str(chunk).removeprefix("data: ")) for chunk in plain.chunks if "[DONE]" not in str(chunk))
    return Reply(chunks=sse(*map(named, told)))


CHAT: dict[str, Body] = {
    "plain": {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050},
    "cached": {
        "prompt_tokens": 1000,
        "completion_tokens": 50,
        "total_tokens": 1050,
        "prompt_tokens_details": {"cached_tokens": 400, "audio_tokens": 0},
    },
    "reasoning": {
        "prompt_tokens": 1000,
        "completion_tokens": 50,
        "total_tokens": 1050,
        "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 0, "accepted_prediction_tokens": 0},
    },
}
OPENROUTER: dict[str, Body] = {
    **CHAT,
    "cache-write": {
        "prompt_tokens": 1000,
        "completion_tokens": 50,
        "total_tokens": 1050,
        "cost": 0.95,
        "is_byok": False,
        "prompt_tokens_details": {"cached_tokens": 400, "cache_write_tokens": 100, "audio_tokens": 0},
        "cost_details": {"upstream_inference_cost": None},
    },
}


# --- OpenAI's responses: as chat, under other names -------------------------------------------------------------------


def responses(usage: Body, *, streamed: bool, model: str) -> Reply:
    message = shapes.responses_text("hello")
    whole = {**shapes.responses(message), "model": model, "usage": usage}
    if not streamed:
        return Reply(whole)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events: list[Body] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**message, "content": []}},
        {"type": "response.content_part.added", **at, "part": {"type": "output_text", "text": "", "annotations": []}},
        *({"type": "response.output_text.delta", **at, "delta": part, "logprobs": []} for part in split("hello")),
        {"type": "response.output_text.done", **at, "text": "hello", "logprobs": []},
        {"type": "response.content_part.done", **at, "part": message["content"][0]},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
        {"type": "response.completed", "response": whole},
    ]
    return Reply(chunks=named_sse(*({**event, "sequence_number": n} for n, event in enumerate(events))))


def _responses(cached: int, reasoning: int) -> Body:
    return {
        "input_tokens": 1000,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": 1050,
    }


RESPONSES: dict[str, Body] = {"plain": _responses(0, 0), "cached": _responses(400, 0), "reasoning": _responses(0, 30)}


# --- Anthropic: `input_tokens` are those that were neither read from a cache nor written to one -----------------------


def anthropic(usage: Body, *, streamed: bool, model: str) -> Reply:
    whole = {**shapes.anthropic({"type": "text", "text": "hello"}), "model": model, "usage": usage}
    if not streamed:
        return Reply(whole)
    begun = {**usage, "output_tokens": 1}
    events: list[Body] = [
        {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None, "usage": begun}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": part}}
            for part in split("hello")
        ),
        {"type": "content_block_stop", "index": 0},
        # The last figures are those of the whole message, not of what came since the first ones.
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    return Reply(chunks=named_sse(*events))


ANTHROPIC: dict[str, Body] = {
    "plain": {"input_tokens": 1000, "output_tokens": 50},
    "cached": {
        "input_tokens": 600,
        "cache_read_input_tokens": 400,
        "cache_creation_input_tokens": 0,
        "output_tokens": 50,
    },
    "cache-write": {
        "input_tokens": 500,
        "cache_read_input_tokens": 400,
        "cache_creation_input_tokens": 100,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 50,
    },
    "reasoning": {"input_tokens": 1000, "output_tokens": 50, "output_tokens_details": {"thinking_tokens": 30}},
}


# --- Gemini: thoughts come beside the candidates, the prompt includes what was cached ---------------------------------


def gemini(usage: Body, *, streamed: bool, model: str) -> Reply:
    if not streamed:
        return Reply({**shapes.gemini({"text": "hello"}), "modelVersion": model, "usageMetadata": usage})
    first, second = split("hello")
    so_far = {"promptTokenCount": usage["promptTokenCount"], "totalTokenCount": usage["promptTokenCount"]}
    begun = {**shapes.gemini({"text": first}), "modelVersion": model, "usageMetadata": so_far}
    del begun["candidates"][0]["finishReason"]
    ended = {**shapes.gemini({"text": second}), "modelVersion": model, "usageMetadata": usage}
    return Reply(chunks=sse(begun, ended, done=False))


GEMINI: dict[str, Body] = {
    "plain": {"promptTokenCount": 1000, "candidatesTokenCount": 50, "totalTokenCount": 1050},
    "cached": {
        "promptTokenCount": 1000,
        "cachedContentTokenCount": 400,
        "candidatesTokenCount": 50,
        "totalTokenCount": 1050,
        "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 400}],
    },
    "reasoning": {
        "promptTokenCount": 1000,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 30,
        "totalTokenCount": 1050,
    },
}


# --- Bedrock's Converse: as Anthropic --------------------------------------------------------------------------------


def bedrock(usage: Body, *, streamed: bool, model: str) -> Reply:
    if not streamed:
        return Reply({**shapes.bedrock({"text": "hello"}), "usage": usage})
    events: Iterable[tuple[str, Body]] = [
        ("messageStart", {"role": "assistant"}),
        *(("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": part}}) for part in split("hello")),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}),
    ]
    return Reply(chunks=[frame(kind, body) for kind, body in events])


def frame(kind: str, body: Body) -> bytes:
    """One event in AWS's binary framing (application/vnd.amazon.eventstream)."""
    named = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + len(value).to_bytes(2, "big") + value.encode()
        for name, value in named.items()
    )
    payload = json.dumps(body).encode()
    prelude = (16 + len(headers) + len(payload)).to_bytes(4, "big") + len(headers).to_bytes(4, "big")
    message = prelude + zlib.crc32(prelude).to_bytes(4, "big") + headers + payload
    return message + zlib.crc32(message).to_bytes(4, "big")


BEDROCK: dict[str, Body] = {
    "plain": {"inputTokens": 1000, "outputTokens": 50, "totalTokens": 1050},
    "cached": {"inputTokens": 600, "cacheReadInputTokens": 400, "outputTokens": 50, "totalTokens": 1050},
    "cache-write": {
        "inputTokens": 500,
        "cacheReadInputTokens": 400,
        "cacheWriteInputTokens": 100,
        "outputTokens": 50,
        "totalTokens": 1050,
    },
}
"""It reports no tokens of reasoning apart; they are part of the output."""
