"""`runs`, `show`, `version`, `doctor`, `db`: what is there, for people and for programs."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from jackstay.testing import Stub
from tests.e2e.cli.conftest import KICKOFF, PROGRAM, Folder


@pytest.fixture
def with_runs(folder) -> Folder:
    """One process with two runs of a crew (finished, failed) and one of a flow."""
    folder.write(
        "three.py",
        PROGRAM,
        """
        from jackstay.flow import Flow, start
        class Small(Flow):
            @start()
            def only(self):
                return 1
        crew.kickoff(inputs={"topic": "boats"})
        Small().kickoff(inputs={"id": "order-17"})
        def fails(output):
            raise LookupError("gone")
        crew.tasks[1].callback = fails
        crew.kickoff(inputs={"topic": "kites"})
        """,
    )
    process = folder.start("three.py", python=True)
    process.communicate(timeout=60)
    assert process.returncode == 1
    return folder


def test_runs_are_listed_and_found_by_prefix_state_id_and_default(with_runs):
    listed = json.loads(with_runs.here("runs", "--json").stdout)
    unfinished = json.loads(with_runs.here("runs", "--unfinished", "--json").stdout)
    table = with_runs.here("runs").stdout

    assert [(run["kind"], run["state"]) for run in listed] == [
        ("crew", "failed"),
        ("flow", "succeeded"),
        ("crew", "succeeded"),
    ]
    assert [run["id"] for run in unfinished] == [listed[0]["id"]]
    assert json.loads(with_runs.here("runs", "-n", "1", "--json").stdout) == listed[:1]
    assert all(run["id"][:13] in table for run in listed)
    assert "\x1b" not in table
    by_default, by_state = with_runs.here("show", "--json"), with_runs.here("show", "order-17", "--json")
    assert json.loads(by_default.stdout)["run"]["id"] == listed[0]["id"]
    assert json.loads(by_state.stdout)["run"]["id"] == listed[1]["id"]


def test_show_has_the_tree_the_figures_and_the_error(with_runs):
    run = json.loads(with_runs.here("runs", "--json").stdout)[0]

    shown = with_runs.here("show", run["id"][:20]).stdout
    body = json.loads(with_runs.here("show", "--json").stdout)

    lines = [line.split("  ")[0] for line in shown.splitlines()]
    assert "✓ Analyst: research" in lines
    assert "├─ ✓ sim/demo" in lines
    assert any(line.startswith("└─ ✓ sim/demo") for line in lines)
    assert "error: LookupError: gone" in shown
    assert f"jackstay resume {run['id'][:13]}" in shown
    calls = [step for step in body["steps"] if step["kind"] == "llm"]
    assert body["bill"]["recorded"]["calls"] == len(calls) == 3
    assert body["run"]["tokens"] == sum(step["input_tokens"] + step["output_tokens"] for step in calls)
    assert f"{body['run']['tokens']:,}" in shown.replace(" + ", " ") or "tokens" in shown
    assert body["run"]["error"]["message"] == "gone"


def test_unknown_and_ambiguous_runs_are_refused_with_what_there_is(with_runs):
    unknown, ambiguous = with_runs.here("show", "zzz"), with_runs.here("resume", "0")

    assert "there is no run 'zzz' in" in unknown.stderr
    assert unknown.exit_code == ambiguous.exit_code == 2
    assert "'0' is the beginning of several runs" in ambiguous.stderr
    assert ambiguous.stderr.count("crew crew") == 2


def test_a_look_where_nothing_was_run_says_so_and_leaves_nothing_behind(folder):
    listed, shown, resumed = folder.here("runs", "--json"), folder.here("show"), folder.here("resume")

    assert (json.loads(listed.stdout), listed.exit_code) == ([], 0)
    assert (shown.exit_code, resumed.exit_code) == (2, 2)
    assert "no runs yet: there is no journal at" in shown.stderr
    assert list(folder.path.iterdir()) == []


def test_database_of_a_newer_version_is_refused_and_upgrade_says_what_it_found(folder):
    folder.write("crews.py", PROGRAM, KICKOFF)
    assert folder.run("run", "crews.py").returncode == 0
    same = folder.here("db", "upgrade")
    with closing(sqlite3.connect(folder.path / ".jackstay/jackstay.db")) as connection:
        [table] = [
            name
            for (name,) in connection.execute(
                "select name from sqlite_master where name like '%version%' and type='table'"
            )
        ]
        connection.execute(f"update {table} set version_num = '9999'")
        connection.commit()

    newer, examined = folder.here("runs"), folder.here("doctor")

    assert "already" in same.stderr
    assert "install a newer Jackstay" in newer.stderr
    assert newer.exit_code == 1
    assert "✗  database" in examined.stdout
    assert examined.exit_code == 1


def test_doctor_names_keys_but_never_shows_them_and_is_content_without(folder):
    del folder.environ["JACKSTAY_MODEL"]
    without = folder.here("doctor")
    folder.environ["OPENAI_API_KEY"] = "sk-secret-of-mine"
    folder.environ["HTTPS_PROXY"] = "http://user:password@proxy.example:3128"
    with_key = folder.here("doctor")

    assert without.exit_code == 0
    assert "OPENAI_API_KEY is not set" in without.stdout
    assert "✓  openai" in with_key.stdout
    assert "http://proxy.example:3128" in with_key.stdout
    assert "secret" not in with_key.stdout
    assert "password" not in with_key.stdout
    assert list(folder.path.iterdir()) == []


def test_doctor_online_asks_for_the_list_of_models_and_for_nothing_else(folder):
    with Stub(keys=["sk-right"]) as stub:
        folder.environ |= {"OPENAI_BASE_URL": stub.openai_url, "OPENAI_API_KEY": "sk-right", "NO_PROXY": "127.0.0.1"}
        accepted = folder.here("doctor", "--online")
        folder.environ["OPENAI_API_KEY"] = "sk-wrong"
        refused = folder.here("doctor", "--online")
        calls, others = stub.requests, stub.other_requests

    assert "the key in OPENAI_API_KEY is accepted; 3 models" in accepted.stdout
    assert accepted.exit_code == 0
    assert "✗  openai online" in refused.stdout
    assert "OPENAI_API_KEY" in refused.stdout
    assert refused.exit_code == 1
    assert calls == []
    assert {request.path for request in others} == {"/v1/models"}


def test_help_and_version_load_neither_database_nor_models():
    code = (
        "import sys, contextlib\n"
        "from jackstay.cli.app import app\n"
        "for arguments in (['--help'], ['version']):\n"
        "    with contextlib.suppress(SystemExit):\n"
        "        app(arguments)\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(loaded & {'sqlalchemy', 'pydantic_ai', 'openai', 'alembic'}))\n"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout

    lines = said.splitlines()
    assert lines[-1] == "[]"
    assert lines[-2].startswith("jackstay 0.")
    order = [said.index(f"│ {name} ") for name in ("run", "demo", "runs", "show", "resume", "version", "doctor", "db")]
    assert order == sorted(order)


def test_limits_show_what_is_used(folder):
    folder.write(
        "jackstay.toml",
        "[limits.sim]\nrequests_per_min = 6000\ntokens_per_min = 500000\n[limits.mistral]\nconcurrent = 2\n",
    )
    folder.write("crew.py", PROGRAM, KICKOFF)
    before = folder.here("limits")
    folder.run("run", "crew.py")

    table, (limit,) = folder.here("limits"), json.loads(folder.here("limits", "--json").stdout)

    assert "configured and not used yet: mistral, sim" in before.stderr
    assert "3 of 6,000" in table.stdout
    assert "configured and not used yet: mistral" in table.stderr
    assert (limit["name"], limit["requests_per_min"], limit["requests_in_last_min"]) == ("sim", 6000, 3)
    assert limit["tokens_in_last_min"] > 100
    assert (limit["in_use"], limit["waiting"], limit["paused_s"]) == (0, 0, 0)


def test_limits_that_cannot_be_used_are_said(folder):
    folder.write("jackstay.toml", "[limits.opnai]\nconcurrent = 2\n")

    result = folder.here("limits")

    assert result.exit_code == 1
    assert "limits.opnai cannot be used" in result.stderr


@pytest.mark.promise("cli.flow.plot")
def test_a_flow_is_drawn_with_its_latest_run_and_nothing_is_run(with_runs):
    with_runs.write("flows.py", "from jackstay.flow import Flow, listen, start\n", DRAWN)

    text = with_runs.here("flow", "plot", "flows.py", "--format", "mermaid", "-o", "-")
    assert text.exit_code == 0
    assert text.stdout == 'flowchart TD\n    M1(["only"])\n    M2["more"]\n    M1 --> M2\n    style M1 fill:#dcfce7\n'
    drawn = with_runs.here("flow", "plot", "flows.py:Small", "--output", "small.svg")
    assert drawn.exit_code == 0
    assert "only" in (with_runs.path / "small.svg").read_text(encoding="utf-8")
    crew = with_runs.here("flow", "plot", "flows.py:Nothing")
    assert crew.exit_code != 0
    assert "flows.py:Nothing is no flow; name one, as flows.py:MyFlow" in crew.stderr


DRAWN = """
class Small(Flow):
    @start()
    def only(self):
        raise AssertionError("nothing is run")

    @listen(only)
    def more(self): ...

Nothing = 1
"""
