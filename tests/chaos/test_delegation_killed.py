"""SIGKILL in a hierarchical crew: resumed, neither the manager nor a coworker is asked what was answered before."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from jackstay.testing import Stub
from tests.programs.managed_crew import REQUESTS, TOTAL, answer, who

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

WRITTEN = "written with facts on tides"
MOMENTS = [
    *(f"model_call_started:kill:{number}" for number in range(TOTAL)),
    *(f"model_call_finished:kill:{number}" for number in (0, 1, 3, 6)),
    "look_up:kill:0",
    "look_up:kill:1",
    "tool_finished:kill:0",
    "tool_finished:kill:1",
    "task_finished:kill:0",
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_a_moment_of_delegated_work_and_resumed_it_ends_alike(warm, database_url, tmp_path, moment):
    environ = {"JACKSTAY_DATABASE_URL": database_url}
    with Stub(answer) as stub:
        first = _run(warm, stub, {**environ, "FAULT_POINTS": moment}, tmp_path / "first")
        assert first.wait() == -signal.SIGKILL, first.output
        before = len(stub.requests)
        again = _run(warm, stub, environ, tmp_path / "again")
        assert again.wait() == 0, again.output
        asked = [who(request) for request in stub.requests]
        tokens = stub.total_usage().total_tokens

    result: dict[str, Any] = again.result
    assert result["tasks"] == [f"managed: {WRITTEN}", f"managed: {WRITTEN}, criticised"]
    # In flight, or just answered, when it died: at most the two that run side by side.
    lost = len(asked) - TOTAL
    assert 0 <= lost <= 2
    assert before < TOTAL
    if lost == 0:
        assert {role: asked.count(role) for role in REQUESTS} == REQUESTS
        assert result["usage"]["total_tokens"] == tokens


@pytest.mark.parametrize(("moment", "called"), [("look_up:kill:0", 2), ("tool_finished:kill:0", 1)])
def test_a_coworkers_tool_that_had_returned_is_not_called_again(warm, database_url, tmp_path, moment, called):
    environ = {"JACKSTAY_DATABASE_URL": database_url}
    with Stub(answer) as stub:
        first = _run(warm, stub, {**environ, "FAULT_POINTS": moment}, tmp_path / "first")
        assert first.wait() == -signal.SIGKILL, first.output
        again = _run(warm, stub, environ, tmp_path / "again")
        assert again.wait() == 0, again.output

    assert again.result["called"] == called


def _run(warm: Any, stub: Stub, environ: dict[str, str], folder: Any) -> Any:
    return warm.run("managed_crew", environ={**stub.environ(), **environ}, folder=folder, key="k")
