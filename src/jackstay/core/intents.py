"""Tools that act on the world: what a person says of a call whose end nobody knows, and what the person is asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from jackstay.core.canonical import canonical_json

NEEDS_DECISION = "needs_decision"
"""The kind of wait."""
SIDE_EFFECT, NOT_CALLED, DECIDED, RECEIPT = "side_effect", "not_called", "decided", "receipt"
"""Words in the flags of a tool's row. `receipt`: not called, an earlier attempt of its task had done the same."""
Choice = Literal["done", "again", "fail"]


@dataclass(frozen=True, slots=True)
class Decided:
    """`done`: it has acted, and `result` is what the agent is told. `again`: it has not; it is called now. `fail`: the
    agent is told that it failed."""

    choice: Choice
    result: str | None = None

    def to_json(self) -> str:
        return canonical_json({"choice": self.choice, "result": self.result})

    @classmethod
    def from_json(cls, text: str) -> Decided:
        return cls(**json.loads(text))

    @classmethod
    def of(cls, choice: str, result: str | None = None) -> Decided:
        """Checked. Raises `ValueError` with what there is to choose from."""
        for known in get_args(Choice):
            if choice == known and (known == "done") == (result is not None):
                return cls(known, result)
        said = choice if result is None else f"{choice}={result}"
        raise ValueError(
            f"{said!r} is no decision: done=RESULT (it has acted; RESULT is what the agent is told), again (it has not: "
            "call it now) or fail (the agent is told that it failed)"
        )

    @classmethod
    def parse(cls, text: str) -> Decided:
        """As it is given on the command line: `done=RESULT`, `again` or `fail`. Raises `ValueError`."""
        choice, given, result = text.partition("=")
        return cls.of(choice, result if given else None)


def question(*, tool: str, arguments: str, agent: str | None, at: datetime, key: str, run: str) -> str:
    """What the person is asked."""
    by = f" by {agent}" if agent else ""
    return (
        f"the tool '{tool}' was called{by} with {arguments} at {at:%Y-%m-%d %H:%M:%S} UTC and no result was recorded: it "
        f"may have acted or not (idempotency key {key}). Find out, then: jackstay resume {run} --decide done=RESULT (it "
        "has acted; RESULT is what the agent is told), --decide again (it has not: call it now), or --decide fail (the "
        "agent is told that it failed)"
    )
