"""Whether a model call may go out now: the limiter's and the budget's place in the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from jackstay.core.messages import Question


@dataclass(frozen=True, slots=True)
class Candidate:
    """A request that wants to be sent, with its worst case in tokens and pico-dollars (None: no known price)."""

    run_id: str
    path: str
    model: str
    question: Question
    worst_pico: int | None
    worst_input_tokens: int
    worst_output_tokens: int


class Admission(Protocol):
    async def admit(self, candidate: Candidate) -> None:
        """Returns when the request may be sent; raises `BudgetExceeded` if it may never be."""
        ...


class OpenAdmission:
    """Lets everything pass: no limits and no budget are set."""

    async def admit(self, candidate: Candidate) -> None:
        return None
