"""Model calls."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from jackstay.events.base_events import BaseEvent


class LLMCallType(StrEnum):
    TOOL_CALL = "tool_call"
    LLM_CALL = "llm_call"


class LLMEventBase(BaseEvent):
    """`call_id` is the same in all events of one call."""

    from_task: Any = None
    from_agent: Any = None
    model: str | None = None
    call_id: str


class LLMCallStartedEvent(LLMEventBase):
    type: str = "llm_call_started"
    messages: str | list[dict[str, Any]] | None = None
    tools: list[dict[str, Any]] | None = None
    callbacks: list[Any] | None = None
    available_functions: dict[str, Any] | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: float | None = None
    stream: bool | None = None
    seed: int | None = None
    stop_sequences: list[str] | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None


class LLMCallCompletedEvent(LLMEventBase):
    type: str = "llm_call_completed"
    messages: str | list[dict[str, Any]] | None = None
    response: Any
    call_type: LLMCallType
    usage: dict[str, Any] | None = None
    finish_reason: str | None = None
    response_id: str | None = None


class LLMCallFailedEvent(LLMEventBase):
    type: str = "llm_call_failed"
    error: str


class FunctionCall(BaseModel):
    arguments: str
    name: str | None = None


class ToolCall(BaseModel):
    id: str | None = None
    function: FunctionCall
    type: str | None = None
    index: int


class LLMStreamChunkEvent(LLMEventBase):
    """A piece of a streamed answer, of an `LLM(stream=True)` or a crew's `stream=True`."""

    type: str = "llm_stream_chunk"
    chunk: str
    tool_call: ToolCall | None = None
    call_type: LLMCallType | None = None
    response_id: str | None = None
    replayed: bool = False
    """In a stream: it comes from the record, all at once."""


class LLMStreamRestartEvent(LLMEventBase):
    """Only in a stream: the answer is asked for anew; what came of this call before does not count."""

    type: str = "llm_stream_restart"


class LLMThinkingChunkEvent(LLMEventBase):
    type: str = "llm_thinking_chunk"
    chunk: str
    response_id: str | None = None
