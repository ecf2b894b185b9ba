"""What is logged of a run: the engine's news as named lines with the run's context.

Knows no handler and no thread; `log_sinks` writes what this makes.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from jackstay.core.events import Event
from jackstay.core.masking import Masking
from jackstay.core.paths import parent_of
from jackstay.core.trace_ids import SpanIds

NAMES: Mapping[str, str] = {"run_resumed": "resumed", "run_waiting": "wait_started"}
"""Where the log's word is another one than the engine's."""

LEVELS: Mapping[str, int] = {
    "run_failed": logging.ERROR,
    "task_failed": logging.ERROR,
    "method_failed": logging.ERROR,
    "crew_failed": logging.ERROR,
    "run_cancelled": logging.WARNING,
    "model_call_failed": logging.WARNING,
    "tool_failed": logging.WARNING,
    "guardrail_rejected": logging.WARNING,
    "retry": logging.WARNING,
    "fallback": logging.WARNING,
    "budget_exceeded": logging.WARNING,
    "warning": logging.WARNING,
    "batch_progress": logging.DEBUG,
}
"""All else is told at INFO: a run in which nothing went wrong says nothing above it."""

CONTENT = frozenset({"inputs", "arguments", "result", "summary", "prompt", "answer"})
"""What people and models said: logged only if that was asked for."""

NAMES_ONLY = frozenset(
    {
        "run_id", "path", "trace_id", "span_id", "session_id", "crew", "flow", "method", "task", "agent", "tool", "model",
        "guardrail", "batch", "kind", "name", "status", "replay_of",
    }
)  # fmt: skip
"""What things are called, and the engine's own words: told by form only, since a recogniser takes many a name for a person's."""

MASKED = "jackstay_masked"
"""Attribute of a record: there is nothing in it that must not be shown."""

MOST_CHARACTERS = 20_000
"""Of one content; the journal has it whole."""

_ENDS = ("_finished", "_failed", "_skipped", "_passed", "_rejected", "_cancelled", "_waiting")
_KICKOFFS = frozenset({"run_started", "run_resumed", "kickoff_started", "crew_started"})
_NAMED = ("task", "agent", "method", "model", "tool")
_NOT_TOLD = frozenset({"about", "replay_of"})
UNTOLD = frozenset({"kickoff_finished", "kickoff_failed", "model_piece", "tool_failure"})
"""Only for listeners. (Of `kickoff_started` is remembered what the kickoff is called.)"""


class _News(NamedTuple):
    """What an event's name says."""

    shown: str
    level: int
    is_told: bool
    ends: bool
    """Something, which may have begun before."""
    begins: bool
    is_kickoff: bool


@cache
def _news(name: str) -> _News:
    is_told = name not in UNTOLD and name != "kickoff_started"
    level, ends, begins = LEVELS.get(name, logging.INFO), name.endswith(_ENDS), name.endswith("_started")
    return _News(NAMES.get(name, name), level, is_told, ends, begins, name in _KICKOFFS)


@dataclass(slots=True, eq=False)
class Place:
    """What every line of a place in a run has."""

    fields: Mapping[str, Any]
    form: str | None = None
    """Of the fields, once a line was written: several have the same ones."""


class Line(NamedTuple):
    """One line of the log, before it has a form."""

    event: str
    level: int
    at: datetime
    place: Place
    own: Mapping[str, Any]

    @property
    def fields(self) -> Mapping[str, Any]:
        return {**self.place.fields, **self.own}


@dataclass(slots=True)
class _Open:
    at: datetime
    names: dict[str, Any]
    """Of crew, flow, task and so on, masked: its own and those around it."""
    place: Place | None = None
    """Of every line that is of it, once there was one."""


@dataclass(slots=True, eq=False)
class Heard:
    """An event that is to be logged, and its lines, once they are made."""

    event: Event
    ids: SpanIds
    content: Mapping[str, Any] | None
    lines: Sequence[Line] | None = None
    failure: Exception | None = None


_UNMADE_MOST = 200
"""Events whose lines are made later: where nobody can write, they are made now and then anyway."""


