"""`jackstay forget`: nothing of what was said is left in the files, and the bill is what it was."""

from __future__ import annotations

import json

from tests.e2e.cli.conftest import KICKOFF, PROGRAM

SAID = ("wherries", "was found")


def files(folder) -> bytes:
    return b"".join(path.read_bytes() for path in (folder.path / ".jackstay").iterdir() if path.is_file())


def bill(folder) -> object:
    return json.loads(folder.here("usage", "--json").stdout)


def test_forgotten_run_has_no_content_keeps_its_bill_and_says_that_it_cannot_go_on(folder):
    folder.write("main.py", PROGRAM, KICKOFF)
    folder.run("run", "main.py", "-i", "topic=wherries", "--model", "sim/demo", "--run-key", "k")
    before, billed = files(folder), bill(folder)

    ended = folder.here("forget", "k")

    assert (ended.exit_code, ended.stdout) == (0, "")
    assert ended.stderr.startswith("erased the content of 1 run; usage and cost stay")
    assert all(word.encode() in before for word in SAID)
    assert not [word for word in SAID if word.encode() in files(folder)]
    assert bill(folder) == billed
    for refused in (["resume", "k"], ["replay", "-t", "k/research#1"], ["run", "main.py", "--run-key", "k"]):
        said = folder.here(*refused)
        assert said.exit_code == 2, refused
        assert "was erased at" in said.stderr or refused[0] == "replay"
    for shown in (["show", "k"], ["show", "k", "--json"], ["log-tasks-outputs"], ["runs"], ["forget", "k"]):
        assert folder.here(*shown).exit_code == 0, shown


def test_where_means_the_runs_with_that_input_and_no_others(folder):
    folder.write("main.py", PROGRAM, '''
        for topic in ("wherries", "ketches", "wherries"):
            crew.kickoff(inputs={"topic": topic})
    ''')  # fmt: skip
    folder.start("main.py", python=True).wait(60)

    ended = folder.here("forget", "--where", "topic=wherries")
    again = folder.here("forget", "--where", "topic=wherries")

    assert ended.stderr.startswith("erased the content of 2 runs;")
    assert again.stderr.startswith("erased the content of 0 runs;")
    left = files(folder)
    assert b"wherries" not in left
    assert b"ketches" in left
    assert "say which runs" in folder.here("forget").stderr
    assert "write NAME=VALUE" in folder.here("forget", "--where", "topic").stderr
