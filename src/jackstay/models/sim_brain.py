"""The simulated model's answer to a conversation: a pure function of seed, messages, tools and output schema.

Used by the `sim/…` provider and by the stub server. Not a language model: it recognises the role, the task and the
expected output, calls tools with arguments that fit their schemas, and writes plain English about the topic.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jackstay.core.canonical import canonical_json
from jackstay.core.messages import FinishReason, Message, OutputSchema, ToolCall, ToolSpec
from jackstay.core.usage import NO_USAGE, Usage
from jackstay.models import sim_react
from jackstay.models.sim_brief import Brief, read_brief
from jackstay.models.sim_draw import Draw
from jackstay.models.sim_schema import SchemaWriter
from jackstay.models.sim_text import write
from jackstay.models.sim_words import Words

_NO_TOOLS = re.compile(r"do not call any tool|final answer now|must give your (?:absolute )?best final answer", re.I)
_WANTS_JSON = re.compile(r"\bjson\b|\bschema\b", re.I)
_WORD = re.compile(r"[a-z]{3,}")


@dataclass(frozen=True, slots=True)
class SimAnswer:
    """What the simulated model says: a text, or tool calls."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = NO_USAGE
    finish_reason: FinishReason = "stop"


def respond(
    messages: Sequence[Message],
    tools: Sequence[ToolSpec] = (),
    output: OutputSchema | None = None,
    *,
    seed: int = 0,
    rounds: int = 1,
    tool_choice: str | None = None,
    max_tokens: int | None = None,
    words: int | None = None,
) -> SimAnswer:
    """The answer to a conversation; equal arguments give equal answers, in every process and Python version.

    `rounds`: how many turns call tools (while there are any) before the answer. `tool_choice`: `auto`, `none`,
    `required`, or a tool's name. `max_tokens` cuts the text. `words` sets the length of a free text unless the task
    asks for one. Usage is characters / 4.
    """
    draw = Draw(f"{seed}:{canonical_json([message.question() for message in messages])}")
    brief = read_brief(messages, default_words=words)
    chosen = _tools_to_call(messages, tools, brief, draw, rounds, tool_choice)
    if chosen:
        done = sum(1 for message in messages if message.tool_calls)
        calls = tuple(_call(tool, brief, draw, done) for tool in chosen)
        return SimAnswer("", calls, _usage(messages, tools, output, "", calls), "tool_calls")
    text = _final_text(messages, tools, output, brief, draw, rounds)
    finish: FinishReason = "stop"
    if max_tokens is not None and len(text) > 4 * max_tokens:
        text, finish = text[: 4 * max_tokens], "length"
    return SimAnswer(text, (), _usage(messages, tools, output, text, ()), finish)


def _tools_to_call(
    messages: Sequence[Message],
    tools: Sequence[ToolSpec],
    brief: Brief,
    draw: Draw,
    rounds: int,
    tool_choice: str | None,
) -> list[ToolSpec]:
    """The tools of this turn; none when it is time to answer."""
    if not tools or tool_choice == "none":
        return []
    for tool in tools:
        if tool.name == tool_choice:
            return [tool]
    done = sum(1 for message in messages if message.tool_calls)
    if done >= rounds or _NO_TOOLS.search(_last_user(messages)):
        # Forced to call one although there is nothing left to find out: the last one is the output tool of
        # libraries that ask for structured output that way.
        return [tools[-1]] if tool_choice == "required" else []
    ranked = sorted(tools, key=lambda tool: -_relevance(tool, brief))
    first = done % len(ranked)
    together = 2 if len(ranked) > 1 and done == 0 and draw.below(3) == 0 else 1
    return (ranked + ranked)[first : first + together]


def _last_user(messages: Sequence[Message]) -> str:
    return next((message.content for message in reversed(messages) if message.role == "user"), "")