class LogLines:
    """Turns events into lines. Remembers what has begun, so that every line says in which task, crew and flow it
    happened. Thread-safe: users' own records ask for their context from any thread."""

    def __init__(self, masking: Callable[[], Masking], *, content: bool = False, level: int = logging.NOTSET) -> None:
        """`level`: below it nothing is told."""
        self._masking, self._content, self._level = masking, content, level
        self._lock = threading.Lock()
        self._open: dict[str, dict[str, _Open]] = {}
        """By run and path."""
        self._unmade: deque[Heard] = deque()

    def hear(self, event: Event, ids: SpanIds, content: Mapping[str, Any] | None = None) -> Heard:
        """Takes it in; its lines are made with others. Several in a row take a third of what they take between a run's
        steps, each for itself. `ids`: those of its run; `content`: what was said, beside the event's own data."""
        heard = Heard(event, ids, content)
        self._unmade.append(heard)
        if self._content or len(self._unmade) >= _UNMADE_MOST:
            self._make()  # what was said may be changed by whoever said it
        return heard

    def made(self, heard: Heard) -> Sequence[Line]:
        """What is logged of it. May raise what making it has raised."""
        if heard.lines is None:
            self._make()
        if heard.failure is not None:
            raise heard.failure
        return heard.lines or ()

    def of(self, event: Event, ids: SpanIds, content: Mapping[str, Any] | None = None) -> Sequence[Line]:
        """The same at once."""
        return self.made(self.hear(event, ids, content))

    def _make(self) -> None:
        masking = self._masking()
        with self._lock:
            while self._unmade:
                heard = self._unmade.popleft()
                try:
                    heard.lines = self._lines(heard, masking)
                except Exception as error:  # noqa: BLE001 - of one event; raised for whoever writes it
                    heard.lines, heard.failure = (), error

    def _lines(self, heard: Heard, masking: Masking) -> Sequence[Line]:
        event, news = heard.event, _news(heard.event.name)
        known = self._open.get(event.run_id)
        opened = None if known is None else known.get(event.path)
        if news.is_kickoff or news.begins:
            opened = self._begun(event, opened, masking, is_kickoff=news.is_kickoff)
        lines: Sequence[Line] = ()
        if news.is_told and news.level >= self._level:
            lines = self._told(heard, news, opened, masking)
        if news.ends:
            self._forget(event)
        return lines

    def _told(self, heard: Heard, news: _News, opened: _Open | None, masking: Masking) -> Sequence[Line]:
        event = heard.event
        place = self._placed(event, heard.ids, opened)
        known = place.fields
        own: dict[str, Any] = {}
        for key, value in event.data.items():
            if value is None or key in _NOT_TOLD:
                continue
            if key not in CONTENT:
                shown = masking.text(value) if type(value) is str else _plain(value, masking)
                if key not in known or known[key] != shown:
                    own["attempt" if key == "attempts" else key] = shown
            elif self._content:
                own[key] = _shown(value, masking)
        if news.ends and opened is not None and "duration_s" not in own:
            own["duration_s"] = round(max(0.0, (event.at - opened.at).total_seconds()), 6)
        if heard.content and self._content:
            own |= {key: _shown(value, masking) for key, value in heard.content.items()}
        line = Line(news.shown, news.level, event.at, place, own)
        replayed = event.data.get("replay_of")
        return [line, Line("replayed", logging.INFO, event.at, place, {"replay_of": replayed})] if replayed else [line]

    def recognised(self, line: Line) -> Line:
        """The line without what the recogniser finds. Not on the engine loop, as `of` is: it takes milliseconds."""
        masking = self._masking()
        told = {key: each if key in NAMES_ONLY else masking.recognised(each) for key, each in line.fields.items()}
        return line._replace(place=Place({}), own=told)

    def where(self, run_id: str, path: str) -> dict[str, Any]:
        """The context of a place in a run."""
        self._make()
        with self._lock:
            return self._where(run_id, path)

    def _placed(self, event: Event, ids: SpanIds, opened: _Open | None) -> Place:
        if opened is not None and opened.place is not None:
            return opened.place
        fields = self._where(event.run_id, event.path)
        fields["trace_id"], fields["span_id"] = ids.trace, ids.of(event.path)
        place = Place(fields)
        if opened is not None:
            opened.place = place
        return place

    def _where(self, run_id: str, path: str) -> dict[str, Any]:
        named = {"run_id": run_id, "path": path} if path else {"run_id": run_id}
        named.update(self._names(run_id, path))
        return named

    def _names(self, run_id: str, place: str) -> Mapping[str, Any]:
        """Of the nearest scope that is open there or around."""
        known = self._open.get(run_id)
        while known:
            opened = known.get(place)
            if opened is not None:
                return opened.names
            if not place:
                break
            place = parent_of(place)
        return {}

    def _begun(self, event: Event, opened: _Open | None, masking: Masking, *, is_kickoff: bool) -> _Open:
        """Takes in what begins."""
        data = event.data
        if not is_kickoff:
            opened = self._begin(event)
            for key in _NAMED:
                if name := data.get(key):
                    opened.names[key] = _plain(name, masking)
            return opened
        opened = opened or self._begin(event)
        kind, name = data.get("kind"), data.get("name")
        if kind in ("crew", "flow") and name and opened.names.get(kind) != (shown := _plain(name, masking)):
            opened.names[kind] = shown
            opened.place = None
        return opened

    def _begin(self, event: Event) -> _Open:
        around = self._names(event.run_id, parent_of(event.path)) if event.path else {}
        opened = _Open(event.at, dict(around))
        self._open.setdefault(event.run_id, {})[event.path] = opened
        return opened

    def _forget(self, event: Event) -> None:
        if event.name.startswith("run_"):
            self._open.pop(event.run_id, None)
        elif not event.name.startswith("kickoff_"):
            self._open.get(event.run_id, {}).pop(event.path, None)


def _plain(value: Any, masking: Masking) -> Any:
    # By class first, for nearly all that comes: a third of what the patterns take.
    kind = type(value)
    if kind is str:
        return masking.text(value)
    if kind is int:
        return value
    if kind is Decimal:
        return float(value)
    if kind is float:
        return round(value, 6)
    match value:
        case str():
            return masking.text(value)
        case bool() | int():
            return value
        case _:
            return _shown(value, masking)


def _shown(value: Any, masking: Masking) -> Any:
    shown = masking.data(value)
    if isinstance(shown, str) and len(shown) > MOST_CHARACTERS:
        return f"{shown[:MOST_CHARACTERS]}… ({len(shown) - MOST_CHARACTERS:,} more characters are in the journal)"
    return shown
