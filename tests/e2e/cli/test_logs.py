"""The log of running commands: on the streams, in a file, and beside a program's own logging."""

from __future__ import annotations

import json

import pytest

from tests.e2e.cli.conftest import KICKOFF, PROGRAM

CHATTY = """
    import logging, warnings
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")

    @tool
    def noisy(name: str) -> str:
        "Looks a name up."
        logging.getLogger("mine").info("looking %s up", name)
        print("printed by a tool")
        return f"{name} was found"

    analyst.tools = [noisy]
    warnings.warn("old")
"""


def test_with_json_every_line_of_both_streams_is_an_object_and_users_records_have_their_run(folder):
    folder.environ["JACKSTAY_LOG"] = "json"
    folder.write("main.py", PROGRAM, CHATTY, KICKOFF)

    ended = folder.run("run", "main.py", "-i", "topic=boats", "--model", "sim/demo")

    out = [json.loads(line) for line in ended.stdout.splitlines()]
    err = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [line["event"].split(":")[0] for line in out] == ["begin", "printed by a tool", "answer"]
    finished = next(line for line in err if line["event"] == "run_finished")
    [mine] = [line for line in err if line["logger"] == "mine"]
    assert mine["run_id"] == finished["run_id"]
    assert (mine["agent"], mine["task"], mine["tool"]) == ("Analyst", "research", "noisy")
    assert out[1]["run_id"] == finished["run_id"]
    assert any("UserWarning: old" in line["event"] for line in err)


def test_with_json_a_program_that_fails_says_so_in_json(folder):
    folder.environ["JACKSTAY_LOG"] = "json"
    folder.write("main.py", "print('one', end='')\nraise ValueError('broken')\n")

    ended = folder.run("run", "main.py")

    assert ended.returncode == 1
    assert [json.loads(line)["event"] for line in ended.stdout.splitlines()] == ["one"]
    said = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [line["error"] for line in said if line["event"] == "run_failed"] == ["broken"]
    assert "ValueError: broken" in [line["event"] for line in said]


@pytest.mark.parametrize("log", ["json", "off"])
def test_what_a_program_ends_with_is_said_without_its_secrets(folder, log):
    folder.write(
        "main.py",
        """
        import os

        from jackstay import Flow, start

        class Opening(Flow):
            @start()
            def begin(self):
                error = ValueError("opened by " + os.environ["VAULT_TOKEN"])
                error.add_note("or by " + os.environ["VAULT_TOKEN"])
                raise error

        if __name__ == "__main__":
            Opening().kickoff()
        """,
    )

    ended = folder.run("run", "main.py", JACKSTAY_LOG=log, VAULT_TOKEN="sesame-4711")

    assert "opened by [secret VAULT_TOKEN]" in ended.stderr
    assert "sesame" not in ended.stderr


def test_log_file_has_the_run_while_the_programs_own_logging_writes_as_it_did(folder):
    folder.write("main.py", PROGRAM, CHATTY, KICKOFF)

    ended = folder.run("run", "main.py", "-i", "topic=boats", "--model", "sim/demo", "--log-file", "logs/run.json")

    lines = [json.loads(line) for line in (folder.path / "logs/run.json").read_text().splitlines()]
    events = [line["event"] for line in lines]
    assert events[0] == "run_started"
    assert events[-1] == "run_finished"
    [mine] = [line for line in lines if line["logger"] == "mine"]
    assert mine["task"] == "research"
    assert "\nINFO looking " in ended.stderr
    assert "answer:" in ended.stdout
