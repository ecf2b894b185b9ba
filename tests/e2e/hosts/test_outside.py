"""What another process does to a run reaches the one that drives it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

from jackstay.core.records import RunEnd, RunFilter, Write
from jackstay.errors import LeaseLost, RunCancelled
from tests.e2e.hosts.crews import crew_of
from tests.e2e.ledger import Ledger


def kickoff_in_thread(crew: Any) -> tuple[threading.Thread, list[BaseException]]:
    raised: list[BaseException] = []

    def work() -> None:
        try:
            crew.kickoff({"topic": "t"})
        except BaseException as error:  # noqa: BLE001 - a stop is no Exception, and the test looks at it
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread, raised


def test_run_cancelled_from_outside_stops_and_says_so(runtime, stub):
    stub.hold()
    thread, raised = kickoff_in_thread(crew_of(tasks=2))
    stub.wait_for(lambda s: s.in_flight == 1)
    (run,) = runtime.journal.runs(RunFilter())

    assert runtime.journal.request_cancel(run.id).result(10)
    thread.join(15)

    assert [type(error) for error in raised] == [RunCancelled]
    stub.wait_for(lambda s: s.in_flight == 0)
    assert len(stub.requests) == 1
    assert [run.status for run in Ledger.of(runtime).runs] == ["cancelled"]


def test_run_taken_over_by_another_process_stops_here(runtime, stub):
    stub.hold()
    thread, raised = kickoff_in_thread(crew_of(tasks=2))
    stub.wait_for(lambda s: s.in_flight == 1)
    (run,) = runtime.journal.runs(RunFilter())

    takeover = runtime.journal.take_up(run.id, force=True).result(10)
    thread.join(15)

    assert [type(error) for error in raised] == [LeaseLost]
    assert [reservation.state for reservation in takeover.reservations] == ["lost"]
    assert len(stub.requests) == 1
    # Given back, so that the check for what was left behind finds nothing of ours.
    runtime.journal.write(_ended(takeover)).result(10)


def _ended(takeover: Any) -> Any:
    return Write(takeover.lease, end=RunEnd("failed", datetime.now(UTC), reason="interrupted"))
