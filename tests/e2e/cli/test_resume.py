"""Killed, stopped, interrupted; resumed."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator

import pytest

from jackstay.testing import Stub
from tests.e2e.cli.conftest import KICKOFF, PROGRAM, Folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as running:
        yield running


@pytest.fixture
def crews(folder, stub) -> Folder:
    folder.environ |= {"SIM_BASE_URL": stub.openai_url, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    folder.write("crews.py", PROGRAM, KICKOFF)
    return folder


def _hold_second(stub: Stub) -> None:
    stub.latency_s = lambda request: 0.0 if request.index == 0 else 600.0


def test_killed_script_goes_on_where_it_was_and_a_live_one_is_not_touched(crews, stub):
    _hold_second(stub)
    process = crews.start("run", "crews.py")
    stub.wait_for(lambda s: len(s.requests) == 2, timeout_s=30)
    live = crews.here("resume")
    process.kill()
    process.communicate(timeout=30)
    interrupted = crews.here("show").stdout
    stub.latency_s = 0.0

    resumed = crews.run("resume")

    assert "is being driven by process" in live.stderr
    assert live.exit_code == 1
    assert "interrupted" in interrupted
    assert "llm#2 sim/demo · in flight when it stopped" in interrupted
    assert resumed.returncode == 0, resumed.stderr
    assert "1 recorded model call will not be made again, code outside steps runs again" in resumed.stderr
    assert resumed.stdout.splitlines()[0] == "begin"
    assert "answer:" in resumed.stdout
    assert len(stub.requests) == 4  # 3 undisturbed, 1 in flight at the kill
    shown = crews.here("show").stdout
    assert "lost: 1 call in flight when a process died" in shown
    finished = crews.here("resume")
    assert "has finished: there is nothing to resume" in finished.stderr
    assert finished.exit_code == 0


def test_crew_of_plain_python_is_resumed_by_starting_its_program_again(crews, stub):
    _hold_second(stub)
    process = crews.start("crews.py", python=True)
    stub.wait_for(lambda s: len(s.requests) == 2, timeout_s=30)
    process.kill()
    process.communicate(timeout=30)
    stub.latency_s = 0.0
    [run] = json.loads(crews.here("runs", "--json").stdout)

    resumed = crews.run("resume", run["id"][:13])

    assert (run["kind"], run["state"]) == ("crew", "interrupted")
    assert resumed.returncode == 0, resumed.stderr
    assert "answer:" in resumed.stdout
    [after] = json.loads(crews.here("runs", "--json").stdout)
    assert (after["id"], after["state"], after["lost_calls"]) == (run["id"], "succeeded", 1)
    assert len(stub.requests) == 4


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGTERM, 5, "stopped"), (signal.SIGINT, 130, "interrupted")],
    ids=["term", "int"],
)
def test_signal_ends_the_run_in_order_and_it_can_be_resumed(crews, stub, number, code, word):
    _hold_second(stub)
    process = crews.start("run", "crews.py")
    stub.wait_for(lambda s: len(s.requests) == 2, timeout_s=30)

    process.send_signal(number)
    _, said = process.communicate(timeout=30)

    assert process.returncode == code
    [run] = json.loads(crews.here("runs", "--json").stdout)
    assert run["state"] == "interrupted"
    assert (
        said.splitlines()[-1] == f"{word}: run {run['id']} can go on where it stopped: jackstay resume {run['id'][:13]}"
    )
    assert "Traceback" not in said


def test_run_of_a_console_is_not_guessed_at(crews, stub):
    code = (
        "from crews import crew\ncrew.tasks[0].callback = lambda output: 1 / 0\ncrew.kickoff(inputs={'topic': 'boats'})"
    )
    process = crews.start("-c", code, python=True)
    process.communicate(timeout=60)

    refused = crews.here("resume")

    assert "was not started by a program that could be started again" in refused.stderr
    assert 'kickoff(resume="' in refused.stderr
    assert refused.exit_code == 2


def test_program_that_no_longer_makes_the_kickoff_is_told(crews, stub):
    crews.write("gone.py", PROGRAM, "crew.tasks[1].callback = lambda output: 1 / 0\n", KICKOFF)
    process = crews.start("gone.py", python=True)
    process.communicate(timeout=60)
    crews.write("gone.py", "print('nothing here any more')\n")

    resumed = crews.run("resume")

    assert "the program has ended without going on with run" in resumed.stderr
    assert resumed.returncode == 1
