"""`jackstay cancel`: a run is asked to stop, and until it has stopped it is waited for."""

from __future__ import annotations

import json
import time

from jackstay.cli.environment import read_dotenv
from jackstay.cli.outcome import ExitCode
from jackstay.cli.stored import chosen, existing_runtime
from jackstay.cli.terminal import say
from jackstay.core.content import content_of, how_to_go_on
from jackstay.core.ids import SHORT
from jackstay.core.records import TERMINAL, RunRow
from jackstay.engine.runtime import Runtime
from jackstay.engine.stopping import cancel as ask_to_stop

WAIT_S = 5.0
LOOK_S = 0.1


def cancel(wanted: str) -> int:
    """Cancels a run, whoever drives it."""
    read_dotenv()
    with existing_runtime() as runtime:
        row = chosen(runtime.journal, wanted)
        short = row.id[:SHORT]
        if not ask_to_stop(row.id):
            row = runtime.journal.run(row.id) or row
            say(f"run {short} has ended ({row.status}): there is nothing to cancel")
            return ExitCode.OK
        after = _until_stopped(runtime, row)
        if after.status in TERMINAL:
            say(f"run {short} is {after.status}; {how_to_go_on(row.id, content_of(after.tags), called='it')}")
            return ExitCode.OK
        say(
            f"run {short} was asked to stop and has not stopped after {WAIT_S:g} s{_driver(runtime, row)}: nothing new is "
            "started in it; it ends when what it is doing returns",
            "yellow",
        )
        return ExitCode.FAILED


def _until_stopped(runtime: Runtime, row: RunRow) -> RunRow:
    end_s = time.monotonic() + WAIT_S
    while row.status not in TERMINAL and time.monotonic() < end_s:
        time.sleep(LOOK_S)
        row = runtime.journal.run(row.id) or row
    return row


def _driver(runtime: Runtime, row: RunRow) -> str:
    lease = runtime.journal.lease(row.id)
    owner = json.loads(lease.owner or "{}") if lease is not None else {}
    return f" (process {owner['pid']} on {owner.get('host') or 'this machine'})" if "pid" in owner else ""
