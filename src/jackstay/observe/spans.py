"""From a run's rows to its spans: one function for runs that happen and for those that are long over.

A run is a tree of steps, and its spans are the same tree. Every process that drives the run (an *epoch* of its lease)
has a subtree of its own under one root, so that a step that is interrupted here and ends there is never one span told by
two processes. Ids are made of run, epoch and path: what happens inside a step can name it as its parent before the step has
ended and its row is written. Knows neither OpenTelemetry nor the journal; `span_attributes` says what stands in a span.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from jackstay.core.ids import span_id
from jackstay.core.paths import parent_of
from jackstay.core.records import StepRow
from jackstay.core.trace_ids import SpanIds

HIDDEN = ("input",)
"""Recorded inputs are no step that anybody waits for (nor are they in `jackstay show`)."""


class Placed(NamedTuple):
    """Where and when a span is; what it is of: a step's row, an agent's work in a task, or (neither) a scope that has no
    row, because it did not end or never has one."""

    path: str
    span_id: str
    parent_id: str
    started_at: datetime
    finished_at: datetime
    row: StepRow | None = None
    agent: str | None = None


@dataclass(slots=True)
class _Stretch:
    """From the first step's beginning to the last one's end."""

    started_at: datetime
    finished_at: datetime

    def include(self, row: StepRow) -> None:
        self.started_at = min(self.started_at, row.started_at)
        self.finished_at = max(self.finished_at, row.finished_at)


@dataclass(slots=True)
class _Scope(_Stretch):
    """A scope in which something has ended, but not yet itself."""

    agents: dict[str, _Stretch] = field(default_factory=dict)
    inner: dict[str, None] = field(default_factory=dict)
    """Scopes right below it that are open, in their order."""


class EpochSpans:
    """The spans of one epoch. `place` is given the epoch's rows in the order in which they were made."""

    def __init__(self, ids: SpanIds) -> None:
        self.ids = ids
        self._open: dict[str, _Scope] = {}
        self._ended: dict[str, int] = {}
        """How often a step has ended, by path: one that is done again is another span."""

    def id_of(self, path: str) -> str:
        """Of the step that is at that place now."""
        return self._id(path, self._ended.get(path, 0)) if path else self.ids.of("")

    def place(self, row: StepRow) -> list[Placed]:
        """The spans that end with this row: its own is the last one. None for what is no step, and for what another run
        has paid for and told."""
        if row.kind in HIDDEN or row.origin_run_id is not None:
            return []
        path, around, agent = row.path, parent_of(row.path), _agent_of(row)
        ended = list(self._closed(path)) if path in self._open else []
        parent_id = self.id_of(around) if agent is None else self._agent_id(around, agent)
        ended.append(Placed(path, self.id_of(path), parent_id, row.started_at, row.finished_at, row))
        self._ended[path] = self._ended.get(path, 0) + 1
        self._note(row, around, agent)
        return ended

    def left_open(self) -> list[Placed]:
        """At the end of the epoch: the scopes that had steps and have no row."""
        return list(self._closed(""))

    def _agent_id(self, path: str, agent: str) -> str:
        return self._id(f"{path}//{agent}", self._ended.get(path, 0))

    def _id(self, path: str, again: int) -> str:
        return span_id(self.ids.run_id, path, self.ids.epoch, again) if again else self.ids.of(path)

    def _note(self, row: StepRow, path: str, agent: str | None) -> None:
        inner = ""
        while True:
            scope = self._open.get(path)
            if scope is None:
                scope = self._open[path] = _Scope(row.started_at, row.finished_at)
            else:
                scope.include(row)
            if inner:
                scope.inner[inner] = None
            elif agent is not None and agent in scope.agents:
                scope.agents[agent].include(row)
            elif agent is not None:
                scope.agents[agent] = _Stretch(row.started_at, row.finished_at)
            if not path:
                return
            path, inner = parent_of(path), path

    def _closed(self, path: str) -> Iterator[Placed]:
        """What ends with this scope: first what is inside of what is below it."""
        scope = self._open.pop(path, None)
        if scope is None:
            return
        if path and (around := self._open.get(parent_of(path))) is not None:
            around.inner.pop(path, None)
        for below in tuple(scope.inner):
            whole = self._open[below]
            yield from self._closed(below)
            yield Placed(below, self.id_of(below), self.id_of(path), whole.started_at, whole.finished_at)
            self._ended[below] = self._ended.get(below, 0) + 1
        for agent, stretch in scope.agents.items():
            own = self._agent_id(path, agent)
            yield Placed(path, own, self.id_of(path), stretch.started_at, stretch.finished_at, agent=agent)


def epochs_of(rows: Iterable[StepRow]) -> dict[int, list[StepRow]]:
    """A run's rows by the epoch that made them, in order."""
    epochs: dict[int, list[StepRow]] = {}
    for row in sorted(rows, key=lambda row: row.seq):
        epochs.setdefault(row.epoch, []).append(row)
    return dict(sorted(epochs.items()))


def placed_of(ids: SpanIds, rows: Sequence[StepRow]) -> list[Placed]:
    """All spans of an epoch that is over, but its root."""
    told = EpochSpans(ids)
    return [*(placed for row in rows for placed in told.place(row)), *told.left_open()]


def _agent_of(row: StepRow) -> str | None:
    """The agent for which the engine has asked or called this, if it works in a scope which is not its own: in a task, or in a
    tool by which work was given to it. (What user code starts is numbered by its question, and so are kickoffs.)"""
    if row.kind not in ("llm", "tool") or not row.agent:
        return None
    around, _, own = row.path.rpartition("/")
    return row.agent if around and "~" not in own and "~" not in around.rpartition("/")[2] else None
