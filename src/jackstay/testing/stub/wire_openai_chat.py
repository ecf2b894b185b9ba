"""OpenAI's chat completions: requests, answers, streams and errors as api.openai.com writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jackstay.core.messages import FinishReason, Message, OutputSchema, Role, ToolCall, ToolSpec
from jackstay.core.usage import Usage
from jackstay.testing.stub.fault import Fault
from jackstay.testing.stub.wire import Answering, Asked, compact, pieces, sse, text_of, tool_name

_FINISH: Mapping[FinishReason, str] = {
    "stop": "stop", "length": "length", "tool_calls": "tool_calls", "content_filter": "content_filter",
    "error": "stop", "unknown": "stop",
}  # fmt: skip
_ERRORS: Mapping[int, tuple[str, str | None, str]] = {
    400: ("invalid_request_error", None, "We could not parse the JSON body of your request."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys."),
    403: ("request_forbidden", "unsupported_country_region_territory", "Country, region, or territory not supported"),
    404: ("invalid_request_error", "model_not_found", "The model `{model}` does not exist or you do not have access to it."),
    413: ("invalid_request_error", None, "Request too large."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for {model} on requests per min (RPM): Limit 3, Used 3, Requested 1. Visit https://platform.openai.com/account/rate-limits to learn more."),
    500: ("server_error", None, "The server had an error while processing your request. Sorry about that!"),
    502: ("server_error", None, "Bad gateway."),
    503: ("server_error", None, "The engine is currently overloaded, please try again later."),
    529: ("server_error", None, "The engine is currently overloaded, please try again later."),
}  # fmt: skip
_REASONS: Mapping[str, tuple[str, str, str]] = {
    "quota": ("insufficient_quota", "insufficient_quota", "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."),
    "context_length": ("invalid_request_error", "context_length_exceeded", "This model's maximum context length is 128000 tokens. However, your messages resulted in 131072 tokens. Please reduce the length of the messages."),
    "content_filter": ("invalid_request_error", "content_filter", "The response was filtered due to the prompt triggering the content management policy. Please modify your prompt and retry."),
}  # fmt: skip


class OpenAIChat:
    """`POST /v1/chat/completions`."""

    api = "openai-chat"

    def read(self, body: Mapping[str, Any]) -> Asked:
        messages: list[Message] = []
        for item in body["messages"]:
            messages.append(_message(item, messages))
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        return Asked(
            tuple(messages), read_tools(body.get("tools")), read_output(body.get("response_format")),
            read_tool_choice(body.get("tool_choice")), limit,
        )  # fmt: skip

    def whole(self, answer: Answering) -> dict[str, Any]:
        reply = answer.reply
        message: dict[str, Any] = {
            "role": "assistant", "content": reply.text or (None if reply.tool_calls else ""), "refusal": None,
            "annotations": [],
        }  # fmt: skip
        if reply.tool_calls:
            message["tool_calls"] = [_call(call) for call in reply.tool_calls]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _FINISH[reply.finish]}
        return {**self._head(answer, "chat.completion"), "choices": [choice], "usage": _usage(answer.usage)}

    def frames(self, answer: Answering) -> list[bytes]:
        head = self._head(answer, "chat.completion.chunk")
        if answer.with_usage:
            head["usage"] = None

        def frame(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return sse(None, {**head, "choices": [choice]})

        frames = [frame({"role": "assistant", "content": "", "refusal": None})]
        frames += [frame({"content": piece}) for piece in pieces(answer.reply.text, answer.piece_chars)]
        for index, call in enumerate(answer.reply.tool_calls):
            frames.append(frame({"tool_calls": [{"index": index, **_call(call, "")}]}))
            frames += [
                frame({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
                for piece in pieces(call.arguments, answer.piece_chars)
            ]
        frames.append(frame({}, _FINISH[answer.reply.finish]))
        if answer.with_usage:
            frames.append(sse(None, {**head, "choices": [], "usage": _usage(answer.usage)}))
        return [*frames, sse(None, b"[DONE]")]

    def empty(self, answer: Answering) -> dict[str, Any]:
        return {**self._head(answer, "chat.completion"), "choices": [], "usage": _usage(answer.usage)}

    def error(self, fault: Fault, model: str) -> dict[str, Any]:
        return openai_error(fault, model)

    def error_frame(self, fault: Fault, model: str) -> bytes:
        return sse(None, openai_error(Fault.http(500, fault.message), model))

    def headers(self, number: int) -> dict[str, str]:
        return openai_headers(number)

    def _head(self, answer: Answering, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-stub{answer.number:08d}", "object": kind, "created": answer.created,
            "model": answer.model, "service_tier": "default", "system_fingerprint": "fp_stub",
        }  # fmt: skip


def openai_error(fault: Fault, model: str) -> dict[str, Any]:
    kind, code, text = _REASONS.get(fault.reason) or _ERRORS.get(fault.status, ("server_error", None, "Error."))
    message = fault.message or text.replace("{model}", model)
    param = "messages" if fault.reason == "context_length" else None
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def openai_headers(number: int) -> dict[str, str]:
    return {"x-request-id": f"req_stub{number:08d}", "openai-version": "2020-10-01", "openai-processing-ms": "1"}


def read_tools(items: Sequence[Mapping[str, Any]] | None) -> tuple[ToolSpec, ...]:
    """Function tools, nested under `function` (chat) or flat (responses)."""
    tools = []
    for item in items or ():
        if item.get("type", "function") == "function":
            one = item.get("function", item)
            tools.append(
                ToolSpec(one["name"], one.get("description") or "", one.get("parameters") or {"type": "object"})
            )
    return tuple(tools)


def read_output(form: Mapping[str, Any] | None) -> OutputSchema | None:
    """The schema of a structured answer (`response_format` of chat, `text.format` of responses)."""
    if not form or form.get("type") not in ("json_schema", "json_object"):
        return None
    if form["type"] == "json_object":
        return OutputSchema("object", {"type": "object", "properties": {"answer": {"type": "string"}}})
    one = form.get("json_schema", form)
    return OutputSchema(one.get("name", "answer"), one.get("schema") or {}, one.get("description") or "")


def read_tool_choice(choice: Any) -> str | None:
    if isinstance(choice, Mapping):
        if choice.get("type") == "allowed_tools":
            return str(choice.get("mode") or choice.get("allowed_tools", {}).get("mode"))
        return str(choice.get("name") or choice.get("function", {}).get("name"))
    return None if choice is None else str(choice)


def _message(item: Mapping[str, Any], before: Sequence[Message]) -> Message:
    role: Role = {"developer": "system", "function": "tool"}.get(item["role"], item["role"])
    calls = tuple(
        ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in item.get("tool_calls") or ()
    )
    call_id = item.get("tool_call_id") or ""
    name = tool_name(before, call_id) if role == "tool" else ""
    return Message(role, text_of(item.get("content")), calls, call_id, name)


def _call(call: ToolCall, arguments: str | None = None) -> dict[str, Any]:
    text = call.arguments if arguments is None else arguments
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": text}}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    }  # fmt: skip


def not_found(path: str) -> bytes:
    """The body of a 404 for a path that the API does not have."""
    text = f"Invalid URL (POST {path})"
    return compact({"error": {"message": text, "type": "invalid_request_error", "param": None, "code": None}})
