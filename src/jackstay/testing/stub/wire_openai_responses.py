"""OpenAI's responses API: requests, answers and event streams as api.openai.com writes them. Errors are chat's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jackstay.core.messages import Message, Role, ToolCall
from jackstay.core.usage import Usage
from jackstay.testing.stub.fault import Fault
from jackstay.testing.stub.wire import Answering, Asked, pieces, sse, text_of, tool_name
from jackstay.testing.stub.wire_openai_chat import (
    openai_error,
    openai_headers,
    read_output,
    read_tool_choice,
    read_tools,
)

Emit = Callable[..., bytes]


class OpenAIResponses:
    """`POST /v1/responses`."""

    api = "openai-responses"

    def read(self, body: Mapping[str, Any]) -> Asked:
        messages: list[Message] = []
        if body.get("instructions"):
            messages.append(Message("system", body["instructions"]))
        asked = body["input"]
        for item in [{"role": "user", "content": asked}] if isinstance(asked, str) else asked:
            _add(item, messages)
        return Asked(
            tuple(messages), read_tools(body.get("tools")), read_output((body.get("text") or {}).get("format")),
            read_tool_choice(body.get("tool_choice")), body.get("max_output_tokens"),
        )  # fmt: skip

    def whole(self, answer: Answering) -> dict[str, Any]:
        reason = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(answer.reply.finish)
        return {
            **self._head(answer, "incomplete" if reason else "completed"),
            "incomplete_details": {"reason": reason} if reason else None,
            "completed_at": answer.created,
            "output": list(_items(answer)),
            "usage": _usage(answer.usage),
        }

    def frames(self, answer: Answering) -> list[bytes]:
        number = 0

        def emit(kind: str, **fields: Any) -> bytes:
            nonlocal number
            number += 1
            return sse(kind, {"type": kind, "sequence_number": number - 1, **fields})

        begun = self._head(answer, "in_progress")
        frames = [emit("response.created", response=begun), emit("response.in_progress", response=begun)]
        for index, item in enumerate(_items(answer)):
            frames += _item_frames(emit, index, item, answer.piece_chars)
        whole = self.whole(answer)
        return [*frames, emit(f"response.{whole['status']}", response=whole)]

    def empty(self, answer: Answering) -> dict[str, Any]:
        return {**self._head(answer, "completed"), "usage": _usage(answer.usage)}

    def error(self, fault: Fault, model: str) -> dict[str, Any]:
        return openai_error(fault, model)

    def error_frame(self, fault: Fault, model: str) -> bytes:
        error = openai_error(Fault.http(500, fault.message), model)["error"]
        body = {"type": "error", "sequence_number": 0, "code": "server_error", "param": None}
        return sse("error", {**body, "message": error["message"]})

    def headers(self, number: int) -> dict[str, str]:
        return openai_headers(number)

    def _head(self, answer: Answering, status: str) -> dict[str, Any]:
        return {
            "id": f"resp_stub{answer.number:08d}", "object": "response", "created_at": answer.created,
            "status": status, "error": None, "incomplete_details": None, "instructions": None, "metadata": {},
            "model": answer.model, "output": [], "parallel_tool_calls": True, "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None}, "temperature": 1.0, "text": {"format": {"type": "text"}},
            "tool_choice": "auto", "tools": [], "top_p": 1.0, "truncation": "disabled", "usage": None,
        }  # fmt: skip


def _items(answer: Answering) -> Iterator[dict[str, Any]]:
    """The output items: reasoning, a message, function calls."""
    reply, number = answer.reply, f"stub{answer.number:08d}"
    if reply.thinking:
        yield {"id": f"rs_{number}", "type": "reasoning", "summary": [{"type": "summary_text", "text": reply.thinking}]}
    if reply.text or not reply.tool_calls:
        part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        yield {
            "id": f"msg_{number}", "type": "message", "role": "assistant", "status": "completed", "content": [part],
        }  # fmt: skip
    for index, call in enumerate(reply.tool_calls):
        yield {
            "id": f"fc_{number}{index:02d}", "type": "function_call", "status": "completed", "call_id": call.id,
            "name": call.name, "arguments": call.arguments,
        }  # fmt: skip


def _item_frames(emit: Emit, index: int, item: Mapping[str, Any], size: int) -> Iterator[bytes]:
    at = {"item_id": item["id"], "output_index": index}
    match item["type"]:
        case "reasoning":
            yield emit("response.output_item.added", output_index=index, item={**item, "summary": []})
            yield from _summary_frames(emit, at, item["summary"][0], size)
        case "message":
            begun = {**item, "status": "in_progress", "content": []}
            yield emit("response.output_item.added", output_index=index, item=begun)
            yield from _text_frames(emit, {**at, "content_index": 0}, item["content"][0], size)
        case _:
            begun = {**item, "status": "in_progress", "arguments": ""}
            yield emit("response.output_item.added", output_index=index, item=begun)
            for piece in pieces(item["arguments"], size):
                yield emit("response.function_call_arguments.delta", **at, delta=piece)
            yield emit("response.function_call_arguments.done", **at, arguments=item["arguments"])
    yield emit("response.output_item.done", output_index=index, item=dict(item))


def _summary_frames(emit: Emit, at: Mapping[str, Any], part: Mapping[str, Any], size: int) -> Iterator[bytes]:
    at = {**at, "summary_index": 0}
    yield emit("response.reasoning_summary_part.added", **at, part={**part, "text": ""})
    for piece in pieces(part["text"], size):
        yield emit("response.reasoning_summary_text.delta", **at, delta=piece)
    yield emit("response.reasoning_summary_text.done", **at, text=part["text"])
    yield emit("response.reasoning_summary_part.done", **at, part=dict(part))


def _text_frames(emit: Emit, at: Mapping[str, Any], part: Mapping[str, Any], size: int) -> Iterator[bytes]:
    yield emit("response.content_part.added", **at, part={**part, "text": ""})
    for piece in pieces(part["text"], size):
        yield emit("response.output_text.delta", **at, delta=piece, logprobs=[])
    yield emit("response.output_text.done", **at, text=part["text"], logprobs=[])
    yield emit("response.content_part.done", **at, part=dict(part))


def _add(item: Mapping[str, Any], messages: list[Message]) -> None:
    """One input item. Calls of one turn come as items of their own: they join the assistant's message."""
    match item.get("type", "message"):
        case "message":
            role: Role = {"developer": "system"}.get(item["role"], item["role"])
            messages.append(Message(role, text_of(item["content"])))
        case "function_call":
            call = ToolCall(item["call_id"], item["name"], item["arguments"])
            last = messages[-1] if messages else None
            if last is not None and last.role == "assistant":
                messages[-1] = Message("assistant", last.content, (*last.tool_calls, call))
            else:
                messages.append(Message("assistant", "", (call,)))
        case "function_call_output":
            output: str | Sequence[Mapping[str, Any]] = item["output"]
            text = text_of(output) if isinstance(output, str | list) else json.dumps(output)
            call_id = item["call_id"]
            messages.append(Message("tool", text, tool_call_id=call_id, name=tool_name(messages, call_id)))
        case _:
            # Reasoning items and references carry nothing that the brain reads.
            return


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": usage.cache_write_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }
