"""What the simulated model understands of a conversation: who it is, what is asked, how long the answer should be.

Reads prompts in CrewAI's words ("Current Task:", "expected criteria") and falls back to the last thing the user said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from jackstay.core.messages import Message

Shape = Literal["prose", "bullets", "sections"]

_ROLE = re.compile(r"You are (?:an? |the )?([^.\n]{1,80})")
_TASK = re.compile(r"Current Task:\s*(.*)", re.S)
_TASK_END = re.compile(
    r"\n\s*\n?(?:This is the expect|This is the context|Current Date:|Expected output|Begin!|Context:)"
)
_EXPECTED = re.compile(
    r"(?:expected? criteria for your final answer|Expected output)\s*:\s*(.*?)(?:\n\s*[yY]ou MUST|\n\n|\Z)", re.S
)
_CONTEXT = re.compile(r"(?:This is the context you're working with|Context)\s*:\s*(.*?)(?:\n\nBegin!|\Z)", re.S)
_WORDS = re.compile(
    r"(exactly|at most|up to|no more than|under|fewer than|less than|max(?:imum)?(?: of)?|at least|more than|over|"
    r"min(?:imum)?(?: of)?|between)?\s*(\d[\d,]*)(?:\s*(?:-|–|to|and)\s*(\d[\d,]*))?[\s-]*words?\b",
    re.I,
)
_SENTENCES = re.compile(r"\b(one|two|three|four|five|a single|single|\d+)[\s-]+sentences?\b", re.I)
_ITEMS = re.compile(
    r"\b(one|two|three|four|five|six|seven|eight|nine|ten|\d+)\s+(?:\w+\s+)?(?:bullets?|items?|points|ideas|facts|steps|tips|trends)\b",
    re.I,
)
_QUOTED = re.compile(r"(?<!\w)[\"'\u201c\u2018]([^\"'\u201d\u2019\n]{2,60})[\"'\u201d\u2019](?!\w)")
_ABOUT = re.compile(r"\b(?:about|regarding|concerning|on|into|covering)\s+(?:the\s+)?([^.,;:!?\n]{2,80})", re.I)
_AFTER_TOPIC = re.compile(
    r"\s+(?:in (?=\d|exactly|about|under|at (?:most|least)|a few|one|two|three)|(?:for|with|using|by|from|that|which|to|and "
    r"(?:write|give|list|summari[sz]e))\s)"
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9'’-]*")
_NUMERALS = {
    word: number
    for number, word in enumerate(("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), 1)
}
_VERBS = re.compile(
    r"(research|write|summari[sz]e|analy[sz]e|explain|describe|draft|create|review|list|compare|find|produce|prepare|"
    r"investigate|study|outline|plan|explore|discuss|provide|give|make|build|collect|gather|identify|tell|please|search|"
    r"look|edit|improve|report|answer|generate|evaluate|"
    r"a|an|the|me|us|some|brief|short|detailed|up|for|of|out|at|what|is|are|your)[,:]?",
    re.I,
)
"""Words before the topic: what to do with it, and fillers."""
_LONG = re.compile(r"\b(report|article|essay|blog|detailed|comprehensive|in-depth|guide|full)\b", re.I)
_SHORT = re.compile(r"\b(brief|short|concise|summary|summarize|tl;dr|paragraph)\b", re.I)


@dataclass(frozen=True, slots=True)
class Brief:
    """The task as the simulated model sees it."""

    role: str
    task: str
    expected: str
    context: str
    feedback: str
    """What the user said after an answer of the model: a guardrail's complaint, a wish."""
    findings: tuple[str, ...]
    """Results of the tools called so far."""
    topic: str
    words: int
    sentences: int | None
    items: int | None
    shape: Shape

    @property
    def numbers(self) -> tuple[float, ...]:
        return tuple(float(number) for number in _NUMBER.findall(self.task)[:8])

    @property
    def keywords(self) -> frozenset[str]:
        return frozenset(word.lower() for word in _WORD.findall(f"{self.task} {self.expected}") if len(word) > 2)


