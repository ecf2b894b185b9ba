"""`jackstay tail`: what a run does, line by line as it is recorded, until it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from rich.text import Text

from jackstay.cli.environment import read_dotenv
from jackstay.cli.labels import label_of
from jackstay.cli.stored import chosen, existing_journal, top_runs
from jackstay.cli.terminal import say, stdout
from jackstay.cli.tree import HIDDEN, Node
from jackstay.core.ids import SHORT
from jackstay.core.records import RunFilter, RunRow, StepRow
from jackstay.core.usage import from_pico
from jackstay.journal import Journal
from jackstay.observe.figures import cost, seconds, tokens
from jackstay.observe.runs import STYLES, state_of

LOOK_S = 0.3


def tail(wanted: str | None) -> int:
    """Follows a run; the latest live one, or the latest of all, if none is named."""
    read_dotenv()
    with existing_journal() as journal:
        row = chosen(journal, wanted) if wanted is not None else _latest_live(journal) or chosen(journal, None)
        follow(journal, row)
    return 0


def _latest_live(journal: Journal) -> RunRow | None:
    rows = top_runs(journal, RunFilter(status=("running",), limit=20))
    return next((row for row in rows if state_of(row, journal.lease(row.id)) == "running"), None)


def follow(journal: Journal, row: RunRow, *, sleep: Callable[[float], object] = time.sleep) -> RunRow:
    """Prints what is recorded already, then what is added, until nobody drives the run any more. Returns how it ended."""
    console, watched = stdout(), _Watched()
    say(f"run {row.id[:SHORT]}  {row.kind} {row.name}")
    while True:
        # The state first: what was recorded until then is read after it.
        row = journal.run(row.id) or row
        state = state_of(row, journal.lease(row.id) if row.status == "running" else None)
        for line in watched.new(journal, row):
            console.print(line, soft_wrap=True)
        if state not in ("running", "queued"):
            break
        sleep(LOOK_S)
    hint = "" if state == "succeeded" else f" (jackstay why {row.id[:SHORT]})"
    stdout().print(Text.assemble("run ", (state, STYLES[state]), hint))
    return row


@dataclass(slots=True)
class _Watched:
    """What has been printed of a run and of a batch's items."""

    last: dict[str, int] = field(default_factory=dict)

    def new(self, journal: Journal, row: RunRow) -> Iterator[Text]:
        items = journal.children(row.id) if row.kind == "batch" else []
        for each in (row, *items):
            steps = [step for step in journal.steps(each.id, latest_only=False) if step.kind not in HIDDEN]
            fresh = sorted((s for s in steps if s.seq > self.last.get(each.id, 0)), key=lambda step: step.seq)
            if fresh:
                self.last[each.id] = fresh[-1].seq
            yield from _lines(fresh, each.id[:SHORT] + " " if items else "")


def _lines(steps: Sequence[StepRow], prefix: str) -> Iterator[Text]:
    for step in steps:
        label = label_of(Node(step.path, [step]), live=False)
        parts = [seconds(step.duration_us / 1e6)]
        if step.kind == "llm" and step.origin_run_id is None:
            parts += [f"{tokens(step.input_tokens + step.output_tokens)} tokens", cost(from_pico(step.cost_pico))]
        depth = "  " * step.path.count("/")
        yield Text.assemble(
            (f"{step.finished_at.astimezone():%H:%M:%S} {prefix}", "dim"),
            depth,
            *label,
            (f" · {' · '.join(parts)}", "dim"),
        )
