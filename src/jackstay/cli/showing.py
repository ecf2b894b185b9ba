"""`jackstay show`: one run, its steps as a tree with times, tokens and cost, and what went wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from jackstay.cli.environment import read_dotenv
from jackstay.cli.listing import Listed, listed_run, when
from jackstay.cli.mermaid import mermaid
from jackstay.cli.stored import chosen, existing_journal
from jackstay.cli.terminal import print_table, stdout
from jackstay.cli.tree import Node, changed_paths, flat, tree_of
from jackstay.cli.waits import wait_to_json
from jackstay.core.ids import SHORT
from jackstay.core.records import Reservation, RunFilter, RunRow, StepRow, Wait
from jackstay.core.usage import from_pico
from jackstay.core.waits import how_to_answer
from jackstay.engine.answers import open_waits
from jackstay.engine.replaying import record_of
from jackstay.journal import BillOfRun, Journal
from jackstay.observe.figures import UNKNOWN, cost, plural, seconds, tokens
from jackstay.observe.runs import STYLES

_HASH = re.compile(r"~[0-9a-f]+(?=#)")
"""Of the question, in the path of a step that user code started: right for telling steps apart, nothing to read."""
_MARKS = {
    "succeeded": ("✓", "green"),
    "opaque": ("✓", "green"),
    "failed": ("✗", "red"),
    "cancelled": ("–", "yellow"),
    "open": ("…", "blue"),
    "lost": ("?", "yellow"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """All that is shown of a run, read once."""

    run: Listed
    root: Node
    bill: BillOfRun
    children: tuple[Listed, ...]
    waits: tuple[Wait, ...]
    """What the run waits for."""

    @property
    def row(self) -> RunRow:
        return self.run.row


def show(wanted: str | None, *, as_json: bool, as_mermaid: bool = False) -> int:
    read_dotenv()
    with existing_journal() as journal:
        row = chosen(journal, wanted)
        if as_mermaid:
            print(_chart(journal, row))
            return 0
        shown = _read(journal, row)
    if as_json:
        print(json.dumps(_to_json(shown), indent=2, default=_plain))
        return 0
    console = stdout()
    for line in _head(shown):
        console.print(line, soft_wrap=True)
    if shown.root.children:
        console.print()
        print_table(_tree_table(shown))
    for line in _foot(shown):
        console.print(line, soft_wrap=True)
    return 0


def _chart(journal: Journal, row: RunRow) -> str:
    """A replay is drawn beside the run that it replays."""
    source = journal.run(row.forked_from) if row.forked_from else None
    if source is not None:
        return mermaid(record_of(journal, source), [record_of(journal, row)])
    replays = journal.runs(RunFilter(forked_from=row.id))[::-1]
    return mermaid(record_of(journal, row), [record_of(journal, each) for each in replays])


def _read(journal: Journal, row: RunRow) -> Shown:
    root = tree_of(journal.steps(row.id, latest_only=False), journal.reservations(row.id))
    children = tuple(listed_run(journal, child) for child in journal.children(row.id))
    waits = tuple(open_waits(journal, row.id))
    return Shown(listed_run(journal, row), root, journal.bill(row.id), children, waits)


# --- for people ----------------------------------------------------------------------------------------------------


def _head(shown: Shown) -> Iterator[Text]:
    row, run = shown.row, shown.run
    state = run.state if row.reason in (None, "error", run.state) else f"{run.state} ({row.reason})"
    yield Text.assemble(f"run {row.id}  ", (state, STYLES[run.state]))
    parts = [f"{row.kind} {row.name}", when(row.created_at)]
    if run.duration_s is not None:
        parts.append(seconds(run.duration_s))
    if row.forked_from:
        parts.append(f"replay of {row.forked_from[:SHORT]}")
    if row.attempts > 1:
        parts.append(f"taken up {plural(row.attempts, 'time')}")
    yield Text("  " + " · ".join(parts))
    recorded = shown.bill.recorded
    simulated = " (simulated)" if any("simulated" in (r.flags or "") for n in flat(shown.root) for r in n.rows) else ""
    yield Text(
        f"  {plural(recorded.requests, 'model call')} · {tokens(recorded.usage.input_tokens)} + "
        f"{tokens(recorded.usage.output_tokens)} tokens · {cost(recorded.cost_usd)}{simulated}"
    )
    if row.model_override:
        yield Text(f"  model: {row.model_override} for every agent")
    if row.run_key:
        yield Text(f"  run key: {row.run_key}")
    if row.inputs and row.inputs != "{}":
        yield Text(f"  inputs: {_cut(row.inputs, 200)}")


def _foot(shown: Shown) -> Iterator[Text]:
    row, nodes = shown.row, flat(shown.root)
    for child in shown.children:
        yield Text.assemble(
            f"  {child.row.id}  ", (child.state, STYLES[child.state]), f"  {_cut(child.row.inputs or '', 80)}"
        )
    lost = shown.bill.lost
    if lost.requests:
        yield Text(
            f"lost: {plural(lost.requests, 'call')} in flight when a process died, at worst {cost(lost.cost_usd)} "
            "(made again; the provider may bill both)",
            style="yellow",
        )
    for path in changed_paths(nodes):
        yield Text(
            f"changed: {path} was asked anew, because the program asked another question than before", style="yellow"
        )
    if row.error and shown.run.state not in (
        "interrupted",
        "cancelled",
        "waiting",
    ):  # that it was cancelled is not an error of the program's
        yield Text(f"error: {_said(row.error)}", style="red")
    for wait in shown.waits:
        yield Text(f"waiting: {how_to_answer(wait)}", style="yellow")
    if shown.run.state == "waiting" and not shown.waits:
        yield Text(f"the answer is there; go on with it: jackstay resume {row.id[:SHORT]}")
    if shown.run.state in ("failed", "interrupted", "cancelled"):
        yield Text(f"go on with it: jackstay resume {row.id[:SHORT]}")


def _tree_table(shown: Shown) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("step", overflow="ellipsis", no_wrap=True)
    for column in ("time", "tokens", "cost"):
        table.add_column(column, justify="right", no_wrap=True)
    live = shown.run.state == "running"
    for prefix, node in _walk(shown.root, ""):
        duration = UNKNOWN if node.row is None else seconds(node.row.duration_us / 1e6)
        paid = node.calls > 0
        table.add_row(
            Text.assemble((prefix, "dim"), *_label(node, live=live)),
            duration,
            tokens(node.tokens) if paid else "",
            cost(node.cost_usd) if paid else "",
        )
    return table


def _walk(node: Node, indent: str) -> Iterator[tuple[str, Node]]:
    for number, child in enumerate(node.children, 1):
        last = number == len(node.children)
        top = node.path == ""
        yield ("" if top else indent + ("└─ " if last else "├─ ")), child
        yield from _walk(child, "" if top else indent + ("   " if last else "│  "))


def _label(node: Node, *, live: bool) -> list[tuple[str, str]]:
    row = node.row
    if row is None:
        return _unfinished(node, live=live)
    mark, style = _MARKS[row.status]
    parts = [(f"{mark} ", style), (_name(row), "")]
    notes = _notes(node, row)
    if notes:
        parts.append((f" · {notes}", "dim"))
    if row.error:
        parts.append((f" · {_cut(_said(row.error), 120)}", "red"))
    return parts


def _unfinished(node: Node, *, live: bool) -> list[tuple[str, str]]:
    """A step without a row: it is being done, or was when the process died."""
    name = _HASH.sub("", node.path.rpartition("/")[2])
    asked = next((reservation.model for reservation in node.lost), None)
    mark, style = _MARKS["open" if live else "lost"]
    said = "in flight" if live else "in flight when it stopped"
    return [
        (f"{mark} ", style),
        (f"{name} {asked}" if asked else name, ""),
        (f" · {said}" if asked else " · unfinished", "dim"),
    ]


def _name(row: StepRow) -> str:
    match row.kind:
        case "llm":
            return f"{row.model}"
        case "tool":
            arguments = json.loads(row.request or "{}").get("arguments", "")
            return f"{row.name}({_cut(str(arguments).strip('{}'), 60)})"
        case "task":
            return f"{row.agent}: {row.name}"
        case "method":
            return f"{row.name}()"
        case _:
            return f"{row.kind} {row.name}"


def _notes(node: Node, row: StepRow) -> str:
    notes = ["reused"] if row.origin_run_id is not None else []
    if row.kind == "llm" and row.answered_by and row.answered_by not in (row.model or ""):
        notes.append(f"answered by {row.answered_by}")
    if row.attempts > 1:
        notes.append(f"{row.attempts} attempts")
    notes += [f"not {model}: {code}" for model, code in _passed_over(row).items()]
    if row.rev > 1:
        notes.append("asked anew" if node.changed else f"executed {row.rev} times")
    if any(reservation.state == "lost" for reservation in node.lost):
        notes.append(f"{plural(len(node.lost), 'call')} lost before")
    notes += [flag for flag in (row.flags or "").split(",") if flag in ("cached", "decided", "estimated", "streamed")]
    return ", ".join(notes)


def _passed_over(row: StepRow) -> dict[str, str]:
    """The models of a chain that did not answer, and why in a word (the last reason of each)."""
    tried = json.loads(row.tried) if row.tried else []
    others = {each["model"]: each["code"] for each in tried}
    if row.status == "succeeded":
        # A model that was only asked again has answered in the end.
        return {model: code for model, code in others.items() if model != row.model or _falls_back(row, model)}
    return others if len(others) > 1 else {}


def _falls_back(row: StepRow, model: str) -> bool:
    """Whether another model than the first has answered: its provider reports another name."""
    asked, answered = model.rpartition("/")[2], row.answered_by or ""
    return not (answered.startswith(asked) or asked.startswith(answered))


def _said(error: str) -> str:
    """The recorded failure in one line: `ValueError: …`."""
    body = json.loads(error)
    name = str(body.get("type", "")).rpartition(":")[2].rpartition(".")[2]
    return f"{name}: {' '.join(str(body.get('message', '')).split())}"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


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


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
