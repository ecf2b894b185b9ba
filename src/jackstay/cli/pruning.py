"""`jackstay checkpoint prune`: deletes old runs that have finished, when it is told which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from jackstay.cli.environment import read_dotenv
from jackstay.cli.listing import when
from jackstay.cli.moments import moment_of
from jackstay.cli.outcome import UsageError
from jackstay.cli.stored import existing_location
from jackstay.cli.terminal import say
from jackstay.core.pruning import Pruned, Rule, prunable
from jackstay.core.records import RunFilter, RunRow
from jackstay.journal import MIN_AGE_S, Journal, open_journal
from jackstay.observe.figures import plural

_PAGE = 500
_RUNS_AT_ONCE = 100
"""Per transaction: others, who write meanwhile, wait only for a moment."""
_TIMEOUT_S = 600.0


def prune(*, keep: int | None, older_than: str | None, failed: bool, dry_run: bool) -> int:
    if keep is None and older_than is None:
        raise UsageError(
            "say which runs may go: --keep N (all but the N newest) or --older-than 30d; --dry-run lists them"
        )
    now = datetime.now(UTC)
    before = now - timedelta(seconds=MIN_AGE_S)
    if older_than is not None:
        before = min(before, moment_of(older_than, now, "--older-than"))
    read_dotenv()
    journal = open_journal(existing_location())
    try:
        rows = {row.id: row for row in _all_runs(journal)}
        found = prunable(rows.values(), Rule(keep, before, failed))
        if dry_run:
            _say_what_would_go(journal, found, rows)
        else:
            _delete(journal, found)
        if found.needed:
            say(
                f"kept: {plural(len(found.needed), 'run')} whose program has another run that can still be resumed, and "
                "would pay for them again"
            )
    finally:
        journal.close()
    return 0


def _all_runs(journal: Journal) -> Iterator[RunRow]:
    """Newest first, without what is large in them."""
    before = None
    while page := journal.runs(RunFilter(limit=_PAGE, before=before)):
        yield from (replace(row, inputs=None, output=None, error=None, entry=None, tags=None) for row in page)
        before = page[-1].id


def _say_what_would_go(journal: Journal, found: Pruned, rows: dict[str, RunRow]) -> None:
    for run_id in found.deleted:
        row = rows[run_id]
        print(f"{row.id}  {row.status}  {row.kind} {row.name}  {when(row.finished_at or row.created_at)}")
    size = journal.garbage(without=found.deleted).size_bytes
    say(f"would delete {plural(len(found.deleted), 'run')} and {_size(size)} of contents that only they need")


def _delete(journal: Journal, found: Pruned) -> None:
    deleted = 0
    for at in range(0, len(found.deleted), _RUNS_AT_ONCE):
        deleted += len(journal.delete_runs(found.deleted[at : at + _RUNS_AT_ONCE]).result(_TIMEOUT_S))
    # Also with nothing deleted: a prune that died half-way has left contents behind.
    swept = journal.sweep(journal.garbage()).result(_TIMEOUT_S)
    say(f"deleted {plural(deleted, 'run')} and {_size(swept.size_bytes)} of contents that only they needed")
    skipped = len(found.deleted) - deleted
    if skipped:
        say(f"kept: {plural(skipped, 'run')} that somebody has taken up meanwhile")


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:,.1f} kB"
