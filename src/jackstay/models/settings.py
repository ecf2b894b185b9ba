"""Sampling to the wire library's model settings; docs/models.md says which arguments there are."""

from __future__ import annotations

from typing import Any

from jackstay.core.messages import Question
from jackstay.models.provider import Endpoint

SAME_NAME = ("temperature", "top_p", "max_tokens", "seed", "presence_penalty", "frequency_penalty")
EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max")
UNIFIED = frozenset({"top_k", "parallel_tool_calls", "service_tier"})
"""Extra settings that the wire library translates for each provider; all others go into the body as they are."""


MARKS_PROMPTS = frozenset({"anthropic", "bedrock", "openrouter"})
"""Providers that cache a prompt only where it is marked; the others (OpenAI, Gemini, DeepSeek) do it by themselves."""
MARKED = ("instructions", "tool_definitions", "messages")


def to_settings(question: Question, endpoint: Endpoint, *, limit_s: float, thinks: bool) -> dict[str, Any]:
    """Settings of one request. `max_retries` is not among them: the clients are made without retries."""
    sampling = question.sampling
    settings: dict[str, Any] = {"request_timeout": limit_s}
    for name in SAME_NAME:
        if (value := getattr(sampling, name)) is not None:
            settings[name] = value
    if sampling.stop:
        settings["stop_sequences"] = list(sampling.stop)
    if sampling.logit_bias:
        settings["logit_bias"] = dict(sampling.logit_bias)
    if sampling.tool_choice is not None and question.tools:
        plain = sampling.tool_choice in ("auto", "none", "required")
        settings["tool_choice"] = sampling.tool_choice if plain else [sampling.tool_choice]
    body = dict(sampling.extra)
    settings.update({name: body.pop(name) for name in UNIFIED & body.keys()})
    _set_effort(settings, body, sampling.reasoning_effort, thinks)
    if body:
        settings["extra_body"] = body
    if endpoint.prompt_caching and endpoint.provider in MARKS_PROMPTS:
        settings.update({f"{endpoint.provider}_cache_{part}": True for part in MARKED})
    if endpoint.headers:
        settings["extra_headers"] = dict(endpoint.headers)
    return settings


def _set_effort(settings: dict[str, Any], body: dict[str, Any], effort: str | None, thinks: bool) -> None:
    """An effort that the wire library would drop (a model it does not know to think) is sent as the user wrote it."""
    if effort is None:
        return
    if thinks and effort in EFFORTS:
        settings["thinking"] = effort
    elif thinks and effort == "none":
        settings["thinking"] = False
    else:
        body.setdefault("reasoning_effort", effort)
