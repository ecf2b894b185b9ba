"""`jackstay checkpoint …` on runs that a program has made."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from tests.e2e.cli.conftest import KICKOFF, PROGRAM, Folder

FLOW = """
    from jackstay import Flow, listen, start

    class Trip(Flow):
        @start()
        def pack(self):
            print("packing")
            self.state["bags"] = 2
            return "packed"

        @listen(pack)
        def drive(self):
            print("driving")
            self.state["km"] = 40
            return "there"

    if __name__ == "__main__":
        print("answer:", Trip().kickoff())
"""


@pytest.fixture
def made(folder: Folder) -> str:
    """A finished run of the crew; its id."""
    folder.write("crew.py", PROGRAM, KICKOFF)
    assert folder.run("run", "crew.py").returncode == 0
    return latest(folder)


def latest(folder: Folder) -> str:
    return str(json.loads(folder.here("runs", "--json").stdout)[0]["id"])


def behind(folder: Folder, run: str, name: str) -> str:
    """The id of the checkpoint behind that task or method."""
    [listed] = json.loads(folder.here("checkpoint", "list", run, "--json").stdout)
    return str(next(each["id"] for each in listed["checkpoints"] if each["name"] == name))


@pytest.mark.promise("cli.checkpoint.list")
def test_list_has_the_run_and_what_has_completed_newest_first(folder, made):
    [listed] = json.loads(folder.here("checkpoint", "list", "--json").stdout)
    shown = folder.here("checkpoint", "list").stdout

    assert (listed["id"], listed["state"]) == (made, "succeeded")
    assert [each["name"] for each in listed["checkpoints"]] == ["write", "research"]
    assert shown.index("/write#1") < shown.index("/research#1")
    assert "succeeded  script crew.py" in shown


@pytest.mark.promise("cli.checkpoint.info")
def test_info_says_what_is_there_and_what_would_run(folder, made):
    shown = folder.here("checkpoint", "info", behind(folder, made, "research")).stdout
    body = json.loads(folder.here("checkpoint", "info", behind(folder, made, "research"), "--json").stdout)

    assert "research (Analyst): " in shown
    assert "write (Writer)" not in shown
    assert "would run: write" in shown
    assert (body["usage"]["calls"], body["would_run"]) == (2, ["write"])
    whole = json.loads(folder.here("checkpoint", "info", made, "--json").stdout)
    assert (whole["usage"]["calls"], whole["would_run"]) == (3, [])


@pytest.mark.promise("cli.checkpoint.resume")
def test_resume_behind_a_task_is_a_new_run_of_the_program(folder, made):
    before = behind(folder, made, "research")

    done = folder.run("checkpoint", "resume", before)

    assert done.returncode == 0, done.stderr
    assert "answer:" in done.stdout
    assert "reused: research" in done.stderr
    run = latest(folder)
    shown = json.loads(folder.here("show", run, "--json").stdout)
    assert run != made
    assert shown["bill"]["recorded"]["calls"] == 1


@pytest.mark.parametrize("python", [True, False])
def test_resume_behind_a_method_has_the_state_of_then(folder, python):
    folder.write("trip.py", FLOW)
    started = folder.start(*(["trip.py"] if python else ["run", "trip.py"]), python=python)
    assert started.wait(60) == 0
    made = latest(folder)

    done = folder.run("checkpoint", "resume", behind(folder, made, "pack"))

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["driving", "answer:", "there"]
    body = json.loads(folder.here("checkpoint", "info", latest(folder), "--json").stdout)
    [state] = body["flow_states"].values()
    assert {name: state[name] for name in ("bags", "km")} == {"bags": 2, "km": 40}
    earlier = json.loads(folder.here("checkpoint", "info", behind(folder, made, "pack"), "--json").stdout)
    assert "km" not in next(iter(earlier["flow_states"].values()))


def test_resume_of_a_run_is_jackstay_resume(folder, made):
    assert "has finished: there is nothing to resume" in folder.here("checkpoint", "resume", made).stderr
    assert "has finished: there is nothing to resume" in folder.here("checkpoint", "resume").stderr


def test_diff_tells_outputs_state_and_usage(folder, made):
    folder.write("trip.py", FLOW)
    assert folder.run("run", "trip.py").returncode == 0
    trip = latest(folder)

    tasks = json.loads(folder.here("checkpoint", "diff", behind(folder, made, "research"), made, "--json").stdout)
    methods = folder.here("checkpoint", "diff", behind(folder, trip, "pack"), trip).stdout
    same = folder.here("checkpoint", "diff", trip, trip).stdout

    assert [(each["kind"], each["name"], each["one"]) for each in tasks["differences"]] == [
        ("task", "write (Writer)", None)
    ]
    assert (tasks["usage"]["one"]["calls"], tasks["usage"]["other"]["calls"]) == (2, 3)
    assert "method drive\n  - (none)\n  + there" in methods
    assert "state Trip.km\n  - (none)\n  + 40" in methods
    assert "the same outputs and state" in same


def test_unknown_checkpoints_are_usage_errors(folder, made):
    for wanted in ("zzz", f"{made}/nothing#1"):
        result = folder.here("checkpoint", "info", wanted)
        assert (result.exit_code, "error:" in result.stderr) == (2, True)


# --- prune ---------------------------------------------------------------------------------------------------------


def rows(folder: Folder, table: str) -> int:
    with closing(sqlite3.connect(folder.path / ".jackstay" / "jackstay.db")) as database:
        return int(database.execute(f"select count(*) from {table}").fetchone()[0])


def an_hour_later(folder: Folder) -> None:
    """As if all runs had ended an hour before they did."""
    with closing(sqlite3.connect(folder.path / ".jackstay" / "jackstay.db", isolation_level=None)) as database:
        database.execute("update run set finished_at = finished_at - 3600000000")


def test_prune_keeps_what_has_just_ended(folder, made):
    folder.here("checkpoint", "prune", "--keep", "0")

    assert rows(folder, "run") == 1


@pytest.mark.promise("cli.checkpoint.prune")
def test_prune_deletes_nothing_unless_told_which(folder, made):
    result = folder.here("checkpoint", "prune")

    assert (result.exit_code, rows(folder, "run")) == (2, 1)
    assert "--keep N" in result.stderr


@pytest.mark.promise("cli.checkpoint.prune")
def test_prune_keeps_the_newest_and_all_that_they_need(folder, made):
    folder.run("checkpoint", "resume", behind(folder, made, "research"))
    newer = latest(folder)
    an_hour_later(folder)

    listed = folder.here("checkpoint", "prune", "--keep", "1", "--dry-run")
    assert (listed.stdout.split()[0], rows(folder, "run")) == (made, 2)
    done = folder.here("checkpoint", "prune", "--keep", "1")

    assert "deleted 1 run " in done.stderr
    assert [run["id"] for run in json.loads(folder.here("runs", "--json").stdout)] == [newer]
    again = folder.run("checkpoint", "resume", behind(folder, newer, "research"))
    assert again.returncode == 0, again.stderr
    assert "answer:" in again.stdout


def test_prune_of_everything_leaves_an_empty_journal(folder, made):
    an_hour_later(folder)
    folder.here("checkpoint", "prune", "--older-than", "30d")
    assert rows(folder, "run") == 1

    folder.here("checkpoint", "prune", "--keep", "0")

    assert {table: rows(folder, table) for table in ("run", "step", "blob", "lease", "reservation")} == dict.fromkeys(
        ("run", "step", "blob", "lease", "reservation"), 0
    )
