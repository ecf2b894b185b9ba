"""Tools in plain text for models that have no native tool calling (ReAct: Yao et al. 2022, arXiv:2210.03629)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ACTION = re.compile(
    r"^\s*Action\s*:\s*(?P<name>[^\n]+)\n\s*Action Input\s*:\s*(?P<input>.*)", re.DOTALL | re.MULTILINE
)
_FINAL = re.compile(r"^\s*Final Answer\s*:\s*(?P<answer>.*)", re.DOTALL | re.MULTILINE)
# Only at the beginning, or as a pair: minutes of a meeting may well have a line "Action: call the client".
_DEBRIS = re.compile(
    r"\A\s*(Thought|Action|Action Input|Observation)\s*:|^\s*Action\s*:[^\n]*\n\s*Action Input\s*:", re.MULTILINE
)
_NEXT_ACTION = re.compile(r"^\s*(?:Thought\s*:[^\n]*\n\s*)?Action\s*:[^\n]*\n\s*Action Input\s*:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Action:
    tool: str
    arguments: str


def parse(text: str) -> Action | str:
    """What a ReAct answer says: a tool to call, or the final answer's text (all of it, if it has no marks)."""
    action, final = _ACTION.search(text), _FINAL.search(text)
    if final and (not action or final.start() < action.start()):
        return _answer_in(final["answer"])
    if action:
        arguments = action["input"].split("\nObservation")[0].strip().removeprefix("```json").strip("`\n ")
        return Action(action["name"].strip().strip("`*\"'"), arguments)
    return text.strip()


def is_debris(text: str) -> bool:
    """Whether a text is tool-call syntax rather than an answer to a person."""
    return not text.strip() or (bool(_DEBRIS.search(text)) and not _FINAL.search(text))


def without_debris(text: str) -> str:
    """The final answer in a text, without the marks of the ReAct format."""
    final = _FINAL.search(text)
    return _answer_in(final["answer"]) if final else text.strip()


def _answer_in(text: str) -> str:
    """What stands after `Final Answer:`, up to a further call that the model wrote down in the same breath."""
    again = _NEXT_ACTION.search(text)
    return (text[: again.start()] if again else text).strip()
