"""Texts and numbers for single fields, taken from the task's words by the field's name, format, length and pattern."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jackstay.models.sim_draw import Draw
from jackstay.models.sim_pattern import matching
from jackstay.models.sim_text import sentence

_SUM = re.compile(r"\(?-?\d[\d.\s()+*/x^%-]*[-+*/x^%][\d.\s()+*/x^%-]*\d\)?")
_COWORKERS = re.compile(r"coworkers?\s*:\s*\[?([^\]\n.]+)", re.I)
_LONG_FIELDS = (
    "summary",
    "description",
    "content",
    "text",
    "body",
    "answer",
    "reason",
    "detail",
    "explanation",
    "plan",
)
_FORMATS: Mapping[str, str] = {
    "date-time": "2026-11-{day:02}T09:30:00Z",
    "date": "2026-11-{day:02}",
    "time": "09:30:00Z",
    "duration": "P{day}D",
    "email": "{slug}@example.com",
    "uri": "https://example.com/{slug}",
    "url": "https://example.com/{slug}",
    "hostname": "{slug}.example.com",
    "ipv4": "192.0.2.{day}",
    "ipv6": "2001:db8::{day}",
    "uuid": "{hex}-0000-4000-8000-{hex}0000",
    "byte": "c2lt",
}


@dataclass(frozen=True, slots=True)
class Words:
    """What a task offers for filling in fields."""

    task: str
    topic: str
    numbers: tuple[float, ...] = ()
    answer: str = ""
    """The free-text answer, for a structured answer's one long field."""

    def text(self, name: str, schema: Mapping[str, Any], draw: Draw) -> str:
        """A string for the field `name` that fits its schema."""
        if "pattern" in schema:
            return matching(str(schema["pattern"]), draw, int(schema.get("minLength", 0)), self.topic)
        form = _FORMATS.get(str(schema.get("format")))
        text = form.format(**self._parts(draw)) if form else self._named(name.lower(), schema, draw)
        return _sized(text, int(schema.get("minLength", 0)), schema.get("maxLength"))

    def _parts(self, draw: Draw) -> dict[str, Any]:
        return {"day": 1 + draw.below(28), "slug": self.slug, "hex": f"{draw.below(1 << 32):08x}"}

    @property
    def slug(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.topic.lower()).strip("-") or "item"

    def _named(self, name: str, schema: Mapping[str, Any], draw: Draw) -> str:
        parts = self._parts(draw)
        coworkers = _COWORKERS.search(str(schema.get("description", "")))
        if "coworker" in name and coworkers:
            return draw.choice([one.strip(" '\"") for one in coworkers.group(1).split(",")])
        if any(word in name for word in ("expression", "formula", "calc", "equation")):
            found = _SUM.search(self.task)
            return found.group(0).strip() if found else f"{parts['day']} * 12"
        for word, form in (
            ("email", "{slug}@example.com"), ("url", "https://example.com/{slug}"), ("link", "https://example.com/{slug}"),
            ("date", "2026-11-{day:02}"), ("path", "{slug}.md"), ("file", "{slug}.md"), ("language", "en"), ("id", "{slug}-{day}"),
        ):  # fmt: skip
            if re.search(rf"(?:^|_){word}(?:$|_|name)", name):
                return form.format(**parts)
        if any(word in name for word in _LONG_FIELDS):
            return self.answer or sentence(self.topic, draw)
        if "question" in name:
            return f"What is most important about {self.topic}?"
        if any(word in name for word in ("query", "topic", "search", "subject", "keyword")):
            return self.topic
        if any(word in name for word in ("title", "name", "headline", "label")):
            return self.topic[:1].upper() + self.topic[1:]
        if name.endswith("s") and not name.endswith("ss"):
            return sentence(self.topic, draw)
        return self.task.strip() or self.topic if name in ("task", "prompt", "input", "request") else self.topic


def _sized(text: str, low: int, high: Any) -> str:
    while len(text) < low:
        text = f"{text} {text or 'text'}"[: max(low, 1)]
    return text[: int(high)] if high is not None else text
