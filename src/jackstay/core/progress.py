"""Whether an agent gets on: seen from the turns in which it called tools, each one value for its calls and their results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from jackstay.core.canonical import digest
from jackstay.core.messages import ToolCall

SAME_IN_A_ROW = 3


def turn_of(calls: Iterable[tuple[ToolCall, str]]) -> str:
    """One turn: its calls with what they came to, in any order."""
    return digest(sorted(digest([call.name, normal_arguments(call.arguments), said]) for call, said in calls))


def standstill(turns: Sequence[str]) -> str | None:
    """How the last turns go round, in words; None: they do not, as far as can be told."""
    if len(turns) >= SAME_IN_A_ROW and len(set(turns[-SAME_IN_A_ROW:])) == 1:
        return f"made the same tool call with the same result {SAME_IN_A_ROW} times in a row"
    if len(turns) >= 4 and turns[-4:-2] == turns[-2:]:
        return "went back and forth twice between the same two tool calls, with the same results"
    return None


def normal_arguments(text: str) -> str:
    """Equal for arguments that say the same, however they are spaced."""
    try:
        return json.dumps(json.loads(text or "{}"), sort_keys=True)
    except ValueError:
        return text
