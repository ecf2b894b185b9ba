"""`jackstay forget`: erases what runs were told and have said, and keeps what they cost."""

from __future__ import annotations

from datetime import UTC, datetime

from jackstay.cli.environment import read_dotenv
from jackstay.cli.outcome import UsageError
from jackstay.cli.stored import chosen, existing_location, top_runs
from jackstay.cli.terminal import say
from jackstay.core.forgetting import forgotten_at, is_of
from jackstay.core.ids import SHORT
from jackstay.core.records import RunFilter
from jackstay.journal import Journal, open_journal
from jackstay.observe.figures import plural

_ALL, _TIMEOUT_S = 100_000, 600.0


def forget(wanted: str | None, where: str | None) -> int:
    """One run, or all with a tag or an input of that value. The exit code is 1 if one of them is still at work."""
    if (wanted is None) == (where is None):
        raise UsageError("say which runs: a RUN, or --where NAME=VALUE (a tag or an input of theirs)")
    read_dotenv()
    journal = open_journal(existing_location())
    try:
        ids = [chosen(journal, wanted).id] if wanted is not None else _with(journal, where or "")
        done: frozenset[str] = journal.forget(ids, datetime.now(UTC)).result(_TIMEOUT_S) if ids else frozenset()
        # Also where nothing was forgotten: one that died half-way has left contents behind.
        journal.sweep(journal.garbage()).result(_TIMEOUT_S)
    finally:
        journal.close()
    say(f"erased the content of {plural(len(done), 'run')}; usage and cost stay (jackstay usage)")
    left = [run_id for run_id in ids if run_id not in done]
    if left:
        listed = ", ".join(run_id[:SHORT] for run_id in left)
        say(f"kept: {listed} still at work or waiting; end it first: jackstay cancel {left[0][:SHORT]}", "yellow")
    return 1 if left else 0


def _with(journal: Journal, where: str) -> list[str]:
    name, equals, value = where.partition("=")
    if not equals or not name:
        raise UsageError(f"--where {where!r}: write NAME=VALUE, a tag or an input of the runs")
    rows = top_runs(journal, RunFilter(limit=_ALL))
    return [row.id for row in rows if is_of(row, name, value) and forgotten_at(row) is None]
