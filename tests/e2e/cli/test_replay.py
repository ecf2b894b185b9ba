"""`jackstay log-tasks-outputs`, `jackstay replay`: the seed's diagram, as a user types it."""

from __future__ import annotations

import json
import re

import pytest

from jackstay.testing import Fault, Stub
from tests.e2e.cli.conftest import Folder

NAMES = ("gather", "check", "draft", "polish")
CREW = """
    from jackstay import Agent, Crew, Retry, Task

    writer = Agent(role="Writer", goal="g", backstory="b", llm="gpt-4o-mini", retry=Retry(max_attempts=1))

    def crew_of(*names):
        made = [
            Task(name=name, description=f"To {name} {{topic}}", expected_output="t", agent=writer) for name in names
        ]
        return Crew(agents=[writer], tasks=made)

    crew = crew_of("gather", "check", "draft", "polish")
"""
MAIN = """
    if __name__ == "__main__":
        print("begin", flush=True)
        print("answer:", crew.kickoff(inputs={"topic": "boats"}).raw)
"""


@pytest.fixture
def project(folder, stub) -> Folder:
    folder.ask(stub)
    folder.write("crews.py", CREW, MAIN)
    return folder


def asked(stub: Stub, since: int = 0) -> list[str]:
    said = [request.messages[-1].content for request in stub.requests[since:]]
    return [next(word for word in text.split() if word in NAMES) for text in said]


def tasks(folder: Folder, *arguments: str) -> list[dict[str, str]]:
    listed = json.loads(folder.here("log-tasks-outputs", "--json", *arguments).stdout)
    return [task for run in listed for task in run["tasks"]]


@pytest.mark.promise("cli.replay", "cli.log_tasks_outputs")
@pytest.mark.parametrize("started", [("-m", "jackstay", "run", "crews.py"), ("crews.py",)], ids=["run", "python"])
def test_third_of_four_tasks_fails_is_listed_and_replayed_twice(project, stub, started):
    stub.rule(Fault.http(500), user="To draft", times=1)
    failed = project.start(*started, python=True)
    failed.communicate(timeout=60)

    table = project.here("log-tasks-outputs").stdout
    marks = re.findall(r"^(✅|❌|–) +(\w+) \(Writer\) +(\S+/(?:\S+/)?\w+#1)", table, re.MULTILINE)
    ids = {name: task for _, name, task in marks}
    first = project.run("replay", "-t", ids["draft"])
    second = project.run("replay", "-t", ids["draft"])

    assert failed.returncode != 0
    assert [(mark, name) for mark, name, _ in marks] == list(zip("✅✅❌–", NAMES, strict=True))
    assert len(set(ids.values())) == 4
    for replayed in (first, second):
        assert replayed.returncode == 0, replayed.stderr
        assert replayed.stdout.startswith("begin\nanswer: ")
        assert "reused:     gather, check (2 calls" in replayed.stderr
        assert "runs again: draft, polish (at least 2 calls)" in replayed.stderr or replayed is second
        assert "as foreseen: draft, polish ran again, 2 calls" in replayed.stderr
    assert asked(stub) == ["gather", "check", "draft", *["draft", "polish"] * 2]
    assert first.stdout == second.stdout
    assert "runs again: draft, polish (2 calls" in second.stderr  # by now it is known what they take


def test_dry_run_says_what_would_run_and_runs_nothing(project, stub):
    project.run("run", "crews.py")
    before = len(stub.requests)

    said = project.here("replay", "-t", "check", "--dry-run")

    assert said.exit_code == 0
    assert "reused:     gather (1 call" in said.stderr
    assert "runs again: check, draft, polish (3 calls" in said.stderr
    assert len(stub.requests) == before
    assert len(json.loads(project.here("runs", "--json").stdout)) == 1


def test_dry_run_says_what_has_changed_and_counts_with_it(project, stub):
    project.run("run", "crews.py")
    project.write(
        "crews.py",
        CREW.replace('f"To {name} {{topic}}"', 'f"To {name} {{topic}}" + " twice" * (name == "check")'),
        MAIN,
    )

    said = project.here("replay", "-t", "polish", "--dry-run")
    replayed = project.run("replay", "-t", "polish")

    assert "changed:    crew 'crew': task 'check': its description has changed" in said.stderr
    assert "runs again: check, draft, polish (3 calls" in said.stderr
    assert "otherwise than foreseen: check, draft, polish ran again" in replayed.stderr  # which does not load it first
    assert asked(stub, 4) == ["check", "draft", "polish"]


def test_prompt_that_was_repaired_is_what_the_replay_asks(project, stub):
    stub.rule(Fault.http(500), user="To draft", times=1)
    project.run("run", "crews.py")
    project.write(
        "crews.py",
        CREW.replace('description=f"To {name}', 'description=f"Better: To {name}" * (name == "draft") or f"To {name}'),
        MAIN,
    )

    replayed = project.run("replay", "-t", "draft")

    assert replayed.returncode == 0, replayed.stderr
    assert "crew 'crew' has changed: task 'draft': its description has changed" in replayed.stderr
    assert asked(stub)[3:] == ["draft", "polish"]
    assert "Better: To draft" in stub.requests[3].messages[-1].content


