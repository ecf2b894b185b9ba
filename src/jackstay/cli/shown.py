"""A run as all views of it begin: read once from the journal, its head and its foot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.text import Text

from jackstay.cli.labels import cut, said_in
from jackstay.cli.listing import Listed, listed_run, when
from jackstay.cli.tree import Node, changed_paths, flat, tree_of
from jackstay.core.forgetting import forgotten_at
from jackstay.core.ids import SHORT
from jackstay.core.records import RunRow, Wait
from jackstay.core.waits import how_to_answer
from jackstay.engine.answers import open_waits
from jackstay.journal import BillOfRun, Journal
from jackstay.observe.figures import cost, plural, seconds, tokens
from jackstay.observe.runs import STYLES


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


def read_shown(journal: Journal, row: RunRow) -> Shown:
    root = tree_of(journal.steps(row.id, latest_only=False), journal.reservations(row.id))
    children = tuple(listed_run(journal, child) for child in journal.children(row.id))
    waits = tuple(open_waits(journal, row.id))
    return Shown(listed_run(journal, row), root, journal.bill(row.id), children, waits)


def head(shown: Shown) -> Iterator[Text]:
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
        yield Text(f"  inputs: {cut(row.inputs, 200)}")


def foot(shown: Shown) -> Iterator[Text]:
    row, nodes = shown.row, flat(shown.root)
    for child in shown.children:
        yield Text.assemble(
            f"  {child.row.id}  ", (child.state, STYLES[child.state]), f"  {cut(child.row.inputs or '', 80)}"
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
        yield Text(f"error: {said_in(row.error)}", style="red")
    for wait in shown.waits:
        yield Text(f"waiting: {how_to_answer(wait)}", style="yellow")
    if shown.run.state == "waiting" and not shown.waits:
        yield Text(f"the answer is there; go on with it: jackstay resume {row.id[:SHORT]}")
    gone = forgotten_at(row)
    if gone is not None:
        yield Text(f"its content was erased at {gone}: it cannot be resumed or replayed")
    elif shown.run.state in ("failed", "interrupted", "cancelled"):
        yield Text(f"go on with it: jackstay resume {row.id[:SHORT]}")
