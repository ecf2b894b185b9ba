"""What a person says of a flow method's output, and what the person is shown. The names of the fields are CrewAI's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jackstay.core.specs import ModelConfig


@dataclass
class HumanFeedbackResult:
    """What listeners of a method with `@human_feedback` are given.

    `output`: what the method returned; `feedback`: the person's words, empty if there were none; `outcome`: the label that
    they came to (None without `emit`).
    """

    output: Any
    feedback: str = ""
    outcome: str | None = None
    timestamp: datetime | None = None
    method_name: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FeedbackSpec:
    """What `@human_feedback` says of a method."""

    message: str
    emit: tuple[str, ...] = ()
    default_outcome: str | None = None
    llm: ModelConfig | None = None
    """Who finds the label that a person's words come to."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    provider: Any = None
    """Who asks the person; None: the process's provider, else the console."""
    timeout_s: float | None = None
    """How long a paused run waits for the answer."""


@dataclass
class PendingFeedbackContext:
    """A question that a flow waits to have answered. `flow_id` is what `Flow.from_pending` takes."""

    flow_id: str
    flow_class: str
    method_name: str
    method_output: Any
    message: str
    emit: list[str] | None = None
    default_outcome: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    llm: Any = None
    requested_at: datetime | None = None
    run_id: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON data; an output that is none becomes its text."""
        asked_at = self.requested_at.isoformat() if self.requested_at else None
        return {**vars(self), "method_output": _plain(self.method_output), "requested_at": asked_at}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PendingFeedbackContext:
        asked_at = data.get("requested_at")
        known = {name: value for name, value in data.items() if name in cls.__dataclass_fields__}
        return cls(**{**known, "requested_at": datetime.fromisoformat(asked_at) if asked_at else None})


@dataclass
class FlowTalk:
    """What one kickoff of a flow has to do with people. `flow` is the public object, for providers; `pauses` what they have
    raised to pause it, by the path of the question."""

    flow: Any = None
    flow_class: str = ""
    history: list[HumanFeedbackResult] = field(default_factory=list)
    pauses: dict[str, Any] = field(default_factory=dict)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    return shown(value)


def shown(value: Any) -> str:
    """An output as a person reads it."""
    raw = getattr(value, "raw", None)
    if isinstance(raw, str):
        return raw
    as_json: Callable[..., str] | None = getattr(value, "model_dump_json", None)
    return as_json(indent=2) if as_json is not None else str(value)


def label_in(text: str, labels: Sequence[str]) -> str | None:
    """The label that the text is, else the longest one that stands in it (CrewAI's rule), whatever the case."""
    said = text.strip().strip("\"'.").casefold()
    for label in labels:
        if said == label.casefold():
            return label
    return max((label for label in labels if label.casefold() in said), key=len, default=None)
