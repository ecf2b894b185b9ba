"""`jackstay limits`: what of each rate limit is used, and who waits."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from jackstay.cli.environment import read_dotenv
from jackstay.cli.stored import NoRunsYet, existing_journal
from jackstay.cli.terminal import print_table, say
from jackstay.core.limits import Limit, LimitState
from jackstay.engine.limits import ConfiguredLimits
from jackstay.engine.project_file import read_project_file


def limits(*, as_json: bool) -> int:
    read_dotenv()
    configured = ConfiguredLimits(read_project_file(Path.cwd(), os.environ), os.environ)
    try:
        with existing_journal() as journal:
            states = journal.limits()
    except NoRunsYet:
        states = []
    shown = [(state, configured.of_name(state.name)) for state in states]
    known = [state.name for state in states]
    idle = [name for name in configured.names if not any(f"{each}:".startswith(f"{name}:") for each in known)]
    if as_json:
        print(json.dumps([_as_json(state, limit) for state, limit in shown], indent=2))
    elif shown:
        print_table(_table(shown))
    if idle and not as_json:
        say(f"configured and not used yet: {', '.join(idle)}")
    elif not shown and not as_json:
        say("no limit has been used; set one in [limits] of jackstay.toml, or max_rpm= of an agent or a crew")
    return 0


def _as_json(state: LimitState, limit: Limit | None) -> dict[str, Any]:
    return {
        "name": state.name,
        "requests_per_min": limit.requests_per_min if limit else None,
        "tokens_per_min": limit.tokens_per_min if limit else None,
        "concurrent": limit.concurrent if limit else None,
        "requests_in_last_min": state.requests,
        "tokens_in_last_min": state.tokens,
        "in_use": state.in_use,
        "waiting": state.waiting,
        "waiting_processes": state.waiting_processes,
        "next_in_s": round(state.next_in_s, 3),
        "paused_s": round(state.paused_s, 3),
    }


def _table(shown: list[tuple[LimitState, Limit | None]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("limit", "requests/min", "tokens/min", "at once", "waiting", "next call", "paused for"):
        table.add_column(column, justify="left" if column == "limit" else "right")
    for state, limit in shown:
        most = limit or Limit(state.name)
        table.add_row(
            state.name,
            _of(state.requests, most.requests_per_min),
            _of(state.tokens, most.tokens_per_min),
            _of(state.in_use, most.concurrent),
            _waiting(state),
            f"in {state.next_in_s:.1f} s" if state.next_in_s >= 0.1 else "now",
            f"{state.paused_s:.0f} s" if state.paused_s else "",
        )
    return table


def _waiting(state: LimitState) -> str:
    calls = "1 call" if state.waiting == 1 else f"{state.waiting} calls"
    processes = "1 process" if state.waiting_processes == 1 else f"{state.waiting_processes} processes"
    return f"{calls} in {processes}" if state.waiting else ""


def _of(used: int, most: int | None) -> str:
    """Of an agent's or crew's limit the definition says how much it is, which is not here."""
    if most is None:
        return f"{used:,}" if used else ""
    return f"{used:,} of {most:,}"
