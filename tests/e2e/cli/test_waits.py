"""`jackstay waits`, `jackstay answer`, and what the other commands say of a run that waits for a person."""

from __future__ import annotations

import json

import pytest

from tests.e2e.cli.conftest import Folder

REVIEW = """
    from jackstay import Flow, human_feedback, listen, start

    class Review(Flow):
        @start()
        @human_feedback("Is it good?", emit=["approved", "rejected"], llm="sim/demo", default_outcome="rejected"{more})
        def draft(self):
            print("drafting")
            return "Boats float."

        @listen("approved")
        def publish(self, result):
            return f"published: {{result.output}}"

        @listen("rejected")
        def discard(self, result):
            return f"discarded: {{result.feedback}}"

    if __name__ == "__main__":
        print("result:", Review().kickoff())
"""


def review(folder: Folder, more: str = "") -> None:
    folder.write("main.py", REVIEW.format(more=more))


@pytest.fixture(params=["run", "python"])
def waiting(request: pytest.FixtureRequest, folder: Folder) -> Folder:
    """A program whose flow waits, started by `jackstay run` or by plain `python`."""
    review(folder)
    if request.param == "run":
        ended = folder.run("run", "main.py")
        assert ended.returncode == 3, ended.stderr
        assert "the run is waiting: Is it good? (answer it: jackstay answer" in ended.stderr
        assert "error" not in ended.stderr
    else:
        process = folder.start("main.py", python=True)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert "waits for an answer to: Is it good?" in out
    return folder


def test_what_is_waited_for_is_listed_answered_and_gone_on_with(waiting: Folder) -> None:
    [listed] = json.loads(waiting.here("waits", "--json").stdout)
    assert (listed["asked"], listed["shown"], listed["options"]) == (
        "Is it good?",
        "Boats float.",
        ["approved", "rejected"],
    )
    assert (listed["kind"], listed["about"]["method"], listed["default"]) == ("feedback", "draft", "rejected")
    assert "Is it good?" in waiting.here("waits").stdout
    assert "Is it good?" in waiting.here("runs").stdout
    assert "--outcome approved|rejected" in waiting.here("show").stdout
    run = listed["run"]

    refused = waiting.run("resume", run)
    assert refused.returncode == 3
    assert "resuming" not in refused.stderr
    answered = waiting.here("answer", run, "--outcome", "approved")
    assert answered.exit_code == 0
    assert f"jackstay resume {run[:13]}" in answered.stderr
    assert "no run waits" in waiting.here("waits").stderr
    assert "the answer is there" in waiting.here("show").stdout

    ended = waiting.run("resume", run)

    assert ended.returncode == 0, ended.stderr
    assert "result: published: Boats float." in ended.stdout
    assert "drafting" not in ended.stdout
    late = waiting.here("answer", run, "--outcome", "rejected")
    assert late.exit_code == 1
    assert "has answered" in late.stderr


def test_answer_goes_on_at_once_if_it_is_asked_to_and_says_what_would_be_an_answer(folder: Folder) -> None:
    review(folder)
    folder.run("run", "main.py")
    [listed] = json.loads(folder.here("waits", "--json").stdout)

    told = folder.here("answer", listed["wait"])
    assert told.exit_code == 3
    assert "Boats float." in told.stdout
    assert "answers: approved, rejected" in told.stdout
    wrong = folder.here("answer", listed["wait"], "--outcome", "maybe")
    assert wrong.exit_code == 2
    assert "it has one of approved, rejected" in wrong.stderr
    assert folder.here("answer", f"{listed['run']}#7", "x").exit_code == 2

    ended = folder.run("answer", listed["wait"], "rejected", "--resume")

    assert ended.returncode == 0, ended.stderr
    assert "result: discarded: rejected" in ended.stdout


def test_a_wait_whose_time_is_over_is_settled_by_whoever_looks(folder: Folder) -> None:
    review(folder, ", timeout_s=0.001")
    folder.run("run", "main.py")

    assert "the time for an answer is over: rejected" in folder.here("waits").stderr
    late = folder.here("answer", json.loads(folder.here("runs", "--json").stdout)[0]["id"], "--outcome", "approved")
    assert late.exit_code == 1
    ended = folder.run("resume", "--all")

    assert ended.returncode == 0, ended.stderr
    assert "result: discarded:" in ended.stdout


def test_a_person_at_the_terminal_is_asked_there(folder: Folder) -> None:
    review(folder)
    process = folder.start("run", "main.py", environ={"JACKSTAY_CONSOLE": "on"}, interactive=True)
    out, err = process.communicate("approved\n", timeout=60)

    assert process.returncode == 0, err
    assert "Is it good?" in out
    assert "result: published: Boats float." in out


def test_the_console_setting_is_checked(folder: Folder) -> None:
    review(folder)
    ended = folder.run("run", "main.py", JACKSTAY_CONSOLE="maybe")

    assert ended.returncode == 1
    assert "JACKSTAY_CONSOLE is 'maybe'; it is auto" in ended.stderr
