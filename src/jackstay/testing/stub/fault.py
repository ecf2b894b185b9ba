"""What can go wrong between a client and a provider, as values. How each looks on the wire: `wire_*.py`, `answering.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

FaultKind = Literal["status", "hang", "reset", "cut", "error_event", "stall", "invalid_json", "no_choices", "drip"]
RetryForm = Literal["seconds", "date", "ms"]
Reason = Literal["", "context_length", "content_filter", "quota"]

_WORDS: Mapping[str, tuple[int, Reason]] = {
    "context": (400, "context_length"),
    "filter": (400, "content_filter"),
    "quota": (429, "quota"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure. Made by the class methods, or from a word by `parse`."""

    kind: FaultKind
    status: int = 200
    reason: Reason = ""
    message: str = ""
    """Instead of the provider's usual text."""
    retry_after_s: float | None = None
    retry_form: RetryForm = "seconds"
    after_chunks: int = 1
    """Chunks of the stream that still arrive."""
    interval_s: float = 0.0
    """Pause between the pieces of a slow drip."""

    @classmethod
    def http(cls, status: int, message: str = "") -> Fault:
        """An error status with the provider's own body for it: 400, 401, 403, 404, 413, 429, 500, 502, 503, 529."""
        return cls("status", status, message=message)

    @classmethod
    def rate_limited(cls, retry_after_s: float | None = None, *, form: RetryForm = "seconds") -> Fault:
        """429; `form`: Retry-After in seconds, as an HTTP date, or `retry-after-ms`."""
        return cls("status", 429, retry_after_s=retry_after_s, retry_form=form)

    @classmethod
    def quota(cls) -> Fault:
        """The account has no credit left: waiting does not help."""
        return cls("status", 429, "quota")

    @classmethod
    def context_length(cls) -> Fault:
        return cls("status", 400, "context_length")

    @classmethod
    def content_filter(cls) -> Fault:
        return cls("status", 400, "content_filter")

    @classmethod
    def hang(cls) -> Fault:
        """No answer until the client leaves."""
        return cls("hang")

    @classmethod
    def reset(cls) -> Fault:
        """TCP RST instead of an answer."""
        return cls("reset")

    @classmethod
    def cut(cls, after_chunks: int = 1) -> Fault:
        """The connection closes after so many chunks (not streamed: in the middle of the body)."""
        return cls("cut", after_chunks=after_chunks)

    @classmethod
    def stall(cls, after_chunks: int = 1) -> Fault:
        """The stream stops after so many chunks, the connection stays open."""
        return cls("stall", after_chunks=after_chunks)

    @classmethod
    def error_event(cls, after_chunks: int = 1) -> Fault:
        """An error in the middle of the stream, said by the provider (not streamed: status 500)."""
        return cls("error_event", after_chunks=after_chunks)

    @classmethod
    def invalid_json(cls) -> Fault:
        """Status 200 and a body that is not JSON."""
        return cls("invalid_json")

    @classmethod
    def no_choices(cls) -> Fault:
        """Status 200 and an answer without content."""
        return cls("no_choices")

    @classmethod
    def drip(cls, interval_s: float) -> Fault:
        """The whole answer, but piece by piece with a pause before each."""
        return cls("drip", interval_s=interval_s)

    @classmethod
    def parse(cls, text: str) -> Fault | None:
        """A fault from a word: `500`, `429:2.5` (Retry-After), `cut:3` (after chunks), `drip:0.1`, `hang`, `context`,
        `filter`, `quota`, …; `ok` is None. Raises `ValueError` for other words."""
        word, _, number = text.strip().partition(":")
        if word == "ok":
            return None
        if word in _WORDS:
            status, reason = _WORDS[word]
            return cls("status", status, reason)
        if word.isdigit():
            return cls("status", int(word), retry_after_s=float(number) if number else None)
        kind = word.replace("-", "_")
        if kind == "drip":
            return cls.drip(float(number or 0.01))
        if kind in ("hang", "reset", "invalid_json", "no_choices") and not number:
            return cls(kind)  # type: ignore[arg-type]
        if kind in ("cut", "stall", "error_event"):
            return cls(kind, after_chunks=int(number or 1))  # type: ignore[arg-type]
        raise ValueError(f"unknown fault {text!r}; known: 429:2, 500, context, filter, quota, hang, reset, cut:2, …")

    @property
    def label(self) -> str:
        """A short name for the log."""
        return self.reason or (str(self.status) if self.kind == "status" else self.kind)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any] | str) -> Fault:
        if isinstance(body, str):
            fault = cls.parse(body)
            if fault is None:
                raise ValueError("'ok' is no fault")
            return fault
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in body.items() if name in known})
