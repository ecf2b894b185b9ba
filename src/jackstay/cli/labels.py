"""A step in a line: its mark, what it is, what is to be noted of it, what went wrong."""

from __future__ import annotations

import json

from jackstay.cli.tree import Node
from jackstay.core.failures import Failure
from jackstay.core.intents import DECIDED, NOT_CALLED, RECEIPT
from jackstay.core.records import StepRow
from jackstay.observe.causes import plain, said
from jackstay.observe.figures import plural

MARKS = {
    "succeeded": ("✓", "green"),
    "opaque": ("✓", "green"),
    "failed": ("✗", "red"),
    "cancelled": ("–", "yellow"),
    "open": ("…", "blue"),
    "lost": ("?", "yellow"),
}


def label_of(node: Node, *, live: bool) -> list[tuple[str, str]]:
    row = node.row
    if row is None:
        return _unfinished(node, live=live)
    mark, style = MARKS[row.status]
    parts = [(f"{mark} ", style), (name_of(row), "")]
    notes = _notes(node, row)
    if notes:
        parts.append((f" · {notes}", "dim"))
    if row.error:
        parts.append((f" · {cut(said_in(row.error), 120)}", "red"))
    return parts


def _unfinished(node: Node, *, live: bool) -> list[tuple[str, str]]:
    """A step without a row: it is being done, or was when the process died."""
    name = plain(node.path.rpartition("/")[2])
    asked = next((reservation.model for reservation in node.lost), None)
    mark, style = MARKS["open" if live else "lost"]
    flying = "in flight" if live else "in flight when it stopped"
    return [
        (f"{mark} ", style),
        (f"{name} {asked}" if asked else name, ""),
        (f" · {flying}" if asked else " · unfinished", "dim"),
    ]


def name_of(row: StepRow) -> str:
    match row.kind:
        case "llm":
            return f"{row.model}"
        case "tool":
            arguments = json.loads(row.request or "{}").get("arguments", "")
            return f"{row.name}({cut(str(arguments).strip('{}'), 60)})"
        case "task":
            return f"{row.agent}: {row.name}"
        case "method":
            return f"{row.name}()"
        case _:
            return f"{row.kind} {row.name}"


_IDLE = frozenset({DECIDED, NOT_CALLED, RECEIPT})
"""Flags of a tool's row that no call stands behind: a person has said how an earlier one ended, it was prevented, or an
earlier attempt of the task had done the same."""


def _notes(node: Node, row: StepRow) -> str:
    notes = ["reused"] if row.origin_run_id is not None else []
    if row.kind == "llm" and row.answered_by and row.answered_by not in (row.model or ""):
        notes.append(f"answered by {row.answered_by}")
    if row.attempts > 1:
        notes.append(f"{row.attempts} attempts")
    notes += [f"not {model}: {code}" for model, code in passed_over(row).items()]
    executed = row.rev - sum(not _IDLE.isdisjoint((each.flags or "").split(",")) for each in node.rows)
    if row.rev > 1 and node.changed:
        notes.append("asked anew")
    elif executed > 1:
        notes.append(f"executed {executed} times")
    if any(reservation.state == "lost" for reservation in node.lost):
        notes.append(f"{plural(len(node.lost), 'call')} lost before")
    notes += [
        flag for flag in (row.flags or "").split(",") if flag in ("cached", DECIDED, "estimated", RECEIPT, "streamed")
    ]
    return ", ".join(notes)


def passed_over(row: StepRow) -> dict[str, str]:
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


def said_in(error: str) -> str:
    """The recorded failure in one line: `ValueError: …`."""
    return said(Failure.from_json(error))


def cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
