"""`show --timeline`: the steps in the order in which they began, with bars that say when each was at work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich import box
from rich.table import Table
from rich.text import Text

from jackstay.cli.labels import label_of
from jackstay.cli.shown import Shown
from jackstay.cli.terminal import print_table, stdout
from jackstay.cli.tree import Node, flat
from jackstay.observe.figures import UNKNOWN, seconds

WIDTH = 30
_FIGURES = 26
"""Columns of the two times, and what stands between columns."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A step on the line of time, in seconds from the run's first step. `took_s` is None where no end is recorded."""

    node: Node
    depth: int
    began_s: float
    took_s: float | None
    of_s: float
    """The whole line."""

    def cells(self, width: int) -> str:
        """`  ▐███   `: at least one cell is full."""
        of_s = self.of_s or 1.0
        first = min(int(self.began_s / of_s * width), width - 1)
        took = width - first if self.took_s is None else round(self.took_s / of_s * width)
        full = max(1, min(took, width - first))
        return " " * first + ("░" if self.took_s is None else "█") * full + " " * (width - first - full)


def bars(shown: Shown) -> list[Bar]:
    """Of all steps that have begun, the run's own root left out."""
    begun = [(node, began) for node in flat(shown.root) if node.path and (began := node.began) is not None]
    if not begun:
        return []
    first = min(began for _, began in begun)
    ends = [row.finished_at for node, _ in begun for row in node.rows]
    last = max([*ends, *(began for _, began in begun)])
    of_s = _seconds(last - first)
    return sorted((_bar(node, began, first, of_s) for node, began in begun), key=lambda bar: (bar.began_s, bar.depth))


def _bar(node: Node, began: datetime, first: datetime, of_s: float) -> Bar:
    end = max((row.finished_at for row in node.rows), default=None)
    return Bar(
        node, node.path.count("/"), _seconds(began - first), None if end is None else _seconds(end - began), of_s
    )


def _seconds(span: timedelta) -> float:
    return max(0.0, span.total_seconds())


def print_timeline(shown: Shown) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("at", "took"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("step", no_wrap=True)
    room = max(20, stdout().width - WIDTH - _FIGURES)
    for at, took, bar, label in _rows(shown):
        label.truncate(room, overflow="ellipsis")  # Rich would take the width from all columns alike
        table.add_row(at, took, bar, label)
    print_table(table)


def _rows(shown: Shown) -> Iterator[tuple[str, str, Text, Text]]:
    live = shown.run.state == "running"
    for bar in bars(shown):
        took = UNKNOWN if bar.took_s is None else seconds(bar.took_s)
        label = Text.assemble("  " * bar.depth, *label_of(bar.node, live=live))
        yield f"+{seconds(bar.began_s)}", took, Text(bar.cells(WIDTH), style="cyan"), label
