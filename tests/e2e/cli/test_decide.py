"""A tool that acts on the world and is killed in the act: what the command line asks, and what it does with the answer."""

from __future__ import annotations

import json

import pytest

PAYING = """
    import os, signal
    from pathlib import Path

    from jackstay import Agent, Crew, Task
    from jackstay.tools import tool

    @tool(side_effect=True)
    def pay(amount: int) -> str:
        "Pays an amount."
        with Path("effects").open("a") as effects:
            effects.write("paid\\n")
        if not Path("killed").exists():
            Path("killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "receipt"

    clerk = Agent(role="Clerk", goal="Pay", backstory="Exact.", llm="gpt-4o-mini", tools=[pay])
    reporter = Agent(role="Reporter", goal="Report", backstory="Exact.", llm="gpt-4o-mini")
    crew = Crew(
        agents=[clerk, reporter],
        tasks=[
            Task(name="pay", description="Pay 3", expected_output="A receipt", agent=clerk),
            Task(name="report", description="Report", expected_output="A report", agent=reporter),
        ],
    )

    if __name__ == "__main__":
        print("answer:", crew.kickoff().raw)
"""


def effects(folder) -> int:
    return len((folder.path / "effects").read_text().splitlines())


@pytest.fixture
def killed(folder):
    folder.write("main.py", PAYING)
    assert folder.run("run", "main.py").returncode != 0
    assert effects(folder) == 1
    return folder


def test_resume_asks_what_became_of_the_call_and_goes_on_with_the_answer(killed):
    for _ in range(2):
        asked = killed.run("resume")
        assert asked.returncode == 3
        assert "the tool 'pay' was called by Clerk with {" in asked.stderr
        assert "--decide done=RESULT" in asked.stderr
    assert "waiting: the tool 'pay'" in killed.here("show").stdout

    ended = killed.run("resume", "--decide", "done=receipt 7")

    assert ended.returncode == 0, ended.stderr
    assert "answer:" in ended.stdout
    assert effects(killed) == 1
    shown = json.loads(killed.here("show", "--json").stdout)
    [step] = [step for step in shown["steps"] if step["kind"] == "tool"]
    assert step["result"] == {"text": "receipt 7"}
    tree = killed.here("show").stdout
    assert "decided" in tree
    assert "executed" not in tree


def test_a_run_that_waits_is_not_started_again_before_it_is_answered(killed):
    killed.run("resume")

    assert "resuming run" not in killed.run("resume").stderr


@pytest.mark.parametrize("said", ["maybe", "done", "again=x"])
def test_what_is_no_decision_is_refused_before_anything_runs(killed, said):
    killed.run("resume")

    ended = killed.run("resume", "--decide", said)

    assert ended.returncode == 2
    assert "is no decision: done=RESULT" in ended.stderr
    assert effects(killed) == 1


def test_a_decision_that_nobody_waits_for_is_refused(killed):
    ended = killed.run("resume", "--decide", "again")

    assert ended.returncode == 2
    assert "waits for no decision" in ended.stderr
    assert effects(killed) == 1


def test_replay_says_which_tools_will_act_again(killed):
    before_the_answer = killed.run("replay", "-t", "pay", "--dry-run")
    killed.run("resume")
    assert killed.run("resume", "--decide", "again").returncode == 0
    assert effects(killed) == 2

    foreseen = killed.run("replay", "-t", "pay", "--dry-run")
    other = killed.run("replay", "-t", "report")

    for said in (before_the_answer, foreseen):
        assert "acts again: pay" in said.stderr
    assert other.returncode == 0
    assert "acts again" not in other.stderr
    assert effects(killed) == 2
