"""How logs and traces name a run and its steps, and how a run remembers under whose span it was started."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from jackstay.core.canonical import canonical_json
from jackstay.core.ids import span_id, trace_id

TAG = "trace"
"""In a run's tags: the span under which it was started. Who resumes or exports it goes on with that trace."""


KNOWN_MOST = 1000
"""Steps of a run whose ids are remembered."""

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class TraceParent:
    """A span as the others hear of it: the header `traceparent` of W3C Trace Context, level 1."""

    trace_id: str
    span_id: str
    is_sampled: bool = True

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{int(self.is_sampled):02x}"

    @classmethod
    def parse(cls, text: str) -> TraceParent | None:
        """None: it is not one."""
        found = _TRACEPARENT.fullmatch(text.strip())
        if found is None or not (int(found[1], 16) and int(found[2], 16)):
            return None
        return cls(found[1], found[2], bool(int(found[3], 16) & 1))


@dataclass(frozen=True, slots=True)
class SpanIds:
    """The ids of one process's share of a run. `parent`: the span under which the run was started, if there was one."""

    run_id: str
    epoch: int
    parent: TraceParent | None = None
    trace: str = field(init=False, compare=False)
    _known: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Of steps: lines, spans and what is inside of a step name the same one."""

    def __post_init__(self) -> None:
        own = trace_id(self.run_id) if self.parent is None else self.parent.trace_id
        object.__setattr__(self, "trace", own)

    def of(self, path: str) -> str:
        """The span's of the step at that path; the empty one is the run."""
        known = self._known.get(path)
        if known is None:
            if len(self._known) >= KNOWN_MOST:
                self._known.clear()
            known = self._known[path] = span_id(self.run_id, path, self.epoch)
        return known


def parent_in(tags: str | None) -> TraceParent | None:
    """The span under which the run with these tags was started."""
    found = json.loads(tags).get(TAG) if tags and TAG in tags else None
    return TraceParent.parse(found) if isinstance(found, str) else None


def source_in(tags: str | None) -> TraceParent | None:
    """Of a replay: the same of the run that it is a replay of."""
    found = json.loads(tags or "{}").get("replay", {}).get(TAG)
    return TraceParent.parse(found) if isinstance(found, str) else None


def tagged(tags: str | None, parent: TraceParent) -> str:
    """The tags with that span."""
    return canonical_json({**json.loads(tags or "{}"), TAG: str(parent)})