def _relevance(tool: ToolSpec, brief: Brief) -> int:
    """How many words a tool's name and description share with the task; its name counts more."""
    named = set(_WORD.findall(tool.name.lower()))
    described = set(_WORD.findall(tool.description.lower()))
    return 3 * len(named & brief.keywords) + len(described & brief.keywords)


def _call(tool: ToolSpec, brief: Brief, draw: Draw, done: int) -> ToolCall:
    words = _words(brief)
    if done > 1:  # a model that asked the same for ever would be stopped as one that makes no progress
        words = replace(words, topic=f"{brief.topic}, part {done}")
    arguments = SchemaWriter(tool.parameters, words, draw).write()
    text = json.dumps(arguments if isinstance(arguments, dict) else {}, ensure_ascii=False)
    number = hashlib.sha256(f"{draw.below(1 << 31)}:{tool.name}:{text}".encode("utf-8", "surrogatepass")).hexdigest()
    return ToolCall(f"call_{number[:24]}", tool.name, text)


def _words(brief: Brief, answer: str = "") -> Words:
    return Words(brief.task, brief.topic, brief.numbers, answer)


def _final_text(
    messages: Sequence[Message],
    tools: Sequence[ToolSpec],
    output: OutputSchema | None,
    brief: Brief,
    draw: Draw,
    rounds: int,
) -> str:
    """JSON if it is asked for, a ReAct step if the tools are described in text, else prose."""
    if not tools:
        described = sim_react.tools_in(messages)
        if described:
            done = sim_react.rounds_done(messages)
            if done < rounds and not _NO_TOOLS.search(_last_user(messages)):
                tool = sorted(described, key=lambda one: -_relevance(one, brief))[done % len(described)]
                return sim_react.action_text(_call(tool, brief, draw, done), brief.topic)
            return sim_react.final_text(_answer_text(messages, output, brief, draw))
    return _answer_text(messages, output, brief, draw)


def _answer_text(messages: Sequence[Message], output: OutputSchema | None, brief: Brief, draw: Draw) -> str:
    schema = output.schema if output is not None else schema_in_prompt(messages)
    if schema is None:
        return write(brief, draw)
    value = SchemaWriter(schema, _words(brief, write(brief, draw)), draw).write()
    return json.dumps(value, ensure_ascii=False)


def schema_in_prompt(messages: Sequence[Message]) -> Mapping[str, Any] | None:
    """The JSON Schema that a prompt asks the answer to follow: the newest one in a user or system message."""
    for message in reversed(messages):
        if message.role not in ("user", "system") or "Action Input:" in message.content:
            continue
        if "{" in message.content and _WANTS_JSON.search(message.content):
            found = _first_schema(message.content)
            if found is not None:
                return found
    return None


def _first_schema(text: str) -> Mapping[str, Any] | None:
    decoder, start = json.JSONDecoder(), text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except ValueError:
            end = start + 1
        else:
            schema = _unwrapped(value)
            if schema is not None:
                return schema
        start = text.find("{", end)
    return None


def _unwrapped(value: Any) -> Mapping[str, Any] | None:
    """A schema, also one in OpenAI's envelope (`{"type": "json_schema", "json_schema": {"schema": …}}`)."""
    while isinstance(value, Mapping):
        if isinstance(value.get("properties"), Mapping) or "$defs" in value or "$ref" in value:
            return value
        value = value.get("json_schema", value.get("schema"))
    return None


def _usage(
    messages: Sequence[Message],
    tools: Sequence[ToolSpec],
    output: OutputSchema | None,
    text: str,
    calls: Sequence[ToolCall],
) -> Usage:
    asked = sum(len(message.content) for message in messages)
    asked += sum(len(call.name) + len(call.arguments) for message in messages for call in message.tool_calls)
    asked += sum(len(canonical_json(tool.to_json())) for tool in tools)
    asked += len(canonical_json(output.to_json())) if output is not None else 0
    said = len(text) + sum(len(call.name) + len(call.arguments) for call in calls)
    return Usage(input_tokens=max(1, -(-asked // 4)), output_tokens=max(1, -(-said // 4)))
