"""`jackstay usage`: tokens and cost of model calls, by group, as the journal has them."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from jackstay.cli.environment import read_dotenv
from jackstay.cli.moments import moment_of
from jackstay.cli.outcome import UsageError
from jackstay.cli.stored import chosen, listed_from
from jackstay.cli.terminal import print_table, say
from jackstay.journal import GROUPINGS, By, Journal, UsageFilter, UsageRow, total
from jackstay.observe.figures import UNKNOWN, cost, plural, tokens
from jackstay.observe.runs import shortest

COUNTS = (
    "calls", "requests", "failed", "cancelled", "retried", "lost", "estimated", "simulated", "unpriced", "prompt_tokens",
    "cached_tokens", "cache_write_tokens", "completion_tokens", "reasoning_tokens",
)  # fmt: skip
COLUMNS = {
    "calls": "calls",
    "requests": "requests",
    "failed": "failed",
    "cancelled": "cancelled",
    "retried": "retried",
    "lost": "lost",
    "prompt_tokens": "prompt",
    "cached_tokens": "cached",
    "cache_write_tokens": "cache-write",
    "completion_tokens": "completion",
    "reasoning_tokens": "reasoning",
}
ALWAYS = ("calls", "requests", "prompt_tokens", "completion_tokens")
"""Shown also where all of them are 0; a table of thirteen columns is not read."""


def usage(*, by: str, since: str | None, run: str | None, as_json: bool, as_csv: bool) -> int:
    group, began = _group(by), None if since is None else moment_of(since, datetime.now(UTC), "--since")
    if as_json and as_csv:
        raise UsageError("--json and --csv: choose one")
    read_dotenv()
    rows, place = listed_from(lambda journal: journal.usage(UsageFilter(group, began, _runs(journal, run))))
    rows = rows if group == "day" else sorted(rows, key=_weight, reverse=True)
    if as_json:
        groups = [_to_json(row) for row in rows]
        print(json.dumps({"by": group, "groups": groups, "total": _to_json(total(rows))}, indent=2))
    elif as_csv:
        _write_csv(group, rows)
    elif rows:
        _print(group, rows)
    elif place:
        say(f"no model calls{' since then' if began else ''} in {place}")
    return 0


def _group(by: str) -> By:
    for known in GROUPINGS:
        if by == known:
            return known
    raise UsageError(f"--by {by}: known are {', '.join(GROUPINGS)}")


def _runs(journal: Journal, wanted: str | None) -> tuple[str, ...]:
    """The run, and the items of a batch: what they used, the batch used."""
    if wanted is None:
        return ()
    row = chosen(journal, wanted)
    return (row.id, *(child.id for child in journal.children(row.id)))


def _weight(row: UsageRow) -> tuple[int, int, int]:
    return row.known_pico, row.prompt_tokens + row.completion_tokens, row.requests


# --- for programs ------------------------------------------------------------------------------------------------------


def _to_json(row: UsageRow) -> dict[str, Any]:
    return {
        "key": row.key,
        **{name: getattr(row, name) for name in COUNTS},
        "cost_usd": None if row.cost_usd is None else float(row.cost_usd),
        "known_cost_usd": float(row.known_usd),
        "lost_cost_usd": float(row.lost_usd),
    }


def _write_csv(group: By, rows: Sequence[UsageRow]) -> None:
    """Money as exact decimals; no line with the total, which a spreadsheet would count again."""
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow([group, *COUNTS, "cost_usd", "known_cost_usd", "lost_cost_usd"])
    for row in rows:
        money = ("" if row.cost_usd is None else f"{row.cost_usd:f}", f"{row.known_usd:f}", f"{row.lost_usd:f}")
        table.writerow(["" if row.key is None else row.key, *(getattr(row, name) for name in COUNTS), *money])


# --- for people --------------------------------------------------------------------------------------------------------


def _print(group: By, rows: Sequence[UsageRow]) -> None:
    whole = total(rows)
    shown = [name for name in COLUMNS if name in ALWAYS or getattr(whole, name)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, show_footer=len(rows) > 1)
    table.add_column(group, "total", overflow="fold")
    for name in shown:
        table.add_column(COLUMNS[name], tokens(getattr(whole, name)), justify="right", no_wrap=True)
    table.add_column("cost", _cost(whole), justify="right", no_wrap=True)
    ids = [row.key or "" for row in rows]
    for row in rows:
        name = f"(no {group})" if row.key is None else shortest(row.key, ids) if group == "run" else row.key
        table.add_row(Text(name), *(tokens(getattr(row, each)) for each in shown), _cost(row))
    print_table(table)
    sys.stdout.flush()  # the notes come after it also where both streams are one pipe
    for note in _notes(whole):
        say(note, "dim")


def _cost(row: UsageRow) -> str:
    """What is known of it, and whether there is more that is not."""
    if not row.unpriced:
        return cost(row.known_usd)
    return f"{cost(row.known_usd)} + {UNKNOWN}" if row.known_usd else UNKNOWN


def _notes(whole: UsageRow) -> list[str]:
    notes = []
    if whole.simulated:
        notes.append(f"{plural(whole.simulated, 'call')} simulated: the cost of these is made up")
    if whole.unpriced:
        notes.append(
            f"{plural(whole.unpriced, 'call')} of unknown price ({UNKNOWN}); [prices] in jackstay.toml gives one"
        )
    if whole.estimated:
        notes.append(
            f"{plural(whole.estimated, 'call')} with estimated tokens: cancelled, or the provider reported none"
        )
    if whole.lost:
        most = f"up to {cost(whole.lost_usd)}" if whole.lost_usd else "an unknown sum"
        notes.append(f"{plural(whole.lost, 'request')} lost with the process that sent them: {most} more, at worst")
    return notes
