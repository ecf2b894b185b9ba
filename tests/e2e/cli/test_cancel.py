"""Cancelled by a command, by Ctrl-C, by a time limit: in real processes, in flight at a model that hangs."""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import Any

import pytest

from jackstay.testing import Stub
from tests import warm_python
from tests.e2e.cli.conftest import KICKOFF, PROGRAM, Folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

STUCK = """
    import threading
    from jackstay.tools import tool

    @tool
    def look_up(name: str) -> str:
        "Blocks."
        print("begun", flush=True)
        threading.Event().wait()
        return "never"

    analyst.tools = [look_up]
"""

THREADS = """
    import sys
    import threading

    threads = [threading.Thread(target=lambda: print(crew.kickoff({"topic": "boats"}).raw)) for _ in range(2)]
    for thread in threads:
        thread.start()
    print("begun", flush=True)
"""
"""Kickoffs in threads of the program's own, which hold a program open."""


@pytest.fixture
def crews(folder, stub) -> Folder:
    folder.ask(stub)
    folder.write("crews.py", PROGRAM, KICKOFF)
    folder.write("stuck.py", PROGRAM, STUCK, KICKOFF)
    return folder


def _hanging(crews: Folder, stub: Stub, *arguments: str, python: bool = False) -> warm_python.Process:
    """A program whose second call is in flight."""
    stub.latency_s = lambda request: 0.0 if request.index == 0 else 600.0
    process = crews.start(*arguments, python=python)
    stub.wait_for(lambda s: len(s.requests) == 2 and s.in_flight == 1, timeout_s=30)
    return process


def _closed(stub: Stub) -> None:
    stub.wait_for(lambda s: s.in_flight == 0, timeout_s=1.5)
    assert stub.requests[-1].client_left


def _runs(crews: Folder) -> Any:
    return json.loads(crews.here("runs", "--json").stdout)


@pytest.mark.parametrize("python", [False, True], ids=["jackstay run", "python"])
def test_cancel_command_stops_the_run_of_another_process(crews, stub, python):
    process = _hanging(crews, stub, *([] if python else ["run"]), "crews.py", python=python)
    [run] = _runs(crews)

    cancelled = crews.run("cancel", run["id"][:13])
    _, said = process.communicate(timeout=10)

    assert cancelled.returncode == 0, cancelled.stderr
    assert f"run {run['id'][:13]} is cancelled; it can go on where it stopped" in cancelled.stderr
    _closed(stub)
    assert len(stub.requests) == 2
    [after] = _runs(crews)
    assert after["state"] == "cancelled"
    assert process.returncode == (1 if python else 5)
    assert "was cancelled" in said
    if not python:
        assert "Traceback" not in said

    stub.latency_s = 0.0
    resumed = crews.run("resume", run["id"][:13])
    assert resumed.returncode == 0, resumed.stderr
    assert "answer:" in resumed.stdout
    assert len(stub.requests) == 4


def test_cancel_of_a_run_that_has_ended_or_is_not_there_says_so(crews, stub):
    crews.run("run", "crews.py", "--run-key", "done")

    ended = crews.here("cancel", "done")
    unknown = crews.here("cancel", "nothing")

    assert ended.exit_code == 0
    assert "has ended (succeeded): there is nothing to cancel" in ended.stderr
    assert unknown.exit_code == 2
    assert "there is no run 'nothing'" in unknown.stderr


def test_killed_run_is_cancelled_without_anybody_driving_it(crews, stub):
    process = _hanging(crews, stub, "run", "crews.py")
    process.kill()
    process.communicate(timeout=30)
    [run] = _runs(crews)

    cancelled = crews.run("cancel", run["id"][:13])

    assert cancelled.returncode == 0, cancelled.stderr
    [after] = _runs(crews)
    assert (run["state"], after["state"]) == ("interrupted", "cancelled")


@pytest.mark.parametrize("python", [False, True], ids=["jackstay run", "python"])
def test_ctrl_c_closes_the_request_and_the_program_ends(crews, stub, python):
    process = _hanging(crews, stub, *([] if python else ["run"]), "crews.py", python=python)

    process.send_signal(signal.SIGINT)
    _closed(stub)
    process.communicate(timeout=10)

    assert process.returncode == (-signal.SIGINT if python else 130)
    assert len(stub.requests) == 2
    [run] = _runs(crews)
    assert run["state"] == "interrupted"


@pytest.mark.parametrize("how", ["cancel", "deadline", "ctrl-c"])
def test_blocked_tool_does_not_hold_the_program_open(crews, stub, how):
    # Long enough for the tool to begin on a busy machine.
    deadline = ["--deadline", "6"] if how == "deadline" else []
    process = crews.start("run", "stuck.py", *deadline)
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    assert any(line == "begun\n" for line in lines)

    started_s = time.monotonic()
    if how == "cancel":
        crews.run("cancel", _runs(crews)[0]["id"])
    elif how == "ctrl-c":
        process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)

    assert time.monotonic() - started_s < 10  # the tool sleeps for much longer
    assert process.returncode == {"cancel": 5, "deadline": 1, "ctrl-c": 130}[how]
    assert "look_up was abandoned" in said
    assert f'{crews.path}/stuck.py", line' in said


def test_deadline_ends_a_program_and_is_there_again_when_it_is_resumed(crews, stub):
    stub.latency_s = lambda request: 0.0 if request.index == 0 else 600.0

    # Long enough for a process to start on a busy machine, when it is resumed for good.
    ended = crews.run("run", "crews.py", "--deadline", "5")
    again = crews.run("resume")
    stub.latency_s = 0.0
    done = crews.run("resume")

    for late in (ended, again):
        assert late.returncode == 1
        assert "time limit" in late.stderr
        assert "jackstay resume" in late.stderr
    assert done.returncode == 0, done.stderr
    shown = json.loads(crews.here("runs", "--json").stdout)
    assert [run["state"] for run in shown] == ["succeeded"]


@pytest.mark.parametrize("value", ["0", "-3", "nan"])
def test_deadline_that_is_none_is_a_mistake_of_the_command_line(crews, value):
    refused = crews.here("run", "crews.py", f"--deadline={value}")

    assert refused.exit_code == 2
    assert "--deadline" in refused.stderr


@pytest.mark.parametrize(
    ("end", "code", "state"),
    [("threads[0].join()", 130, "interrupted"), ("input(); 1 / 0", 1, "failed"), ("input(); sys.exit(3)", 3, "failed")],
    ids=["ctrl-c", "exception", "exit"],
)
def test_program_that_ends_stops_the_kickoffs_of_its_threads(crews, stub, end, code, state):
    crews.write("threads.py", PROGRAM, THREADS, end)
    stub.hold()
    process = crews.start("run", "threads.py", interactive=True)
    stub.wait_for(lambda s: s.in_flight == 2, timeout_s=30)

    if code == 130:
        process.send_signal(signal.SIGINT)
    process.communicate("\n", timeout=20)

    _closed(stub)
    assert process.returncode == code
    [run] = _runs(crews)
    assert run["state"] == state


@pytest.mark.parametrize("end", ["", "sys.exit()"], ids=["ends", "exits"])
def test_program_waits_for_its_threads_as_python_does(crews, stub, end):
    crews.write("threads.py", PROGRAM, THREADS, end)
    stub.hold()
    process = crews.start("run", "threads.py")
    stub.wait_for(lambda s: s.in_flight == 2, timeout_s=30)
    stub.release()
    out, err = process.communicate(timeout=30)

    assert process.returncode == 0, err
    assert len(out.splitlines()) >= 3, out
    [run] = _runs(crews)
    assert run["state"] == "succeeded"
