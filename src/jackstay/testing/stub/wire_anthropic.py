"""Anthropic's messages API: requests, answers, streams and errors as api.anthropic.com writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jackstay.core.messages import FinishReason, Message, OutputSchema, ToolCall, ToolSpec
from jackstay.core.usage import Usage
from jackstay.testing.stub.fault import Fault
from jackstay.testing.stub.wire import Answering, Asked, pieces, sse, text_of, tool_name

_STOP: Mapping[FinishReason, str] = {
    "stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal",
    "error": "end_turn", "unknown": "end_turn",
}  # fmt: skip
_ERRORS: Mapping[int, tuple[str, str]] = {
    400: ("invalid_request_error", "messages: at least one message is required"),
    401: ("authentication_error", "invalid x-api-key"),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "model: {model}"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit of 50 requests per minute."),
    500: ("api_error", "Internal server error"),
    502: ("api_error", "Bad gateway"),
    503: ("api_error", "Service unavailable"),
    529: ("overloaded_error", "Overloaded"),
}
_REASONS: Mapping[str, tuple[str, str]] = {
    "quota": ("invalid_request_error", "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."),
    "context_length": ("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
    "content_filter": ("invalid_request_error", "Output blocked by content filtering policy"),
}  # fmt: skip


class AnthropicMessages:
    """`POST /v1/messages`."""

    api = "anthropic"

    def read(self, body: Mapping[str, Any]) -> Asked:
        messages: list[Message] = []
        if body.get("system"):
            messages.append(Message("system", text_of(body["system"])))
        for item in body["messages"]:
            messages += _messages(item, messages)
        return Asked(
            tuple(messages), _tools(body.get("tools")), _output(body), _tool_choice(body.get("tool_choice")),
            body.get("max_tokens"),
        )  # fmt: skip

    def whole(self, answer: Answering) -> dict[str, Any]:
        return {
            **self._head(answer),
            "content": list(_blocks(answer)),
            "stop_reason": _STOP[answer.reply.finish],
            "usage": _usage(answer.usage),
        }

    def frames(self, answer: Answering) -> list[bytes]:
        begun = {**_usage(answer.usage), "output_tokens": 1}
        frames = [_event("message_start", message={**self._head(answer), "content": [], "usage": begun})]
        for index, block in enumerate(_blocks(answer)):
            empty, deltas = _parts(block, answer.piece_chars)
            frames.append(_event("content_block_start", index=index, content_block=empty))
            if index == 0:
                frames.append(_event("ping"))
            frames += [_event("content_block_delta", index=index, delta=delta) for delta in deltas]
            frames.append(_event("content_block_stop", index=index))
        end = {"stop_reason": _STOP[answer.reply.finish], "stop_sequence": None}
        frames.append(_event("message_delta", delta=end, usage=_usage(answer.usage)))
        return [*frames, _event("message_stop")]

    def empty(self, answer: Answering) -> dict[str, Any]:
        return {**self._head(answer), "content": [], "stop_reason": "end_turn", "usage": _usage(answer.usage)}

    def error(self, fault: Fault, model: str) -> dict[str, Any]:
        kind, text = _REASONS.get(fault.reason) or _ERRORS.get(fault.status, ("api_error", "Error"))
        message = fault.message or text.replace("{model}", model)
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_stub"}

    def error_frame(self, fault: Fault, model: str) -> bytes:
        return sse("error", self.error(Fault.http(529, fault.message), model))

    def headers(self, number: int) -> dict[str, str]:
        return {"request-id": f"req_stub{number:08d}", "anthropic-organization-id": "org-stub"}

    def _head(self, answer: Answering) -> dict[str, Any]:
        return {
            "id": f"msg_stub{answer.number:08d}", "type": "message", "role": "assistant", "model": answer.model,
            "content": [], "stop_reason": None, "stop_sequence": None,
        }  # fmt: skip


def _event(kind: str, **fields: Any) -> bytes:
    return sse(kind, {"type": kind, **fields})


def _blocks(answer: Answering) -> Iterator[dict[str, Any]]:
    reply = answer.reply
    if reply.thinking:
        yield {"type": "thinking", "thinking": reply.thinking, "signature": "c3R1Yg=="}
    if reply.text or not reply.tool_calls:
        yield {"type": "text", "text": reply.text, "citations": None}
    for call in reply.tool_calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": _input(call)}


def _input(call: ToolCall) -> Any:
    try:
        return json.loads(call.arguments)
    except ValueError:
        # Only a stream can carry broken arguments in this format; a whole answer shows the text in a field.
        return {"_invalid": call.arguments}


def _parts(block: Mapping[str, Any], size: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A content block as its empty start and the deltas that fill it."""
    match block["type"]:
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"], size)]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
            return {"type": "thinking", "thinking": "", "signature": ""}, deltas
        case "text":
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"], size)]
            return {"type": "text", "text": "", "citations": None}, deltas
        case _:
            text = block["input"].get("_invalid") or json.dumps(block["input"], ensure_ascii=False)
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(text, size)]]
            return {**block, "input": {}}, deltas


def _messages(item: Mapping[str, Any], before: Sequence[Message]) -> list[Message]:
    """One item as our messages: each tool result is a message of its own, before the user's text."""
    content = item["content"]
    if isinstance(content, str):
        return [Message(item["role"], content)]
    results = [
        Message(
            "tool",
            text_of(part.get("content")),
            tool_call_id=part["tool_use_id"],
            name=tool_name(before, part["tool_use_id"]),
        )
        for part in content
        if part["type"] == "tool_result"
    ]
    calls = tuple(
        ToolCall(part["id"], part["name"], json.dumps(part["input"], ensure_ascii=False))
        for part in content
        if part["type"] == "tool_use"
    )
    text = text_of(content)
    return [*results, Message(item["role"], text, calls)] if text or calls or not results else results


def _tools(items: Sequence[Mapping[str, Any]] | None) -> tuple[ToolSpec, ...]:
    return tuple(
        ToolSpec(item["name"], item.get("description") or "", item["input_schema"])
        for item in items or ()
        if "input_schema" in item
    )


def _output(body: Mapping[str, Any]) -> OutputSchema | None:
    form = (body.get("output_config") or {}).get("format") or body.get("output_format")
    return OutputSchema("answer", form["schema"]) if form and form.get("type") == "json_schema" else None


def _tool_choice(choice: Mapping[str, Any] | None) -> str | None:
    if not choice:
        return None
    return str(choice["name"] if choice["type"] == "tool" else {"any": "required"}.get(choice["type"], choice["type"]))


def _usage(usage: Usage) -> dict[str, Any]:
    # Anthropic counts cached tokens beside the input, not inside it.
    plain = max(0, usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens)
    return {
        "input_tokens": plain,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
    }
