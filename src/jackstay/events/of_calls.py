"""Events of model calls, tools and guardrails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from jackstay.engine.asker import as_dict
from jackstay.engine.scope import Scope
from jackstay.events.news import Made, News, names, whose_of
from jackstay.events.types import llm_events as llms
from jackstay.events.types import llm_guardrail_events as guardrails
from jackstay.events.types import tool_usage_events as tools

# --- model calls -------------------------------------------------------------------------------------------------------


def model_started(news: News) -> Iterator[Made]:
    scope, ask = news.about

    def begun() -> dict[str, Any]:
        question, sampling = ask.question, ask.question.sampling
        return {
            **_call(news, scope, question.models[0]),
            "messages": _messages(ask),
            "tools": [{"type": "function", "function": tool.to_json()} for tool in question.tools] or None,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "stream": ask.config.stream,
            "seed": sampling.seed,
            "stop_sequences": list(sampling.stop) or None,
            "frequency_penalty": sampling.frequency_penalty,
            "presence_penalty": sampling.presence_penalty,
        }

    yield llms.LLMCallStartedEvent, begun


def model_finished(news: News) -> Iterator[Made]:
    scope, ask, answer = news.about

    def done() -> dict[str, Any]:
        called, usage = answer.tool_calls, answer.usage
        return {
            **_call(news, scope, ask.question.models[0]),
            "messages": _messages(ask),
            "response": as_dict(answer.message())["tool_calls"] if called else answer.text,
            "call_type": llms.LLMCallType.TOOL_CALL if called else llms.LLMCallType.LLM_CALL,
            "usage": {
                "prompt_tokens": usage.input_tokens,
                "completion_tokens": usage.output_tokens,
                "total_tokens": usage.total_tokens,
                "cached_prompt_tokens": usage.cached_tokens,
                "reasoning_tokens": usage.reasoning_tokens,
            },
            "finish_reason": answer.finish_reason,
        }

    yield llms.LLMCallCompletedEvent, done


def model_failed(news: News) -> Iterator[Made]:
    scope, ask = news.about
    yield (
        llms.LLMCallFailedEvent,
        lambda: {**_call(news, scope, ask.question.models[0]), "error": news.event.data["error"]},
    )


def piece(news: News) -> Iterator[Made]:
    scope, delta, model = news.about
    whose = _call(news, scope, model)
    match delta.kind:
        case "text":
            yield (
                llms.LLMStreamChunkEvent,
                lambda: {**whose, "chunk": delta.text, "call_type": llms.LLMCallType.LLM_CALL},
            )
        case "tool_call":
            called = llms.ToolCall(
                function=llms.FunctionCall(arguments=delta.text, name=delta.tool_name or None),
                type="function",
                index=delta.tool_index,
            )
            kind = llms.LLMCallType.TOOL_CALL
            yield (
                llms.LLMStreamChunkEvent,
                lambda: {**whose, "chunk": delta.text, "tool_call": called, "call_type": kind},
            )
        case "thinking":
            yield llms.LLMThinkingChunkEvent, lambda: {**whose, "chunk": delta.text}


def _call(news: News, scope: Scope, model: str) -> dict[str, Any]:
    whose = whose_of(scope)
    named = {"model": model, "call_id": f"{news.run.id}:{news.event.path}"}
    return {**names(scope), **named, "from_task": whose["task"], "from_agent": whose["agent"]}


def _messages(ask: Any) -> list[dict[str, Any]]:
    return [as_dict(message) for message in ask.question.conversation.messages]


# --- tools -------------------------------------------------------------------------------------------------------------


def tool_started(news: News) -> Iterator[Made]:
    yield tools.ToolUsageStartedEvent, lambda: _usage(*news.about)


def tool_finished(news: News) -> Iterator[Made]:
    began: datetime = news.about[2].at
    times = {"started_at": began, "finished_at": news.event.at}
    yield tools.ToolUsageFinishedEvent, lambda: {**_usage(*news.about), **times, "output": news.event.data["result"]}


def tool_failed(news: News) -> Iterator[Made]:
    yield tools.ToolUsageErrorEvent, lambda: {**_usage(*news.about), "error": news.event.data["error"]}


def tool_failure(news: News) -> Iterator[Made]:
    scope, failure, policy = news.about
    named = {"tool_name": failure.tool_name, "tool_args": _arguments(failure.arguments)}
    yield (
        tools.ToolFailureDetectedEvent,
        lambda: {**names(scope), **named, **_from(scope), "failure": failure, "policy": str(policy.value)},
    )


def _usage(scope: Scope, call: Any, *_: Any) -> dict[str, Any]:
    return {**names(scope), "tool_name": call.name, "tool_args": _arguments(call.arguments), **_from(scope)}


def _from(scope: Scope) -> dict[str, Any]:
    whose = whose_of(scope)
    return {"agent": whose["agent"], "from_task": whose["task"], "from_agent": whose["agent"]}


def _arguments(text: str) -> dict[str, Any] | str:
    try:
        given = json.loads(text) if text.strip() else {}
    except json.JSONDecodeError:
        return text
    return given if isinstance(given, dict) else text


# --- guardrails --------------------------------------------------------------------------------------------------------


def guardrail_started(news: News) -> Iterator[Made]:
    yield (
        guardrails.LLMGuardrailStartedEvent,
        lambda: {**_guardrail(news, news.about[0]), "guardrail": news.event.data["guardrail"]},
    )


def guardrail_ended(news: News) -> Iterator[Made]:
    scope, result = news.about
    how = {
        "success": news.event.name == "guardrail_passed",
        "result": result.raw,
        "error": news.event.data.get("error"),
    }
    yield guardrails.LLMGuardrailCompletedEvent, lambda: {**_guardrail(news, scope), **how}


def _guardrail(news: News, scope: Scope) -> dict[str, Any]:
    whose = whose_of(scope)
    return {
        **names(scope),
        "guardrail_name": news.event.data["guardrail"],
        "retry_count": int(news.event.path.rpartition("#")[2]) - 1,
        "from_task": whose["task"],
        "from_agent": whose["agent"],
    }
