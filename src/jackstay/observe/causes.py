"""Why a run has not succeeded: the chain of causes, from what ended it down to the step and the exception behind it.

Decided from the rows alone. What to say of it, and which commands go on, is `why.py`'s matter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from jackstay.core.failures import Failure
from jackstay.core.paths import parent_of, tool_at
from jackstay.core.records import Intent, Reservation, RunRow, StepRow, Wait
from jackstay.core.replay import Unit
from jackstay.core.usage import NO_BILL, Bill
from jackstay.observe.runs import State

_HASH = re.compile(r"~[0-9a-f]+(?=#)")
"""Of the question, in the path of a step that user code started: right for telling steps apart, nothing to read."""
_CHAINED = re.compile(
    r"\n\n(?:The above exception was the direct cause of the following exception|"
    r"During handling of the above exception, another exception occurred):\n\n"
)
_FRAME = re.compile(r'^\s+File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>.+)$')
_RAISED = re.compile(r"^(?P<type>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?$")
_NOT_THEIRS = ("/jackstay/", "site-packages", "<frozen", "/lib/python", "<string>")


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is on record of a run, read once. `steps`: the newest revision of each, in order of completion."""

    run: RunRow
    state: State
    steps: Sequence[StepRow] = ()
    reservations: Sequence[Reservation] = ()
    waits: Sequence[Wait] = ()
    """Those that nobody has answered."""
    intents: Sequence[Intent] = ()
    units: Sequence[Unit] = ()
    recorded: Bill = NO_BILL
    lost: Bill = NO_BILL
    activity: str = ""
    """What a live run is doing."""
    items: Sequence[Evidence] = ()
    """Of a batch."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """Of the units, by path: what they can be replayed by."""
    program: str = ""
    """What starts it again; empty: it was kicked off in a console or a notebook."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One link: where, and what was raised there (None: the same as in the link inside it)."""

    path: str
    what: str
    raised: Failure | None = None
    because: str = ""
    """Of the innermost link: the exceptions behind the one that was raised, nearest first."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request of a model call that gave no answer, or a model that was passed over."""

    model: str
    code: str
    wait_s: float | None = None
    asked: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """The chain, outermost first, and what stands beside it."""

    chain: tuple[Cause, ...] = ()
    step: str = ""
    """The path of the step where it began."""
    attempts: tuple[Attempt, ...] = ()
    tries: int = 1
    """Of the step."""
    place: str = ""
    """In the user's program: `file, line 3, in write`."""
    in_flight: tuple[str, ...] = ()
    """Where nothing was raised: what was being done when it stopped."""
    beside: tuple[str, ...] = ()
    """Failures that ended nothing: the model was told, a task was left out."""
    root: Failure | None = None
    """What was raised where it began."""
    raised: Failure | None = None
    """What the run was left with."""


def find(evidence: Evidence) -> Found:
    """The causes of how the run has ended, or stands."""
    rows = {row.path: row for row in evidence.steps}
    raised = _failure(evidence.run.error)
    links = list(_links(evidence, rows, raised))
    inner = rows.get(links[-1].path) if links else None
    root = links[-1].raised if links else raised
    on_the_way = {link.path for link in links}
    return Found(
        chain=tuple(links),
        step=links[-1].path if inner is not None else "",
        attempts=tuple(_attempts(inner)),
        tries=inner.attempts if inner is not None else 1,
        place=next((place for link in reversed(links) if (place := _place(link.raised))), _place(raised)),
        in_flight=tuple(_in_flight(evidence, rows)),
        beside=tuple(_beside(evidence.steps, on_the_way)),
        root=root or raised,
        raised=raised,
    )


def shown(row: StepRow) -> str:
    """A step in a few words."""
    match row.kind:
        case "llm":
            number = row.path.rpartition("#")[2]
            return f"model call {number} ({row.model})"
        case "tool":
            return f"tool {row.name}"
        case "task":
            return f"task {row.name}" + (f" ({row.agent})" if row.agent else "")
        case "method":
            return f"method {row.name}()"
        case _:
            return f"{row.kind} {row.name}"


def _unit(unit: Unit) -> str:
    return f"{unit.kind} {unit.label}" + (f" ({unit.agent})" if unit.agent else "")


def said(failure: Failure) -> str:
    """`ValueError: …`, in one line."""
    name = failure.type.rpartition(":")[2].rpartition(".")[2]
    message = " ".join(failure.message.split())
    return f"{name}: {message}" if message else name


# --- the chain -----------------------------------------------------------------------------------------------------


def _links(evidence: Evidence, rows: Mapping[str, StepRow], raised: Failure | None) -> Iterator[Cause]:
    """From the run downwards: at each level the step whose failure became the one above it."""
    path, above = "", raised
    while True:
        row = _culprit(path, above, rows)
        if row is None:
            break
        own = _failure(row.error)
        below = _culprit(row.path, own, rows)
        same = below is not None and _same(own, _failure(below.error))
        # The whole traceback stands with what left the run.
        behind = _behind(own) or (_behind(raised) if _same(own, raised) else "")
        yield Cause(row.path, shown(row), None if same else own, "" if below is not None else behind)
        path, above = row.path, own
    if not path and raised is not None:
        stopped_before = next((unit for unit in evidence.units if unit.row is None), None)
        if stopped_before is not None:
            yield Cause(stopped_before.path, f"{'in' if stopped_before.begun else 'before'} {_unit(stopped_before)}")


