"""Killed, stopped, interrupted; resumed."""

from __future__ import annotations

import json
import signal
import sys

import pytest

from jackstay.testing import Stub
from tests.e2e.cli.conftest import KICKOFF, PROGRAM, Folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@pytest.fixture
def crews(folder, stub) -> Folder:
    folder.ask(stub)
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


THREE = """
    from jackstay import Agent, Crew, Task

    writer = Agent(role="Writer", goal="g", backstory="b", llm="gpt-4o-mini")

    def crew_of(name, *steps):
        tasks = [Task(name=step, description=f"To {step} {name}", expected_output="t", agent=writer) for step in steps]
        return Crew(name=name, agents=[writer], tasks=tasks)

    if __name__ == "__main__":
        for name in ("boats", "kites", "trains"):
            print(crew_of(name, "gather", "check").kickoff().raw, flush=True)
"""


def _asked(stub: Stub, since: int = 0) -> list[str]:
    said = [request.messages[-1].content.partition("To ")[2] for request in stub.requests[since:]]
    return [" ".join(text.split()[:2]) for text in said]


@pytest.fixture
def three(folder, stub) -> Folder:
    folder.ask(stub)
    folder.write("three.py", THREE)
    return folder


def _kill_in_the_second_kickoff(three: Folder, stub: Stub, *started: str) -> None:
    stub.latency_s = lambda request: 600.0 if request.index == 3 else 0.0
    process = three.start(*started, python=True)
    stub.wait_for(lambda s: len(s.requests) == 4, timeout_s=30)
    process.kill()
    process.communicate(timeout=30)
    stub.latency_s = 0.0


STARTED = pytest.mark.parametrize(
    "started", [("-m", "jackstay", "run", "three.py"), ("three.py",)], ids=["run", "python"]
)


@STARTED
def test_killed_in_the_second_of_three_kickoffs_goes_on_there(three, stub, started):
    _kill_in_the_second_kickoff(three, stub, *started)

    resumed = three.run("resume")

    assert resumed.returncode == 0, resumed.stderr
    assert len(resumed.stdout.splitlines()) >= 3
    assert _asked(stub) == [
        *("gather boats", "check boats", "gather kites"),
        *("check kites", "check kites"),  # in flight at the kill
        *("gather trains", "check trains"),
    ]


CHANGES = [
    (
        'f"To {step} {name}"',
        'f"To {step} {name}" + " twice" * (step == "check")',
        "task 'check': its description has changed",
    ),
    ('"gather", "check").kickoff', '"gather", "review").kickoff', "task 'check' is called 'review' now"),
    ('backstory="b"', 'backstory="c"', "agent 'Writer': the backstory has changed"),
]


@STARTED
@pytest.mark.parametrize(("old", "new", "said"), CHANGES, ids=[said for _, _, said in CHANGES])
def test_what_has_changed_since_is_said_and_none_of_it_is_answered_silently(three, stub, started, old, new, said):
    _kill_in_the_second_kickoff(three, stub, *started)
    assert old in THREE
    three.write("three.py", THREE.replace(old, new))
    before = len(stub.requests)

    strict = three.run("resume", "--strict")
    resumed = three.run("resume")

    assert strict.returncode == 1
    assert said in strict.stderr
    assert "Nothing has been run" in strict.stderr
    assert resumed.returncode == 0, resumed.stderr
    assert said in resumed.stderr
    again = _asked(stub, before)
    changed = {"backstory": ("gather", "check"), "description": ("check",), "called": ("review",)}
    steps = next(steps for word, steps in changed.items() if word in said)
    assert [text for text in again if "boats" in text] == [f"{step} boats" for step in steps]


def test_all_unfinished_runs_are_gone_on_with_each_once(three, stub):
    _kill_in_the_second_kickoff(three, stub, "-m", "jackstay", "run", "three.py")
    stub.reset()
    _kill_in_the_second_kickoff(three, stub, "three.py")
    before = len(stub.requests)

    resumed, again = three.run("resume", "--all"), three.run("resume", "--all")

    assert resumed.returncode == 0, resumed.stderr
    assert _asked(stub, before) == ["check kites", "gather trains", "check trains"] * 2
    assert "there is nothing to resume" in again.stderr
    assert three.here("runs", "--unfinished", "--json").stdout.strip() == "[]"


def test_batch_of_plain_python_goes_on_with_the_items_that_are_not_done(three, stub):
    three.write(
        "three.py",
        THREE.partition("    if __name__")[0],
        """
        items = [{"topic": topic} for topic in ("boats", "kites", "trains")]
        print(len(crew_of("{topic}", "gather", "check").kickoff_for_each(items, concurrency=1)))
        """,
    )
    _kill_in_the_second_kickoff(three, stub, "three.py")

    resumed = three.run("resume")

    assert resumed.returncode == 0, resumed.stderr
    assert _asked(stub, 4) == ["check kites", "gather trains", "check trains"]
    runs = json.loads(three.here("runs", "--json").stdout)
    assert [(run["kind"], run["status"]) for run in runs] == [("batch", "succeeded")]


SORTED_OTHERWISE = """
    import os

    from pydantic import BaseModel

    from jackstay import LLM, Agent, Crew, Flow, Task, listen, start

    class Found(BaseModel):
        zebra: str
        ant: str

    def fail_once(_):
        if not os.path.exists("once"):
            open("once", "w").close()
            raise OSError("not yet")

    asker = Agent(role="Analyst of {of}", goal="Know it", backstory="Thorough.", llm="gpt-4o-mini")
    crew = Crew(
        agents=[asker],
        tasks=[
            Task(name="find", description="Find {of}", expected_output="Two", agent=asker, output_json=Found),
            Task(name="tell", description="Tell {of}", expected_output="One", agent=asker, callback=fail_once),
        ],
    )

    class Telling(Flow):
        @start()
        def find(self):
            return Crew(agents=[asker], tasks=crew.tasks[:1]).kickoff(inputs={"of": self.state["of"]})

        @listen(find)
        def tell(self, found):
            LLM("gpt-4o-mini").call(f"Tell {found} of {self.state}")
            fail_once(None)
"""


@pytest.mark.parametrize("name", ["crew", "Telling"])
def test_dicts_come_back_with_their_keys_in_order_and_no_call_is_made_again(folder, stub, name):
    folder.ask(stub)
    folder.write("told.py", SORTED_OTHERWISE)
    folder.write("in.json", '{"of": {"zulu": 1, "alpha": [{"q": 1, "b": 2}]}}')
    failed = folder.run("run", f"told.py:{name}", "--inputs", "in.json")

    resumed = folder.run("resume")

    assert (failed.returncode, resumed.returncode) == (1, 0)
    assert len(stub.requests) == 2