@pytest.mark.parametrize("started", [("-m", "jackstay", "run", "crews.py"), ("crews.py",)], ids=["run", "python"])
def test_inputs_of_a_replay_are_those_of_its_resume_and_of_its_replays(project, stub, started):
    project.start(*started, python=True).communicate(timeout=60)
    stub.rule(Fault.http(500), user="To draft kites", times=1)

    failed = project.run("replay", "-t", "draft", "--input", "topic=kites")
    resumed = project.run("resume")

    assert failed.returncode == 1
    assert resumed.returncode == 0, resumed.stderr
    assert asked(stub)[4:] == ["gather", "check", "draft", "draft", "polish"]
    assert all("kites" in request.messages[-1].content for request in stub.requests[4:])


def test_other_kickoffs_of_the_program_are_answered_from_the_record(project, stub):
    project.write(
        "crews.py",
        CREW,
        """
        for topic in ("boats", "kites", "trains"):
            print(crew_of("gather", "check").kickoff(inputs={"topic": topic}).raw)
        """,
    )
    for started in (("-m", "jackstay", "run", "crews.py"), ("crews.py",)):
        out, _ = project.start(*started, python=True).communicate(timeout=60)
        before = len(stub.requests)
        task = next(task["id"] for task in tasks(project) if "kites" in str(task["output"]) and task["name"] == "check")

        replayed = project.run("replay", "-t", task)

        assert replayed.returncode == 0, replayed.stderr
        assert replayed.stdout == out
        assert asked(stub, before) == ["check"]


def test_items_of_a_batch_are_replayed_one_by_one(project, stub):
    project.write(
        "crews.py",
        CREW,
        """
        items = [{"topic": topic} for topic in ("boats", "kites", "trains")]
        print([result.raw for result in crew_of("gather", "check").kickoff_for_each(items)])
        """,
    )
    for started in (("-m", "jackstay", "run", "crews.py"), ("crews.py",)):
        out, _ = project.start(*started, python=True).communicate(timeout=60)
        before = len(stub.requests)
        task = next(
            task["id"] for task in tasks(project) if "kites" in str(task["output"]) and task["name"] == "gather"
        )

        replayed = project.run("replay", "-t", task)

        assert replayed.returncode == 0, replayed.stderr
        assert replayed.stdout == out
        assert asked(stub, before) == ["gather", "check"]


@pytest.mark.parametrize("started", [("-m", "jackstay", "run", "crews.py"), ("crews.py",)], ids=["run", "python"])
def test_task_that_is_not_come_to_is_an_error(project, stub, started):
    project.start(*started, python=True).communicate(timeout=60)
    project.write("crews.py", CREW)

    replayed = project.run("replay", "-t", "draft")

    assert replayed.returncode != 0
    assert "the program has ended without coming to" in replayed.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-t", "nothing"), "there is no task 'nothing'"),
        (("-t", "draft", "--input", "x"), "write it as name=text"),
        (("-t", "draft", "--budget", "much"), "'much'"),
    ],
)
def test_mistakes_are_said_and_nothing_runs(project, stub, arguments, said):
    project.run("run", "crews.py")

    result = project.here("replay", *arguments)

    assert said in result.stderr
    assert len(stub.requests) == 4


@pytest.mark.parametrize("started", [("-m", "jackstay", "run", "crews.py"), ("crews.py",)], ids=["run", "python"])
def test_killed_replay_is_resumed_where_it_was_while_no_other_is_begun_from_it(project, stub, started):
    project.start(*started, python=True).communicate(timeout=60)
    stub.latency_s = lambda request: 600.0 if request.index == 5 else 0.0
    replay = project.start("replay", "-t", "draft")
    stub.wait_for(lambda s: len(s.requests) == 6, timeout_s=30)
    refused = project.here("replay", "-t", "polish")
    replay.kill()
    replay.communicate(timeout=30)
    stub.latency_s = 0.0

    resumed = project.run("resume")

    assert "is being driven; wait until it has ended" in refused.stderr
    assert resumed.returncode == 0, resumed.stderr
    assert asked(stub, 4) == ["draft", "polish", "polish"]  # in flight at the kill
    states = [run["state"] for run in json.loads(project.here("runs", "--json").stdout)]
    assert states == ["succeeded"] * 2


def test_replays_of_one_run_side_by_side_are_runs_of_their_own(project, stub):
    project.run("run", "crews.py")
    task = tasks(project)[2]["id"]
    replays = [project.start("replay", "-t", task) for _ in range(3)]

    said = [replay.communicate(timeout=60) for replay in replays]

    assert [replay.returncode for replay in replays] == [0, 0, 0], said
    assert sorted(asked(stub, 4)) == sorted(["draft", "polish"] * 3)
    assert len({out for out, _ in said}) == 1
    assert len(json.loads(project.here("runs", "--json").stdout)) == 4
