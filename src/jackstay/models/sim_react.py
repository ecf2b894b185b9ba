"""Text ReAct as the simulated model speaks it: tools described in the prompt, `Action:` and `Final Answer:` lines."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from jackstay.core.messages import Message, ToolCall, ToolSpec

_OURS = re.compile(r"^- (\w[\w-]*): (.*?) Arguments \(JSON Schema\): (?=\{)", re.M)
_CREWAI = re.compile(r"Tool Name:\s*([^\n]+)\s*\nTool Arguments:\s*(?=\{)")


def tools_in(messages: Sequence[Message]) -> list[ToolSpec]:
    """The tools that a prompt describes in text; none unless it also explains the format."""
    text = "\n".join(message.content for message in messages if message.role in ("system", "user"))
    if "Action Input:" not in text:
        return []
    tools = [_tool(text, found, found.group(1), found.group(2)) for found in _OURS.finditer(text)]
    return tools or [_tool(text, found, found.group(1).strip(), "") for found in _CREWAI.finditer(text)]


def _tool(text: str, found: re.Match[str], name: str, description: str) -> ToolSpec:
    try:
        schema, _ = json.JSONDecoder().raw_decode(text, found.end())
    except ValueError:
        schema = {"type": "object"}
    return ToolSpec(name, description, schema)


def rounds_done(messages: Sequence[Message]) -> int:
    return sum(1 for message in messages if message.role == "assistant" and "\nAction:" in f"\n{message.content}")


def action_text(call: ToolCall, topic: str) -> str:
    return f"Thought: I need to find out more about {topic}.\nAction: {call.name}\nAction Input: {call.arguments}"


def final_text(answer: str) -> str:
    return f"Thought: I know the final answer\nFinal Answer: {answer}"
