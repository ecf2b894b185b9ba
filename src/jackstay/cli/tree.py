"""A run's steps as a tree: which step stands in which scope, and what each scope has used. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from jackstay.core.paths import parent_of
from jackstay.core.records import Reservation, StepRow
from jackstay.core.usage import from_pico

HIDDEN = ("input",)
"""Recorded inputs (state, date, memory) are for the engine; they are in --json."""


@dataclass(slots=True)
class Node:
    """A step, or a scope that has not ended. `rows` are its revisions, the newest last."""

    path: str
    rows: list[StepRow] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    lost: list[Reservation] = field(default_factory=list)

    @property
    def row(self) -> StepRow | None:
        return self.rows[-1] if self.rows else None

    @property
    def began(self) -> datetime | None:
        times = [row.started_at for row in self.rows] + [reservation.created_at for reservation in self.lost]
        times += [child.began for child in self.children if child.began is not None]
        return min(times, default=None)

    @property
    def paid(self) -> list[StepRow]:
        """Its model calls that are this run's own."""
        return [row for row in self.rows if row.kind == "llm" and row.origin_run_id is None]

    @property
    def tokens(self) -> int:
        own = sum(row.input_tokens + row.output_tokens for row in self.paid)
        return own + sum(child.tokens for child in self.children)

    @property
    def calls(self) -> int:
        return len(self.paid) + sum(child.calls for child in self.children)

    @property
    def cost_usd(self) -> Decimal | None:
        """None as soon as one paid call below has no known price."""
        total = Decimal(0)
        for row in self.paid:
            if row.input_tokens + row.output_tokens:
                if row.cost_pico is None:
                    return None
                total += from_pico(row.cost_pico) or 0
        for child in self.children:
            below = child.cost_usd
            if below is None:
                return None
            total += below
        return total

    @property
    def changed(self) -> bool:
        """Whether what is asked here is not what was asked before."""
        return len({row.args_hash for row in self.rows}) > 1


def tree_of(steps: Iterable[StepRow], reservations: Iterable[Reservation]) -> Node:
    """The run's root. `steps`: all revisions, in order of completion."""
    nodes: dict[str, Node] = {"": Node("")}
    for step in steps:
        if step.kind not in HIDDEN:
            _node(nodes, step.path).rows.append(step)
    for reservation in reservations:
        if reservation.state in ("lost", "open"):
            _node(nodes, reservation.path).lost.append(reservation)
    for node in nodes.values():
        node.rows.sort(key=lambda row: row.rev)
        node.children.sort(key=_order)
    return nodes[""]


def flat(node: Node) -> list[Node]:
    """The node and all below it, top-down."""
    return [node, *(below for child in node.children for below in flat(child))]


def changed_paths(nodes: Sequence[Node]) -> list[str]:
    return [node.path for node in nodes if node.changed]


def _node(nodes: dict[str, Node], path: str) -> Node:
    if path not in nodes:
        nodes[path] = Node(path)
        _node(nodes, parent_of(path)).children.append(nodes[path])
    return nodes[path]


def _order(node: Node) -> tuple[float, str]:
    began = node.began
    return (began.timestamp() if began is not None else float("inf"), node.path)
