"""Ctrl-C in `kickoff()`: it comes out as `KeyboardInterrupt` within seconds, the run is cancelled and can be resumed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from jackstay.core.records import RunFilter, RunRow
from jackstay.journal import open_journal
from jackstay.journal.location import from_url
from jackstay.testing import Stub
from tests.chaos.processes import Warm, warm_process

LIMIT_S = 5.0


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with warm_process() as process:
        yield process


@pytest.mark.parametrize("mode", ["model", "def tool", "async tool", "busy tool", "in a loop"])
def test_interrupted_kickoff_raises_soon_and_its_run_can_be_resumed(warm, tmp_path, mode):
    with Stub() as stub:
        url = f"sqlite:///{tmp_path / 'journal.db'}"
        environ = {**stub.environ(), "STUB_URL": stub.url, "MODE": mode, "JACKSTAY_DATABASE_URL": url}
        holding = mode in ("model", "in a loop")
        if holding:
            stub.hold()
        child = warm.run("interrupted", environ=environ, folder=tmp_path / "first", key="k")
        stub.wait_for(lambda s: s.in_flight == 1 if holding else len(s.other_requests) == 1, timeout_s=30)

        os.kill(child.pid, signal.SIGINT)
        sent_s = time.monotonic()
        stub.wait_for(lambda s: bool(s.other_requests) and s.other_requests[-1].path == "/stopped", timeout_s=30)
        took_s = time.monotonic() - sent_s
        assert child.wait() == 0, child.output
        assert child.result["raised"] == "KeyboardInterrupt"
        assert took_s < LIMIT_S
        assert stub.in_flight == 0
        assert _only_run(url).status == "cancelled"

        if holding:
            stub.release()
        asked = len(stub.requests)
        again = warm.run("interrupted", environ={**environ, "MODE": ""}, folder=tmp_path / "second", key="k")
        assert again.wait() == 0, again.output
        assert again.result["raised"] is None, again.result
        assert len(stub.requests) == asked + (4 if holding else 3)
    run = _only_run(url)
    assert (run.status, run.attempts) == ("succeeded", 2)


def _only_run(url: str) -> RunRow:
    journal = open_journal(from_url(url))
    try:
        (run,) = journal.runs(RunFilter())
        assert [r for r in journal.reservations(run.id) if r.state == "open"] == []
        return run
    finally:
        journal.close()
