"""`jackstay show`: one run, in the view that is asked for; as a tree with times, tokens and cost, if none is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from jackstay.cli.environment import read_dotenv
from jackstay.cli.labels import label_of
from jackstay.cli.mermaid import mermaid
from jackstay.cli.outcome import UsageError
from jackstay.cli.report import write_html
from jackstay.cli.report_text import markdown
from jackstay.cli.shown import Shown, foot, head, read_shown
from jackstay.cli.single_step import print_step
from jackstay.cli.stored import chosen, existing_journal
from jackstay.cli.tailing import follow
from jackstay.cli.talk import print_talk, talk_of
from jackstay.cli.terminal import print_table, stdout
from jackstay.cli.timeline import print_timeline
from jackstay.cli.tree import Node, changed_paths, flat
from jackstay.cli.waits import wait_to_json
from jackstay.cli.why import evidence_of
from jackstay.core.records import Reservation, RunFilter, RunRow, StepRow
from jackstay.core.usage import from_pico
from jackstay.engine.replaying import record_of
from jackstay.journal import Journal
from jackstay.observe.figures import UNKNOWN, cost, seconds, tokens

View = str
"""tree, timeline, messages, json, mermaid or markdown."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a run is to be shown. One of the views, one step, or a file; `follow`: it is watched to its end first."""

    view: View = "tree"
    html: Path | None = None
    step: str | None = None
    follow: bool = False

    @classmethod
    def of(cls, views: Mapping[View, bool], *, html: Path | None, step: str | None, follow: bool) -> Look:
        """Raises `UsageError` for two views at once."""
        asked = [view for view, wanted in views.items() if wanted]
        named = [f"--{view}" for view in asked] + ["--html"] * (html is not None)
        if len(named) > 1:
            raise UsageError(f"{' and '.join(named)}: a run is shown in one view at a time")
        if step is not None and named not in ([], ["--json"]):
            raise UsageError(f"{named[0]} and --step: one step is shown as text, or with --json")
        return cls(asked[0] if asked else "tree", html, step, follow)


def show(wanted: str | None, look: Look) -> int:
    """Prints the run, or one step of it, or writes the file."""
    read_dotenv()
    with existing_journal() as journal:
        row = chosen(journal, wanted)
        if look.follow:
            row = follow(journal, row)
        _show(journal, row, look)
    return 0


def _show(journal: Journal, row: RunRow, look: Look) -> None:
    view = look.view
    if view == "mermaid":
        print(_chart(journal, row))
        return
    shown = read_shown(journal, row)
    if look.step is not None:
        print_step(journal, shown, look.step, as_json=view == "json")
    elif look.html is not None:
        write_html(look.html, shown, talk_of(journal, shown), evidence_of(journal, row))
    elif view == "json":
        print(json.dumps(_to_json(shown), indent=2, default=plain_value))
    elif view == "markdown":
        print(markdown(shown, talk_of(journal, shown), evidence_of(journal, row)))
    else:
        _print(journal, shown, view)


def _print(journal: Journal, shown: Shown, view: View) -> None:
    console = stdout()
    for line in head(shown):
        console.print(line, soft_wrap=True)
    if shown.root.children:
        console.print()
        match view:
            case "timeline":
                print_timeline(shown)
            case "messages":
                print_talk(talk_of(journal, shown))
            case _:
                print_table(_tree_table(shown))
    for line in foot(shown):
        console.print(line, soft_wrap=True)


def _chart(journal: Journal, row: RunRow) -> str:
    """A replay is drawn beside the run that it replays."""
    source = journal.run(row.forked_from) if row.forked_from else None
    if source is not None:
        return mermaid(record_of(journal, source), [record_of(journal, row)])
    replays = journal.runs(RunFilter(forked_from=row.id))[::-1]
    return mermaid(record_of(journal, row), [record_of(journal, each) for each in replays])


# --- the tree --------------------------------------------------------------------------------------------------------


_FIGURES, _GAP = ("time", "tokens", "cost"), 3
"""The columns behind the step, and the blanks between two."""


def _tree_table(shown: Shown) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("step", no_wrap=True)
    for column in _FIGURES:
        table.add_column(column, justify="right", no_wrap=True)
    live = shown.run.state == "running"
    rows = [
        (Text.assemble((prefix, "dim"), *label_of(node, live=live)), _figures(node))
        for prefix, node in _walk(shown.root, "")
    ]
    widths = [max(map(len, column)) + _GAP for column in zip(_FIGURES, *(figures for _, figures in rows), strict=True)]
    room = max(20, stdout().width - sum(widths))
    for label, figures in rows:
        label.truncate(room, overflow="ellipsis")  # Rich would take the width from all columns alike
        table.add_row(label, *figures)
    return table


def _figures(node: Node) -> tuple[str, str, str]:
    duration = UNKNOWN if node.row is None else seconds(node.row.duration_us / 1e6)
    return (duration, tokens(node.tokens), cost(node.cost_usd)) if node.calls else (duration, "", "")


def _walk(node: Node, indent: str) -> Iterator[tuple[str, Node]]:
    for number, child in enumerate(node.children, 1):
        last = number == len(node.children)
        top = node.path == ""
        yield ("" if top else indent + ("└─ " if last else "├─ ")), child
        yield from _walk(child, "" if top else indent + ("   " if last else "│  "))


# --- for programs --------------------------------------------------------------------------------------------------


def _to_json(shown: Shown) -> dict[str, Any]:
    row, nodes = shown.row, flat(shown.root)
    run = shown.run.to_json() | {
        name: json.loads(text) if text else None
        for name, text in (("inputs", row.inputs), ("output", row.output), ("error", row.error), ("entry", row.entry))
    }
    bill = {"recorded": _bill(shown.bill.recorded), "lost": _bill(shown.bill.lost), "total": _bill(shown.bill.total)}
    return {
        "run": run | {"attempts": row.attempts, "session_id": row.session_id},
        "bill": bill,
        "steps": [_step(step) for node in nodes for step in node.rows],
        "lost_calls": [_lost(one) for node in nodes for one in node.lost if one.state == "lost"],
        "changed": changed_paths(nodes),
        "children": [child.to_json() for child in shown.children],
        "waits": [wait_to_json(wait) for wait in shown.waits],
    }


def _bill(bill: Any) -> dict[str, Any]:
    return {"calls": bill.requests, "cost_usd": bill.cost_usd} | asdict(bill.usage)


def _step(step: StepRow) -> dict[str, Any]:
    body = {name: value for name, value in asdict(step).items() if name not in ("run_id", "cost_pico", "format")}
    for name in ("request", "result", "error", "tried"):
        body[name] = json.loads(body[name]) if body[name] else None
    return body | {"cost_usd": from_pico(step.cost_pico)}


def _lost(reservation: Reservation) -> dict[str, Any]:
    return {
        "path": reservation.path,
        "attempt": reservation.attempt,
        "model": reservation.model,
        "sent_at": reservation.created_at,
        "worst_cost_usd": from_pico(reservation.worst_pico),
    }


def plain_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
