"""Our messages to the wire library's and back. Knows no provider; imported with the first call only.

Kept cheap: a conversation of n messages costs about 1 µs a message, next to the 20 µs that the wire library then
spends on it. Nothing is cached, so nothing can go stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.usage import RequestUsage

from jackstay.core.messages import Answer, FinishReason, Message, Question, ToolCall
from jackstay.core.usage import Usage
from jackstay.models.estimates import estimate
from jackstay.models.provider import Endpoint

OUTPUT_TOOL = "final_answer"
"""The tool that carries a structured answer where a model has no output format of its own."""

FINISH: dict[str | None, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_call": "tool_calls",
    "content_filter": "content_filter",
    "error": "error",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The wire library stamps every part with the time, at a cost, and sends none of them."""

_RESPONSE: TypeAdapter[ModelResponse] = TypeAdapter(ModelResponse)
_UNSENT = {"usage", "timestamp", "run_id", "conversation_id", "metadata", "provider_url", "provider_response_id"}


def to_messages(messages: Iterable[Message], provider: str) -> list[ModelMessage]:
    """A conversation for the wire: neighbouring system, user and tool messages become one request."""
    wire: list[ModelMessage] = []
    parts: list[Any] = []
    for message in messages:
        if message.role == "assistant":
            if parts:
                wire.append(ModelRequest(parts))
                parts = []
            wire.append(_assistant(message, provider))
        else:
            parts.append(_part(message))
    if parts:
        wire.append(ModelRequest(parts))
    return wire


def _part(message: Message) -> SystemPromptPart | UserPromptPart | ToolReturnPart:
    content = _whole(message.content)
    if message.role == "system":
        return SystemPromptPart(content, timestamp=_EPOCH)
    if message.role == "tool":
        return ToolReturnPart(message.name, content, message.tool_call_id, timestamp=_EPOCH)
    return UserPromptPart(content, timestamp=_EPOCH)


def _assistant(message: Message, provider: str) -> ModelResponse:
    raw = message.raw
    if raw is not None and raw.get("provider") == provider:
        return _RESPONSE.validate_python(raw["response"])
    parts: list[Any] = [TextPart(_whole(message.content))] if message.content or not message.tool_calls else []
    parts += [ToolCallPart(call.name, _whole(call.arguments), call.id) for call in message.tool_calls]
    return ModelResponse(parts, timestamp=_EPOCH)


def _whole(text: str) -> str:
    """Text that UTF-8 can say: halves of a pair of surrogates that stand side by side (two chunks of a stream) are put
    together, others (a file's name that is no UTF-8) become `\ufffd`."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def to_parameters(question: Question, endpoint: Endpoint, profile: Mapping[str, Any]) -> ModelRequestParameters:
    """Tools and output format of a question."""
    parameters = ModelRequestParameters()
    for tool in question.tools:
        parameters.function_tools.append(_tool(tool.name, tool.parameters, tool.description))
    if question.output is not None:
        _set_output(parameters, question, endpoint, profile)
    return parameters


def _set_output(
    parameters: ModelRequestParameters, question: Question, endpoint: Endpoint, profile: Mapping[str, Any]
) -> None:
    """Native format, else a tool that the model has to call, else a request in words: the first that the model has."""
    assert question.output is not None
    schema, output = dict(question.output.schema), question.output
    native = endpoint.native_output
    if native is None:
        native = bool(profile.get("supports_json_schema_output", False))
    if native:
        parameters.output_mode = "native"
    elif endpoint.native_tools and endpoint.native_output is None and profile.get("supports_tools", True):
        parameters.output_mode, parameters.allow_text_output = "tool", False
        description = output.description or "The final answer."
        parameters.output_tools = [_tool(OUTPUT_TOOL, schema, description, kind="output")]
        return
    else:
        parameters.output_mode = "prompted"
        parameters.prompted_output_template = PROMPTED
    parameters.output_object = OutputObjectDefinition(
        json_schema=schema, name=output.name, description=output.description or None
    )


def _tool(
    name: str, schema: Mapping[str, Any], description: str, kind: Literal["function", "output"] = "function"
) -> ToolDefinition:
    return ToolDefinition(name=name, parameters_json_schema=dict(schema), description=description or None, kind=kind)


PROMPTED = (
    "Answer with one JSON object that fits this JSON schema, and nothing else (no code fence, no comment):\n\n{schema}"
)


def to_answer(response: ModelResponse, question: Question, endpoint: Endpoint) -> Answer:
    """The whole answer in our words. Arguments of tool calls stay as the model wrote them."""
    texts, thoughts, calls, structured = [], [], [], None
    plain = True
    for part in response.parts:
        if isinstance(part, TextPart):
            texts.append(part.content)
        elif isinstance(part, ToolCallPart):
            if part.tool_name == OUTPUT_TOOL and question.output is not None:
                structured = part.args_as_json_str()
                continue
            arguments = part.args if isinstance(part.args, str) else part.args_as_json_str()
            calls.append(ToolCall(part.tool_call_id, part.tool_name, arguments))
        elif isinstance(part, ThinkingPart):
            thoughts.append(part.content)
            plain = False
        else:
            plain = False
        plain = plain and not part.provider_details
    text = structured if structured is not None and not calls else "".join(texts)
    raw = None if plain or structured is not None else _raw(response, endpoint)
    finish = FINISH.get(response.finish_reason, "unknown")
    if structured is not None and finish == "tool_calls":
        finish = "stop"
    answer = Answer(
        text=_whole(text),
        tool_calls=tuple(calls),
        usage=to_usage(response.usage),
        model=response.model_name or endpoint.model,
        provider=endpoint.provider,
        finish_reason=finish,
        thinking="\n".join(thought for thought in thoughts if thought),
        raw=raw,
    )
    return answer if answer.usage.total_tokens else estimate(answer, question)


def _raw(response: ModelResponse, endpoint: Endpoint) -> dict[str, Any]:
    """What only this provider understands (signatures, reasoning items), to be sent back to it unchanged."""
    body = _RESPONSE.dump_python(response, mode="json", exclude=_UNSENT, exclude_none=True)
    return {"provider": endpoint.provider, "response": body}


def to_usage(usage: RequestUsage) -> Usage:
    """Token counts; all zero when the provider sent none."""
    return Usage(
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.output_reasoning_tokens,
    )
