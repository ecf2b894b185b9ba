"""`jackstay doctor --runs`: what the code, as it is now, could go on with; nothing is kicked off to find out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jackstay.cli.defined import Unloadable, definitions_of
from jackstay.cli.target import Target
from jackstay.testing import Stub
from tests.e2e.cli.conftest import PROGRAM, Folder

FAILING = """
    import sys
    from jackstay import Flow, listen, start
    {crew}
    class Trip(Flow):
        @start()
        def pack(self):
            return "packed"

        @listen(pack)
        def drive(self):
            raise ValueError("no fuel")

    if __name__ == "__main__":
        Trip().kickoff()
"""


@pytest.fixture
def trips(folder: Folder) -> Folder:
    """A flow that has failed in its second method, as a script's run."""
    folder.write("trip.py", FAILING.format(crew=""))
    assert folder.run("run", "trip.py").returncode == 1
    return folder


def verdicts(folder: Folder) -> list[dict[str, Any]]:
    """What `doctor --runs` says of each run; its exit code has to agree."""
    result = folder.here("doctor", "--runs", "--json")
    found: list[dict[str, Any]] = json.loads(result.stdout)
    assert result.exit_code == (1 if any(each["ok"] is False for each in found) else 0), result.stderr
    return found


def said(verdict: dict[str, Any]) -> str:
    return "; ".join(finding["text"] for finding in verdict["findings"])


def test_an_unchanged_program_can_go_on(trips):
    [verdict] = verdicts(trips)

    assert (verdict["ok"], verdict["state"]) == (True, "failed")
    assert said(verdict) == "flow 'Trip' is as it was"


def test_changes_are_listed_and_what_is_gone_is_a_fault(trips):
    trips.write("trip.py", FAILING.format(crew="").replace("listen(pack)", "start()"))
    [changed] = verdicts(trips)
    trips.write("trip.py", FAILING.format(crew="").replace("def drive", "def fly"))
    [gone] = verdicts(trips)

    assert (changed["ok"], said(changed)) == (
        True,
        "flow 'Trip' has changed: method 'drive' starts otherwise than before",
    )
    assert gone["ok"] is False
    assert "flow 'Trip' has changed: method 'drive' is gone" in said(gone)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "trip.py is not there any more"),
        ("def f(:", "trip.py cannot be loaded: SyntaxError"),
        ("import nowhere", "trip.py cannot be loaded: ModuleNotFoundError: No module named 'nowhere'"),
        ("import os; os._exit(3)", "trip.py ends while it is loaded"),
        ("import sys; sys.exit(3)", "trip.py cannot be loaded: SystemExit: 3"),
    ],
)
def test_a_program_that_is_gone_or_does_not_load_is_a_fault(trips, content, reason):
    if content is None:
        (trips.path / "trip.py").unlink()
    else:
        trips.write("trip.py", content)

    [verdict] = verdicts(trips)

    assert verdict["ok"] is False
    assert reason in said(verdict)
    shown = trips.here("doctor", "--runs")
    assert "✗" in shown.stdout
    assert "1 run cannot be resumed by the code as it is now" in shown.stderr


def test_an_object_that_is_gone_is_a_fault(folder):
    folder.write("trip.py", FAILING.format(crew=""))
    folder.run("run", "trip.py:Trip")
    folder.write("trip.py", FAILING.format(crew="").replace("Trip", "Travel"))

    [verdict] = verdicts(folder)

    assert (verdict["ok"], "there is no 'Trip'; the module defines Travel" in said(verdict)) == (False, True)


def test_what_functions_make_cannot_be_told(folder):
    made = FAILING.format(crew="").replace("class Trip", "def make():\n      class Trip")
    indented = made.replace("        @", "          @").replace("        def", "          def")
    indented = indented.replace("            r", "              r").replace(
        "    if __name__", "      return Trip\n    if __name__"
    )
    folder.write("trip.py", indented.replace("Trip().kickoff()", "make()().kickoff()"))
    folder.run("run", "trip.py")

    [verdict] = verdicts(folder)

    assert verdict["ok"] is None
    assert "that cannot be told before it runs" in said(verdict)


def test_crews_inside_flows_are_compared_wherever_they_are_defined(folder):
    with Stub() as stub:
        folder.environ |= {"SIM_BASE_URL": stub.openai_url, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        folder.write("crews.py", PROGRAM)
        flow = FAILING.format(crew="import crews").replace(
            'return "packed"', 'return crews.crew.kickoff({"topic": "x"}).raw'
        )
        folder.write("trip.py", flow)
        folder.run("run", "trip.py")
    assert "crew 'crew' is as it was" in said(verdicts(folder)[0])
    folder.write(
        "crews.py", PROGRAM.replace("Write about {topic}", "Write of {topic}").replace('"research"', '"search"')
    )

    [verdict] = verdicts(folder)

    assert verdict["ok"] is True
    assert "task 'research' is called 'search' now (it is asked anew)" in said(verdict)
    assert "task 'write': its description has changed (it is asked anew)" in said(verdict)


def test_nothing_is_kicked_off_and_nothing_printed_gets_in_the_way(folder):
    with Stub() as stub:
        folder.environ |= {"SIM_BASE_URL": stub.openai_url, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        folder.write(
            "loud.py",
            PROGRAM,
            """
            import os, threading
            print("loud"); os.system("echo louder")
            other = threading.Thread(target=lambda: crew.kickoff({"topic": "thread"}))
            other.start(); other.join()
            crew.kickoff({"topic": "boats"})
            raise ValueError("behind it")
            """,
        )
        folder.run("run", "loud.py")
        before = len(stub.requests)

        found = verdicts(folder)

        assert len(stub.requests) == before > 0
    assert any("crew 'crew' is as it was" in said(verdict) for verdict in found)


def test_runs_of_a_console_are_gone_on_with_there(folder):
    folder.write("trip.py", FAILING.format(crew=""))
    console = folder.start("-c", "import trip; trip.Trip().kickoff()", python=True)
    assert console.wait(60) == 1

    [verdict] = verdicts(folder)

    assert verdict["ok"] is None
    assert f'go on with it there, by kickoff(resume="{verdict["id"][:13]}")' in said(verdict)


def test_without_unfinished_runs_there_is_nothing_to_say(folder):
    assert "no runs yet" in folder.here("doctor", "--runs").stderr
    folder.write(
        "fine.py", "from jackstay import Flow, start\nclass F(Flow):\n    @start()\n    def a(self): ...\nF().kickoff()"
    )
    folder.run("run", "fine.py")

    assert verdicts(folder) == []
    assert "has finished, or is being driven" in folder.here("doctor", "--runs").stderr


def test_a_program_that_takes_too_long_is_given_up(folder):
    slow = folder.write("slow.py", "import threading\nthreading.Event().wait(600)")

    found = definitions_of(Target(script=str(slow), folder=str(folder.path)), timeout_s=2.0)

    assert found == Unloadable("slow.py has not been loaded after 2 s")
