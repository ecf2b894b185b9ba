"""A piece of what a run's models say, as those hear it who listen to the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

PieceKind = Literal["text", "tool_call", "restart"]


@dataclass(frozen=True, slots=True)
class Piece:
    """`path`: the step that says it. A tool call's first piece has its name, later ones the next characters of its
    arguments in `text`; `tool_index` counts the answer's tool calls. `restart`: the step's answer is asked for anew, what
    was told of it does not count."""

    path: str
    agent: str
    kind: PieceKind
    text: str
    tool_index: int = 0
    tool_name: str = ""
    replayed: bool = False
    """It comes from the record, all at once."""


PieceListener = Callable[[Piece], None]
"""Called on the engine loop: must return at once, and must not raise."""
