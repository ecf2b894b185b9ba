"""`jackstay waits`: what runs wait for a person for."""

from __future__ import annotations

import json
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from jackstay.cli.environment import read_dotenv
from jackstay.cli.listing import when
from jackstay.cli.stored import listed_from
from jackstay.cli.terminal import print_table, say
from jackstay.core.ids import SHORT
from jackstay.core.records import RunRow, Wait
from jackstay.core.waits import PERSONAL, TIME_OVER, name_of, payload_of
from jackstay.engine.waits import settled
from jackstay.journal import Journal


def waits(*, as_json: bool) -> int:
    """Lists what is waited for. Waits whose time is over are settled, and no more among them."""
    read_dotenv()
    found, place = listed_from(_open)
    if as_json:
        print(json.dumps([_to_json(wait, row) for wait, row in found], indent=2))
    elif found:
        print_table(_table(found))
    elif place:
        say(f"no run waits for a person in {place}")
    return 0


def _open(journal: Journal) -> list[tuple[Wait, RunRow]]:
    found = []
    for wait in journal.open_waits():
        over = settled(journal, wait) if wait.deadline is not None else None
        row = journal.run(wait.run_id)
        if over is not None and over.by == TIME_OVER:
            counts = f": {over.outcome}" if over.outcome else ""
            say(
                f"{name_of(wait)}: the time for an answer is over{counts}; go on: jackstay resume {wait.run_id[:SHORT]}"
            )
        elif over is None and row is not None:
            found.append((wait, row))
    return found


def _table(found: list[tuple[Wait, RunRow]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("wait", "what", "asked", "answers", "since", "until"):
        table.add_column(column, no_wrap=column not in ("what", "asked"), overflow="fold")
    for wait, row in found:
        table.add_row(
            name_of(wait),
            Text(f"{row.kind} {row.name}{_where(wait)}"),
            Text(wait.prompt or ""),
            Text(answers_of(wait)),
            when(wait.created_at),
            when(wait.deadline) if wait.deadline else "",
        )
    return table


def _where(wait: Wait) -> str:
    about = payload_of(wait).get("about", {}) if wait.kind in PERSONAL else {}
    name = about.get("method") or about.get("task")
    return f" · {name}" if name else ""


def answers_of(wait: Wait) -> str:
    """What would be an answer, in a few words."""
    match wait.kind:
        case "budget":
            return "an amount"
        case "needs_decision":
            return "done=RESULT, again, fail"
        case _:
            return ", ".join(payload_of(wait).get("options") or ["a text"])


def _to_json(wait: Wait, row: RunRow) -> dict[str, Any]:
    return {
        "wait": name_of(wait),
        "run": row.id,
        "run_name": row.name,
        **wait_to_json(wait),
    }


def wait_to_json(wait: Wait) -> dict[str, Any]:
    payload = payload_of(wait) if wait.kind in PERSONAL else {}
    return {
        "number": wait.rev,
        "kind": wait.kind,
        "path": wait.path,
        "asked": wait.prompt,
        "shown": payload.get("shown"),
        "options": payload.get("options") or [],
        "default": payload.get("default"),
        "about": {name: value for name, value in payload.get("about", {}).items() if name != "output"},
        "since": wait.created_at.isoformat(),
        "until": wait.deadline.isoformat() if wait.deadline else None,
    }
