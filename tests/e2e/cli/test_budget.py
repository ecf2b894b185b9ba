"""`--budget`, `--estimate`, and a paused run on the command line."""

from __future__ import annotations

import json

from tests.e2e.cli.conftest import KICKOFF, PROGRAM

PAUSING = """
    from jackstay import Budget

    if __name__ == "__main__":
        print("answer:", crew.kickoff(inputs={"topic": "boats"}, budget=Budget(calls=2, on_exceed="pause")).raw)
"""


def test_run_stops_at_the_command_lines_budget_and_resume_raises_it(folder):
    folder.write("main.py", PROGRAM, KICKOFF)

    stopped = folder.run("run", "main.py", "--budget", "0.0002")

    assert stopped.returncode == 4
    assert "budget of 0.0002 USD of run" in stopped.stderr
    (run,) = json.loads(folder.here("runs", "--json").stdout)
    assert (run["status"], run["reason"]) == ("failed", "budget")
    assert run["cost_usd"] <= 0.0002

    assert folder.run("resume").returncode == 4, "the run keeps its budget"
    ended = folder.run("resume", "--budget", "0.10")

    assert ended.returncode == 0, ended.stderr
    assert "answer:" in ended.stdout
    shown = json.loads(folder.here("show", "--json").stdout)
    assert [step["status"] for step in shown["steps"] if step["kind"] == "llm"] == ["succeeded"] * 3


def test_paused_run_is_shown_as_waiting_and_goes_on_when_a_person_says_so(folder):
    folder.write("main.py", PROGRAM, PAUSING)

    paused = folder.run("run", "main.py")

    assert paused.returncode == 3
    assert "--budget MOST" in paused.stderr
    assert " waiting " in folder.here("runs").stdout
    assert "waiting: budget of 2 calls" in folder.here("show").stdout

    ended = folder.run("resume", "--budget", "10calls")

    assert ended.returncode == 0, ended.stderr
    assert "answer:" in ended.stdout
    assert "waiting" not in folder.here("show").stdout


def test_paused_plain_program_goes_on_with_a_raised_budget(folder):
    folder.write("main.py", PROGRAM, PAUSING.replace("calls=2", 'usd="0.0002"'))

    assert folder.start("main.py", python=True).wait(60) == 1
    ended = folder.run("resume", "--budget", "0.10")

    assert ended.returncode == 0, ended.stderr
    assert "answer:" in ended.stdout
    assert [run["status"] for run in json.loads(folder.here("runs", "--json").stdout)] == ["succeeded"]


def test_amount_that_is_none_is_refused_before_anything_runs(folder):
    folder.write("main.py", PROGRAM, KICKOFF)

    ended = folder.run("run", "main.py", "--budget", "half")

    assert ended.returncode == 1
    assert "no amount of US dollars" in ended.stderr
    assert "begin" not in ended.stdout


def test_estimate_is_what_the_last_runs_cost(folder):
    folder.write("main.py", PROGRAM, KICKOFF)
    for _ in range(2):
        folder.run("run", "main.py")

    ended = folder.run("run", "main.py", "--estimate")

    assert ended.stdout.startswith("main.py: the last 2 runs cost $0.00")
    assert "3 model calls" in ended.stdout
    assert "answer" not in ended.stdout
    assert len(json.loads(folder.here("runs", "--json").stdout)) == 2


def test_estimate_without_runs_is_a_bound_from_the_definition(folder):
    del folder.environ["JACKSTAY_MODEL"]
    folder.write("main.py", PROGRAM, KICKOFF)

    ended = folder.run("run", "main.py:crew", "--estimate", OPENAI_API_KEY="sk-x")

    assert "has not been run yet; crew 'crew' costs $" in ended.stdout
    assert "52 model calls at most" in ended.stdout


def test_estimate_of_a_crew_whose_agents_may_delegate_has_no_bound(folder):
    program = """
from jackstay import Agent, Crew, Process, Task

writer = Agent(role="Writer", goal="g", backstory="b", llm="gpt-4o-mini")
task = Task(description="Write", expected_output="Text")
crew = Crew(agents=[writer], tasks=[task], process=Process.hierarchical, manager_llm="gpt-4o-mini")
"""
    folder.write("main.py", program, "")

    ended = folder.run("run", "main.py:crew", "--estimate", OPENAI_API_KEY="sk-x")

    assert ended.returncode == 0, ended.stderr
    assert "there is no bound for agents that may delegate" in ended.stdout


def test_estimate_of_a_program_that_kicks_off_when_imported_says_that_there_is_none(folder):
    folder.write("main.py", PROGRAM, 'print(crew.kickoff(inputs={"topic": "boats"}).raw)')

    ended = folder.run("run", "main.py", "--estimate")

    assert "there is no estimate" in ended.stdout
    assert ended.returncode == 0
