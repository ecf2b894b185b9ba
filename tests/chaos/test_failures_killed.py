"""SIGKILL in a crew whose tasks fail: resumed, it goes on from every failure that it had gone on from, and ends alike."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from jackstay.testing import Stub
from tests.programs.failing_crew import REQUESTS, answer, which

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

TOTAL = sum(REQUESTS.values())
RESULT = {
    "tasks": [
        ["Deputy: Pay; paid 3", "Deputy", None],
        ["Deputy: Sound", "Deputy", None],
        ["", "Clerk", "ToolExecutionFailedError: the tool 'peer' failed: fog"],
        ["Clerk: Close", "Clerk", None],
    ],
    "tool_failures": [["fog", "peer#1/tool:peer#1"], *(["no_ground", f"sound#1/tool:sound#{n}"] for n in (1, 2))],
    "requests": TOTAL,
}
MOMENTS = [
    *(f"model_call_started:kill:{number}" for number in (2, 4, 5, 7, 8, 10)),
    *(f"model_call_finished:kill:{number}" for number in (2, 4, 8)),
    "retry:kill:0",
    "tool_failed:kill:1",
    "reused:kill:1",
    "task_skipped:kill:0",
]


@pytest.mark.parametrize("moment", ["", *MOMENTS])
def test_killed_at_a_moment_of_a_failure_and_resumed_it_ends_alike(warm, database_url, tmp_path, moment):
    environ = {"JACKSTAY_DATABASE_URL": database_url, "COUNTER": str(tmp_path / "counter")}
    with Stub(answer) as stub:
        if moment:
            first = _run(warm, stub, {**environ, "FAULT_POINTS": moment}, tmp_path / "first")
            assert first.wait() == -signal.SIGKILL, first.output
        again = _run(warm, stub, environ, tmp_path / "again")
        assert again.wait() == 0, again.output
        asked = [which(request) for request in stub.requests]

    assert again.result == RESULT
    assert (tmp_path / "counter").read_text() == "3\n"
    # The one in flight, or just answered, when it died.
    assert 0 <= len(asked) - TOTAL <= 1


def _run(warm: Any, stub: Stub, environ: dict[str, str], folder: Path) -> Any:
    return warm.run("failing_crew", environ={**stub.environ(), **environ}, folder=folder, key="k")