def read_brief(messages: Sequence[Message], *, default_words: int | None = None) -> Brief:
    """Understand a conversation; always succeeds. `default_words`: the length of a text whose task names none."""
    system = "\n".join(message.content for message in messages if message.role == "system")
    asked = _asked(messages)
    task, expected, context = _split(asked.content)
    feedback = _feedback(messages, asked)
    role = _ROLE.search(system) or _ROLE.search(asked.content)
    wishes = (feedback, expected, task)
    sentences, items = _count(_SENTENCES, wishes), _count(_ITEMS, wishes)
    return Brief(
        role=role.group(1).strip() if role else "assistant",
        task=task,
        expected=expected,
        context=context,
        feedback=feedback,
        findings=tuple(_findings(messages)),
        topic=topic_of(task),
        words=_words(wishes, default_words),
        sentences=sentences,
        items=items,
        shape=_shape(wishes, items),
    )


def _asked(messages: Sequence[Message]) -> Message:
    users = [message for message in messages if message.role == "user"]
    for message in reversed(users):
        if "Current Task:" in message.content:
            return message
    return users[-1] if users else Message("user", "")


def _findings(messages: Sequence[Message]) -> Iterator[str]:
    """Results of tools; in text ReAct they come as a user's "Observation:"."""
    for message in messages:
        if message.role == "tool" and message.content:
            yield message.content
        elif message.role == "user" and message.content.startswith("Observation:"):
            yield message.content.removeprefix("Observation:").strip()


def _feedback(messages: Sequence[Message], asked: Message) -> str:
    last = next((message for message in reversed(messages) if message.role in ("user", "assistant")), None)
    if last is None or last.role != "user" or last is asked or last.content.startswith("Observation:"):
        return ""
    return last.content


def _split(text: str) -> tuple[str, str, str]:
    """Task, expected output and context of one user message."""
    found = _TASK.search(text)
    expected, context = _EXPECTED.search(text), _CONTEXT.search(text)
    task = _TASK_END.split(found.group(1) if found else text, maxsplit=1)[0]
    return (
        task.strip(),
        expected.group(1).strip() if expected else "",
        context.group(1).strip() if context else "",
    )


def topic_of(task: str) -> str:
    """What a task is about, in a few of its own words."""
    first = task.strip().split("\n", 1)[0]
    for pattern in (_QUOTED, _ABOUT):
        found = pattern.search(first)
        if found:
            return _few(found.group(1))
    words = first.split(".", 1)[0].split()
    while words and _VERBS.fullmatch(words[0]):
        words.pop(0)
    return _few(" ".join(words)) or "the task"


def _few(text: str) -> str:
    # "X in 100 words", "X for beginners": the wish after the topic is not part of it.
    cut = _AFTER_TOPIC.split(text.strip(), maxsplit=1)
    return " ".join(cut[0].split()[:6]).strip(" '\"")


def _number(text: str) -> int:
    return _NUMERALS.get(text.lower()) or (int(text.replace(",", "")) if text[0].isdigit() else 1)


def _count(pattern: re.Pattern[str], wishes: tuple[str, ...]) -> int | None:
    for text in wishes:
        found = pattern.search(text)
        if found:
            return max(1, min(_number(found.group(1)), 100))
    return None


def _words(wishes: tuple[str, ...], default: int | None) -> int:
    for text in wishes:
        found = _WORDS.search(text)
        if found:
            return _wanted(found)
    if default is not None:
        return default
    text = " ".join(wishes)
    if _LONG.search(text):
        return 320
    return 80 if _SHORT.search(text) else 140


def _wanted(found: re.Match[str]) -> int:
    limit, low = (found.group(1) or "").lower(), _number(found.group(2))
    if found.group(3):
        return min((low + _number(found.group(3))) // 2, 20_000)
    if limit.startswith(("at most", "up to", "no more", "under", "fewer", "less", "max")):
        low = low - max(1, low // 10)
    elif limit.startswith(("at least", "more", "over", "min")):
        low = low + max(1, low // 10)
    return max(1, min(low, 20_000))


def _shape(wishes: tuple[str, ...], items: int | None) -> Shape:
    text = " ".join(wishes).lower()
    if items is not None or "bullet" in text or "a list" in text:
        return "bullets"
    return "sections" if "markdown" in text or "sections" in text else "prose"
