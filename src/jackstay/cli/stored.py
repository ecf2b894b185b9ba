"""The runs that are already there: opening a journal without making one, and finding the run that is meant."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from jackstay.cli.outcome import UsageError
from jackstay.cli.terminal import say
from jackstay.core.records import RunFilter, RunRow
from jackstay.engine.runtime import Runtime
from jackstay.errors import NotFoundError
from jackstay.journal import Journal, Location, locate, open_journal
from jackstay.observe.runs import state_of

T = TypeVar("T")
READ_TIMEOUT_S = 5.0
"""Who looks at a list does not wait half a minute for a locked database."""
_SCRIPTS_LOOKED_AT = 200


class NoRunsYet(NotFoundError):
    """There is no journal where it would be: nothing has been run there."""


def existing_location() -> Location:
    """Where the journal is. Raises `NoRunsYet`; a look leaves no folder behind."""
    location = locate(os.environ)
    if location.path is not None and not location.path.exists():
        forget_empty(location.path.parent)
        raise NoRunsYet(f"no runs yet: there is no journal at {location.path}; 'jackstay run PATH' makes the first one")
    if location.durability == "off":
        raise NoRunsYet("no runs: JACKSTAY_DURABILITY=off keeps nothing beyond the process that made it")
    return location


@contextmanager
def existing_journal() -> Iterator[Journal]:
    journal = open_journal(existing_location(), busy_timeout_s=READ_TIMEOUT_S)
    try:
        yield journal
    finally:
        journal.close()


def listed_from(read: Callable[[Journal], Iterable[T]], *, named: bool = False) -> tuple[list[T], str]:
    """What is read of the journal, and where it is. Where there is none yet that is said, and the list is empty; raises
    `NoRunsYet` if a run was `named`."""
    try:
        with existing_journal() as journal:
            return list(read(journal)), journal.url
    except NoRunsYet as nothing:
        if named:
            raise
        say(str(nothing))
        return [], ""


def existing_runtime() -> Runtime:
    """For going on with a run: its journal has to be there already."""
    existing_location()
    return Runtime()


def forget_empty(folder: Path) -> None:
    """Removes a journal's folder that has just been made and holds nothing."""
    if {entry.name for entry in folder.iterdir()} == {".gitignore"}:
        with suppress(OSError):
            (folder / ".gitignore").unlink()
            folder.rmdir()


def chosen(journal: Journal, wanted: str | None) -> RunRow:
    """The latest run, or the one with that id, beginning of an id, run key or flow state's id. Raises `NotFoundError`."""
    if wanted is None:
        return _latest(journal)
    rows = journal.find_runs(wanted)
    exact = [row for row in rows if wanted in (row.id, row.run_key)]
    rows = exact if len(exact) == 1 else rows or _with_flow_state(journal, wanted)
    if not rows:
        raise NotFoundError(f"there is no run {wanted!r} in {journal.url}; 'jackstay runs' lists them")
    if len(rows) > 1:
        listed = "\n".join(f"  {row.id}  {state_of(row, journal.lease(row.id))}  {row.kind} {row.name}" for row in rows)
        raise UsageError(f"{wanted!r} is the beginning of several runs; give more of the id:\n{listed}")
    return rows[0]


def _latest(journal: Journal) -> RunRow:
    rows = top_runs(journal, RunFilter(limit=1))
    if not rows:
        raise NoRunsYet(f"no runs yet in {journal.url}; 'jackstay run PATH' makes the first one")
    return rows[0]


def top_runs(journal: Journal, wanted: RunFilter) -> list[RunRow]:
    """As `journal.runs`, without the items of batches: their batch stands for them."""
    found: list[RunRow] = []
    before = wanted.before
    while len(found) < wanted.limit:
        page = journal.runs(replace(wanted, before=before))
        found += [row for row in page if row.parent_run is None]
        if len(page) < wanted.limit:
            break
        before = page[-1].id
    return found[: wanted.limit]


def _with_flow_state(journal: Journal, state_id: str) -> list[RunRow]:
    """A flow inside a script's run has a state id of its own, which only its recorded state knows."""
    for row in journal.runs(RunFilter(kind=("script",), limit=_SCRIPTS_LOOKED_AT)):
        for step in journal.steps(row.id):
            if step.kind == "input" and step.name == "state" and json.loads(step.result or "{}").get("id") == state_id:
                return [row]
    return []
