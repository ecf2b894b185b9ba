"""`why`, `tail` and `show` where it takes processes: a killed run, a live one, a reader that leaves."""

from __future__ import annotations

import sys

import pytest

from tests.e2e.cli.conftest import KICKOFF, PROGRAM, Folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes")


@pytest.fixture
def crews(folder, stub) -> Folder:
    folder.ask(stub)
    folder.write("crews.py", PROGRAM, KICKOFF)
    return folder


def test_killed_run_says_what_was_in_flight_and_is_followed_when_it_goes_on(crews, stub):
    stub.latency_s = lambda request: 0.0 if request.index == 0 else 600.0
    process = crews.start("run", "crews.py")
    stub.wait_for(lambda s: len(s.requests) == 2, timeout_s=30)
    process.kill()
    process.communicate(timeout=30)

    told = crews.here("why").stdout

    assert "interrupted" in told
    assert "in the middle of the call of sim/demo at crew#1/research#1/llm#2 (sent " in told
    assert "1 model call, 1 tool call: recorded, not done and not asked again" in told
    assert "goes on where it stopped" in told

    stub.latency_s = 0.0
    stub.hold()
    resumed = crews.start("resume")
    stub.wait_for(lambda s: len(s.requests) == 3, timeout_s=30)
    watching = crews.start("show", "--follow", "--json")
    assert watching.stdout is not None
    first = [watching.stdout.readline() for _ in range(2)]
    stub.release()
    resumed.communicate(timeout=30)
    rest, _ = watching.communicate(timeout=30)

    assert ["sim/demo" in first[0], "look_up(" in first[1]] == [True, True]
    assert "✓ Writer: write" in rest
    assert "run succeeded\n{" in rest


def test_reader_that_leaves_is_no_error(crews):
    crews.run("run", "crews.py:crew", "--input", "topic=boats")

    for command in (("show", "--json"), ("show",)):
        process = crews.start(*command)
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate(timeout=60)

        assert err == ""