def _culprit(scope: str, raised: Failure | None, rows: Mapping[str, StepRow]) -> StepRow | None:
    """The step inside a scope that failed with what the scope was left with; else the last thing that happened in it, if
    that failed. What failed earlier was dealt with."""
    if raised is None:
        return None
    inside = [row for row in rows.values() if row.kind != "input" and _nearest(row.path, rows) == scope]
    failed = [row for row in inside if row.error and (row.status in ("failed", "cancelled"))]
    same = [row for row in failed if _same(raised, _failure(row.error))]
    if same:
        return same[-1]
    last = max(inside, key=lambda row: row.seq, default=None)
    if last is None or last.error is None or last.status not in ("failed", "cancelled"):
        return None
    # A tool that failed is not why the model gave no answer in the end, unless the failure says so.
    if last.kind == "tool" and raised.code not in ("tool_failed", "hook_aborted", "tool_server"):
        return None
    return last


def _nearest(path: str, rows: Collection[str]) -> str:
    """The recorded scope around a step; empty: the run. (A scope that was interrupted has no row.)"""
    path = parent_of(path)
    while path and path not in rows:
        path = parent_of(path)
    return path


def _same(one: Failure | None, other: Failure | None) -> bool:
    return one is not None and other is not None and (one.type, one.message) == (other.type, other.message)


def _behind(failure: Failure | None) -> str:
    """The exceptions that it was raised from: all but the last part of a traceback."""
    if failure is None:
        return ""
    parts = _CHAINED.split(failure.traceback.strip("\n"))[:-1]
    causes = [text for part in reversed(parts) if (text := _last_line(part))]
    return " ← ".join(causes)


def _last_line(traceback: str) -> str:
    """The line of a traceback that names the exception."""
    for line in reversed(traceback.splitlines()):
        found = _RAISED.match(line)
        if found is not None:
            name = found["type"].rpartition(".")[2]
            return f"{name}: {found['message']}" if found["message"] else name
    return ""


def _place(failure: Failure | None) -> str:
    """The innermost frame of the user's own code in the traceback."""
    if failure is None:
        return ""
    frames = [_FRAME.match(line) for line in failure.traceback.splitlines()]
    own = [f for f in frames if f is not None and not any(part in f["file"].replace("\\", "/") for part in _NOT_THEIRS)]
    return f"{own[-1]['file']}, line {own[-1]['line']}, in {own[-1]['function']}" if own else ""


def _failure(error: str | None) -> Failure | None:
    return Failure.from_json(error) if error else None


# --- beside the chain ----------------------------------------------------------------------------------------------


def _attempts(row: StepRow | None) -> Iterator[Attempt]:
    for each in json.loads(row.tried) if row is not None and row.tried else ():
        yield Attempt(each["model"], each["code"], each.get("wait_s"), bool(each.get("asked")))


def _in_flight(evidence: Evidence, rows: Mapping[str, StepRow]) -> Iterator[str]:
    """What has begun and has no end: calls that were sent, tools that act, tasks and methods."""
    sent = [each for each in evidence.reservations if each.state in ("open", "lost") and each.path not in rows]
    for each in sent:
        yield f"the call of {each.model} at {plain(each.path)} (sent {_clock(each.created_at)})"
    for intent in evidence.intents:
        row = rows.get(intent.path)
        if row is None or (row.status == "cancelled" and row.rev == intent.rev):
            yield f"the tool {tool_at(intent.path)} at {plain(intent.path)} (called {_clock(intent.created_at)})"
    for unit in evidence.units:
        if unit.begun and unit.row is None and not any(each.path.startswith(f"{unit.path}/") for each in sent):
            yield f"{_unit(unit)} at {plain(unit.path)}"


def _beside(steps: Sequence[StepRow], chain: Collection[str]) -> Iterator[str]:
    """Equal ones are counted."""
    counted: dict[str, int] = {}
    for row in steps:
        failure = _failure(row.error)
        if failure is None or row.path in chain or row.kind == "input":
            continue
        if row.kind == "tool" and row.status == "failed":
            text = f"{shown(row)} failed ({said(failure)}); the model was told"
        elif row.kind == "task" and row.status == "succeeded":
            text = f"{shown(row)} failed ({said(failure)}) and was left out"
        else:
            continue
        counted[text] = counted.get(text, 0) + 1
    for text, count in counted.items():
        yield text if count == 1 else f"{count} times: {text}"


def plain(path: str) -> str:
    """A path without the hashes in it."""
    return _HASH.sub("", path)


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone():%H:%M:%S}"
