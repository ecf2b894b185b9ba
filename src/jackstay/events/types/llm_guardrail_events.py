"""Guardrails."""

from __future__ import annotations

from typing import Any

from jackstay.events.base_events import BaseEvent


class LLMGuardrailBaseEvent(BaseEvent):
    from_task: Any = None
    from_agent: Any = None
    guardrail_type: str | None = None
    guardrail_name: str | None = None


class LLMGuardrailStartedEvent(LLMGuardrailBaseEvent):
    type: str = "llm_guardrail_started"
    guardrail: Any
    retry_count: int


class LLMGuardrailCompletedEvent(LLMGuardrailBaseEvent):
    type: str = "llm_guardrail_completed"
    success: bool
    result: Any
    error: str | None = None
    retry_count: int
