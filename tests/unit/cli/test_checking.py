"""`jackstay check` from the command line: which files, which forms, which exit code."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jackstay import Runtime
from jackstay.cli.app import app
from jackstay.cli.checking import _last_run
from jackstay.core.records import RunFilter
from jackstay.testing import ScriptedModel, tool_call
from jackstay.tools import tool
from tests.unit.crew.building import one_task

NOISY = "from jackstay import Crew\ncrew = Crew(agents=[], tasks=[], verbose=True)\n"
KEY = 'API_KEY = "8d0notreal11"\n'


def check(*arguments: str) -> Result:
    return CliRunner(env={"JACKSTAY_DATABASE_URL": None}).invoke(app, ["check", *arguments])


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_project_is_looked_through_without_environments_and_hidden_folders(folder):
    for name in ("main.py", "pack/inner.py", ".venv/lib.py", "venv/lib.py", ".git/hook.py", "node_modules/x.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(KEY)

    found = json.loads(check(".", "--json").stdout)

    assert [each["file"] for each in found] == ["main.py", "pack/inner.py"]
    assert not (folder / ".jackstay").exists()


@pytest.mark.parametrize(
    ("text", "level", "code"),
    [
        (NOISY, "error", 0),
        (NOISY, "warn", 1),
        (NOISY, "note", 1),
        (NOISY, "never", 0),
        (KEY, "error", 1),
        (KEY, "never", 0),
        ("x = 1\n", "note", 0),
    ],
)
def test_exit_code_is_1_at_a_finding_of_the_level(folder, text, level, code):
    (folder / "main.py").write_text(text)

    assert check("main.py", "--fail-on", level).exit_code == code


def test_finding_is_told_with_place_reason_and_change_and_never_with_the_key(folder):
    (folder / "main.py").write_text(NOISY + KEY)

    told = check("main.py")

    assert "main.py:2  warn  verbose: verbose=True prints" in told.stdout
    assert "    → leave it out" in told.stdout
    assert "main.py:3  error  key-in-source: a secret is written into the source (API_KEY)" in told.stdout
    assert "8d0notreal11" not in told.output
    assert "1 file looked at, 2 findings: 1 of level error, 1 of level warn" in told.stderr


def test_sarif_has_rules_levels_and_places(folder):
    (folder / "main.py").write_text(NOISY)

    log = json.loads(check("main.py", "--sarif").stdout)

    (run,) = log["runs"]
    (result,) = run["results"]
    assert log["version"] == "2.1.0"
    assert result["ruleId"] == "verbose"
    assert result["ruleId"] in [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert result["level"] == "warning"
    place = result["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("main.py", 2)


def test_sarif_names_files_by_address(folder):
    (folder / "a b").mkdir()
    (folder / "a b" / "é#%.py").write_text(KEY)

    def uri(path: str) -> str:
        [result] = json.loads(check(path, "--sarif").stdout)["runs"][0]["results"]
        return str(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])

    assert uri(".") == "a%20b/%C3%A9%23%25.py"
    assert uri(str(folder)) == f"file://{folder}/a%20b/%C3%A9%23%25.py"


@pytest.mark.parametrize(
    "content",
    [b"def f(:\n", b"\x00\x01", b"# coding: nonsense\n", b"x = '\xff'\n", b"(" * 5000, b"x = " + b"-" * 20_000 + b"1"],
    ids=lambda content: content[:8],
)
def test_file_that_is_no_python_is_a_finding_and_the_others_are_looked_at(folder, content):
    (folder / "bad.py").write_bytes(content)
    (folder / "main.py").write_text(NOISY)

    found = json.loads(check(".", "--json").stdout)

    assert [(each["rule"], each["file"]) for each in found] == [("unreadable", "bad.py"), ("verbose", "main.py")]


def test_what_is_no_file_is_passed_over(folder):
    (folder / "main.py").write_text(KEY)
    (folder / ".#main.py").symlink_to("somebody@somewhere.4711")
    (folder / "folder.py").mkdir()
    os.mkfifo(folder / "pipe.py")

    assert [each["file"] for each in json.loads(check(".", "--json").stdout)] == ["main.py"]


def test_what_is_asked_wrongly_is_said(folder):
    (folder / "empty").mkdir()
    (folder / "book.ipynb").write_text("{}")

    for arguments, said in (
        (("nowhere",), "nowhere: there is no such file or folder"),
        (("empty",), "empty: there is no Python file in it"),
        (("book.ipynb",), "book.ipynb: notebooks are not read; write it as Python"),
        ((".", "--fail-on", "fatal"), "--fail-on fatal: it is note, warn, error or never"),
        ((".", "--json", "--sarif"), "--json and --sarif: findings are printed in one form"),
    ):
        asked = check(*arguments)
        assert asked.exit_code == 2
        assert said in asked.output


def test_latest_run_of_these_files_is_read_from_the_journal(jackstay_runtime: Runtime, monkeypatch):
    @tool
    def look(name: str) -> str:
        """Looks it up."""
        raise LookupError("nothing there")

    monkeypatch.setattr("sys.argv", [__file__])
    calls = [tool_call("look", name=str(number)) for number in range(3)]
    with suppress(ConnectionError):
        one_task(ScriptedModel([*calls, ConnectionError("gone")]), agent_fields={"tools": [look]}).kickoff()
    monkeypatch.setenv("JACKSTAY_DATABASE_URL", jackstay_runtime.journal.url)
    entry = json.loads(jackstay_runtime.journal.runs(RunFilter())[0].entry or "{}")

    told = _last_run([Path(entry["script"])], Path(entry["folder"]))

    assert told is not None
    assert (told.state, told.failed_tools, told.calls, told.tools) == (
        "failed",
        {"look": 3},
        {"do_it": 4},
        {"look": False},
    )
    assert told.unpriced == ["scripted"]
    assert _last_run([Path("/no/such.py")], Path("/no")) is None
