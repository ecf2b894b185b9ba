"""What a run asks a person, and what the person has answered, as they are stored."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from jackstay.core.canonical import canonical_json, digest
from jackstay.core.ids import SHORT
from jackstay.core.records import Wait

Kind = Literal["feedback", "input", "review"]
"""Of a flow method's output; a text (`Flow.ask`); of a task's answer (`human_input=True`)."""
PERSONAL: frozenset[str] = frozenset({"feedback", "input", "review"})
"""Kinds of waits that are answered in words. (`budget` and `needs_decision` have forms of their own.)"""
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
TIME_OVER = "the deadline"
"""Who has answered, where nobody has."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to a person. `about`: JSON data that says what it is of; `shown` is a text to be looked at."""

    kind: Kind
    message: str
    shown: str = ""
    options: tuple[str, ...] = ()
    default: str | None = None
    """The outcome, if nobody answers in time."""
    timeout_s: float | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def question(self) -> str:
        """The hash that a recorded answer answers to. Not of the text where the value itself is stored: that of a set is
        another one in each process, and so is the address of an object."""
        stored = self.about.get("output")
        of = _ADDRESS.sub("", self.shown) if stored is None else stored
        return digest([self.kind, self.message, of, list(self.options)])

    def wait(self, run_id: str, path: str, number: int, *, at: datetime, project_id: str | None) -> Wait:
        """The row of a run that waits for the answer."""
        payload = {
            "question": self.question,
            "shown": self.shown,
            "options": list(self.options),
            "default": self.default,
            "about": dict(self.about),
        }
        deadline = None if self.timeout_s is None else at + timedelta(seconds=self.timeout_s)
        text = canonical_json(payload)
        return Wait(run_id, path, number, self.kind, self.message, text, project_id, at, deadline=deadline)


@dataclass(frozen=True, slots=True)
class Answer:
    """`text` is None where the time for it was over, `outcome` is set where a label was chosen instead of written about."""

    text: str | None
    outcome: str | None = None
    by: str | None = None
    at: datetime | None = None

    def to_json(self) -> str:
        at = self.at.isoformat() if self.at else None
        return canonical_json({"text": self.text, "outcome": self.outcome, "by": self.by, "at": at})

    @classmethod
    def from_json(cls, text: str) -> Answer:
        body = json.loads(text)
        at = body.get("at")
        return cls(body["text"], body["outcome"], body.get("by"), datetime.fromisoformat(at) if at else None)


def payload_of(wait: Wait) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(wait.payload or "{}")
    return payload


def is_of(wait: Wait, asked: Asked) -> bool:
    """Whether the wait is for an answer to this very question."""
    return wait.kind == asked.kind and payload_of(wait).get("question") == asked.question


def answer_of(wait: Wait) -> Answer | None:
    """What has been answered; None: nothing yet."""
    if wait.answer is None:
        return None
    said = Answer.from_json(wait.answer)
    return Answer(said.text, said.outcome, wait.answered_by, wait.answered_at)


def when_time_is_over(wait: Wait) -> Answer:
    """What counts as the answer to a question that nobody has answered in time."""
    return Answer("" if wait.kind == "feedback" else None, payload_of(wait).get("default"))


def checked(wait: Wait, text: str | None, outcome: str | None) -> Answer:
    """An answer that fits the question. Raises `ValueError` with what would."""
    options = payload_of(wait).get("options") or []
    if outcome is not None and outcome not in options:
        offered = f"one of {', '.join(options)}" if options else "no label: the question wants a text"
        raise ValueError(f"{outcome!r} is no outcome of this question; it has {offered}")
    if text is not None and not isinstance(text, str):
        raise ValueError(f"an answer is a text, not {text!r:.80}")
    if outcome is None and text is None:
        raise ValueError("there is no answer; give a text (empty: nothing to say) or an outcome")
    return Answer(text or "", outcome)


def how_to_answer(wait: Wait) -> str:
    """What the run waits for, and the commands that answer and go on."""
    if wait.kind not in PERSONAL:
        return wait.prompt or ""
    run, options = wait.run_id[:SHORT], payload_of(wait).get("options") or []
    outcome = f", or --outcome {'|'.join(options)}" if options else ""
    return f"{wait.prompt} (answer it: jackstay answer {run} TEXT{outcome}; then: jackstay resume {run})"


def name_of(wait: Wait) -> str:
    """What the command line calls it."""
    return f"{wait.run_id[:SHORT]}#{wait.rev}"
