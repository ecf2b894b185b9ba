"""SIGKILL around guardrails and conditions: resumed, what had decided does not decide again, and the end is the same."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from jackstay.testing import Stub, StubRequest
from tests.programs.guarded_crew import REJECTED

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

PROGRAM = "guarded_crew"
REQUESTS, GUARDRAILS, CONDITIONS = 2 * (REJECTED + 1) + 1, 2 * (REJECTED + 1), 2


def numbering(request: StubRequest) -> str:
    """By what was asked, so that a resumed run is answered alike."""
    return f"number {sum('not accepted' in message.content for message in request.messages)}"


@pytest.mark.parametrize(
    ("point", "recorded"),
    [
        # How often the two had decided, and their decision was on disk, when the process died.
        ("guardrail:kill:0", (0, 0)),
        ("guardrail:kill:2", (2, 0)),
        ("condition:kill:0", (3, 0)),
        ("condition:kill:1", (3, 1)),
        ("guardrail:kill:4", (4, 2)),
    ],
)
def test_killed_in_a_decision_and_resumed_it_decides_the_others_only(warm, database_url, tmp_path, point, recorded):
    environ = {"JACKSTAY_DATABASE_URL": database_url}
    with Stub(numbering) as stub:
        first = _run(warm, stub, {**environ, "FAULT_POINTS": point}, tmp_path / "first")
        assert first.wait() == -signal.SIGKILL, first.output
        again = _run(warm, stub, environ, tmp_path / "again")
        assert again.wait() == 0, again.output
        requests = len(stub.requests)

    result: dict[str, Any] = again.result
    assert result["tasks"] == ["accepted 2", "number 0", "", "accepted 2"]
    assert requests == REQUESTS
    assert result["called"] == {"guardrail": GUARDRAILS - recorded[0], "condition": CONDITIONS - recorded[1]}


@pytest.mark.parametrize("moment", ["guardrail_rejected:kill:1", "model_call_started:kill:3", "task_skipped:kill:0"])
def test_killed_between_decisions_and_resumed_it_asks_nothing_again(warm, database_url, tmp_path, moment):
    environ = {"JACKSTAY_DATABASE_URL": database_url}
    with Stub(numbering) as stub:
        first = _run(warm, stub, {**environ, "FAULT_POINTS": moment}, tmp_path / "first")
        assert first.wait() == -signal.SIGKILL, first.output
        again = _run(warm, stub, environ, tmp_path / "again")
        assert again.wait() == 0, again.output
        requests = len(stub.requests)

    assert again.result["tasks"] == ["accepted 2", "number 0", "", "accepted 2"]
    assert requests == REQUESTS


def _run(warm: Any, stub: Stub, environ: dict[str, str], folder: Any) -> Any:
    return warm.run(PROGRAM, environ={**stub.environ(), **environ}, folder=folder, key="k")
