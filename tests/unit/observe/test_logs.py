"""The log of a process: which lines come, where users' records go, and that nothing of the host's is changed."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jackstay import Flow, Runtime, start
from jackstay.engine.telling import listeners
from jackstay.logs import RunContext, json_formatter
from jackstay.testing import ScriptedModel, tool_call
from jackstay.tools import tool
from tests.unit.crew.building import one_task

REPORTS = logging.getLogger("tests.reports")


@tool
def search(topic: str) -> str:
    """Searches."""
    REPORTS.warning("searching for %s", topic, extra={"hits": 3})
    return "Tides: ask bob@example.com"


def model() -> ScriptedModel:
    return ScriptedModel([tool_call("search", topic="tides"), "The moon."])


class Logged:
    def __init__(self, file: Path, runtime: Runtime) -> None:
        self.file, self.runtime = file, runtime

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.read_text(encoding="utf-8").splitlines()]

    def named(self, event: str) -> dict[str, Any]:
        [line] = [line for line in self.lines() if line["event"] == event]
        return line


@pytest.fixture
def make(tmp_path) -> Iterator[Callable[..., Logged]]:
    made: list[Runtime] = []

    def logged(**environ: str) -> Logged:
        given = {"HOME": str(tmp_path), "JACKSTAY_LOG_FILE": "logs/run.json", **environ}
        runtime = Runtime(folder=tmp_path, environ=given)
        made.append(runtime.__enter__())
        return Logged(tmp_path / "logs/run.json", runtime)

    yield logged
    for runtime in made:
        runtime.close()


def test_log_file_has_every_step_of_a_run_as_json_with_its_context(make):
    logged = make()

    output = one_task(model(), name="brief", agent_fields={"tools": [search]}).kickoff()

    told = [line["event"] for line in logged.lines() if line["logger"] == "jackstay"]
    assert told == [
        "run_started",
        "task_started",
        "model_call_started",
        "model_call_finished",
        "tool_started",
        "tool_finished",
        "model_call_started",
        "model_call_finished",
        "task_finished",
        "run_finished",
    ]
    ended = logged.named("task_finished")
    assert (ended["run_id"], ended["crew"], ended["task"], ended["agent"]) == (
        output.run_id,
        "crew",
        "brief",
        "Analyst",
    )
    assert ended["tokens"] == output.token_usage.total_tokens
    assert len({line["trace_id"] for line in logged.lines()}) == 1


def test_record_of_a_tool_is_logged_with_the_context_of_its_call(make):
    logged = make()

    output = one_task(model(), name="brief", agent_fields={"tools": [search]}).kickoff()

    line = logged.named("searching for tides")
    assert (line["logger"], line["level"], line["hits"]) == ("tests.reports", "warning", 3)
    assert (line["run_id"], line["task"], line["tool"]) == (output.run_id, "brief", "search")
    assert line["span_id"] == logged.named("tool_started")["span_id"]


class Shown:
    """Notes on which thread it is shown."""

    def __init__(self) -> None:
        self.by: set[str] = set()

    def __repr__(self) -> str:
        self.by.add(threading.current_thread().name)
        return "shown"


def test_users_code_in_a_record_never_runs_on_the_engine_loop(make):
    shown = Shown()

    @tool
    def look(topic: str) -> str:
        """Looks."""
        REPORTS.warning("looking", extra={"what": shown})
        return "seen"

    logged = make()

    for _ in range(3):  # the first opens the file
        asked = ScriptedModel([tool_call("look", topic="tides"), "done"])
        one_task(asked, agent_fields={"tools": [look]}).kickoff()

    assert [line["what"] for line in logged.lines() if line["event"] == "looking"] == ["shown"] * 3
    assert shown.by == {"jackstay-log"}


STAFF = """
import threading
BY = set()

def find(text):
    BY.add(threading.current_thread().name)
    return [(0, 3, "PERSON")] if text[:3] == "Ada" else []
"""


def test_recogniser_looks_at_every_line_beside_the_engine_loop(make, tmp_path, monkeypatch):
    (tmp_path / "staff_names.py").write_text(STAFF)
    (tmp_path / "jackstay.toml").write_text("[masking]\nrecogniser = 'staff_names:find'\nentities = ['PERSON']\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    logged = make()

    for number in range(3):  # the first opens the file
        with pytest.raises(ValueError, match="Ada"):
            one_task(ScriptedModel([ValueError(f"Ada is out {number}")])).kickoff()

    told = [line["error"] for line in logged.lines() if line["event"] == "run_failed"]
    assert told == [f"<PERSON> is out {number}" for number in range(3)]
    assert {"jackstay-log"} == sys.modules["staff_names"].BY


def test_quiet_run_says_nothing_at_warning(make):
    logged = make()

    one_task(ScriptedModel(["fine"])).kickoff()

    assert {line["level"] for line in logged.lines()} == {"info"}


def test_level_leaves_out_what_is_below_it(make):
    logged = make(JACKSTAY_LOG_LEVEL="error")

    with pytest.raises(RuntimeError):
        one_task(ScriptedModel([RuntimeError("broken")])).kickoff()

    assert [line["event"] for line in logged.lines()] == ["task_failed", "run_failed"]


def test_prompts_and_outputs_are_logged_only_when_asked_and_masked(make):
    silent = make()
    one_task(model(), agent_fields={"tools": [search]}).kickoff()
    without = silent.file.read_text(encoding="utf-8")
    silent.runtime.close()
    silent.file.unlink()

    asked = make(JACKSTAY_LOG_CONTENT="on")
    one_task(model(), agent_fields={"tools": [search]}).kickoff()

    assert "Do it" not in without
    assert "moon" not in without
    assert asked.named("tool_finished")["result"] == "Tides: ask <EMAIL_ADDRESS>"
    assert "Do it" in str(asked.lines()[2]["prompt"])
    assert asked.named("task_finished")["result"] == "The moon."


def test_what_runs_concurrently_is_told_apart_by_every_line(make):
    logged = make()

    outputs = one_task(ScriptedModel(["fine"] * 8)).kickoff_for_each([{"n": n} for n in range(8)])

    for output in outputs:
        mine = [line["event"] for line in logged.lines() if line.get("run_id") == output.run_id]
        assert mine[0] == "run_started"
        assert mine[-1] == "run_finished"
        assert len(mine) == 6


def test_batch_says_when_it_begins_and_how_many_of_it_failed(make):
    logged = make()

    one_task(ScriptedModel(["fine", RuntimeError("broken"), "fine"])).kickoff_for_each(
        [{"n": n} for n in range(3)], concurrency=1
    )

    begun, ended = logged.named("batch_started"), logged.named("batch_finished")
    assert (begun["batch"], begun["items"]) == ("crew", 3)
    assert (ended["done"], ended["failed"], ended["run_id"]) == (3, 1, begun["run_id"])


def test_flows_method_logs_with_its_flow(make):
    class Report(Flow):
        @start()
        def write(self) -> str:
            REPORTS.error("writing")
            return "done"

    logged = make()

    Report().kickoff()

    line = logged.named("writing")
    assert (line["flow"], line["method"], line["path"]) == ("Report", "write", "write#1")


def test_full_disk_under_the_log_is_one_warning_and_the_run_goes_on(make, caplog):
    make(JACKSTAY_LOG_FILE="/dev/full")

    output = one_task(ScriptedModel(["fine"])).kickoff()

    assert output.raw == "fine"
    assert [r.message for r in caplog.records if "cannot be written" in r.message and "No space left" in r.message]
    assert len([r for r in caplog.records if "cannot be written" in r.message]) == 1


@pytest.mark.parametrize("style", ["json", "console"])
def test_hosts_logging_configuration_stays_as_it_was(make, capsys, tmp_path, style):
    root, factory = logging.getLogger(), logging.getLogRecordFactory()
    before = (list(root.handlers), root.level, [h.formatter for h in root.handlers], logging.getLoggerClass())

    logged = make(JACKSTAY_LOG=style, JACKSTAY_LOG_FILE="")
    one_task(ScriptedModel(["fine"])).kickoff()

    during = (list(root.handlers), root.level, [h.formatter for h in root.handlers], logging.getLoggerClass())
    assert during == before
    assert logging.getLogRecordFactory() is factory
    logged.runtime.close()
    assert "run_finished" in capsys.readouterr().err
    assert logged.runtime not in [getattr(listener, "_runtime", None) for listener in listeners]


def test_log_on_stderr_is_json_line_by_line_and_stdout_stays_empty(make, capsys):
    make(JACKSTAY_LOG="json", JACKSTAY_LOG_FILE="")

    one_task(ScriptedModel(["fine"])).kickoff()

    out, err = capsys.readouterr()
    assert out == ""
    assert [json.loads(line)["event"] for line in err.splitlines()][-1] == "run_finished"


def test_control_characters_of_a_model_do_nothing_to_a_terminal(make, capsys):
    make(JACKSTAY_LOG="console", JACKSTAY_LOG_FILE="", JACKSTAY_LOG_CONTENT="on")

    one_task(ScriptedModel(["\x1b[2Jgone\u202e"])).kickoff()

    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "\u202e" not in err
    assert "\\x1b[2Jgone" in err


def test_hosts_own_handler_gets_context_and_json_by_a_filter_and_a_formatter(jackstay_runtime, tmp_path):
    handler = logging.FileHandler(tmp_path / "host.json")
    handler.addFilter(RunContext())
    handler.setFormatter(json_formatter())
    REPORTS.addHandler(handler)
    try:
        output = one_task(model(), name="brief", agent_fields={"tools": [search]}).kickoff()
        REPORTS.warning("outside")
    finally:
        REPORTS.removeHandler(handler)
        handler.close()

    inside, outside = map(json.loads, (tmp_path / "host.json").read_text().splitlines())
    assert (inside["event"], inside["run_id"], inside["task"]) == ("searching for tides", output.run_id, "brief")
    assert (outside["event"], outside["run_id"]) == ("outside", None)


def test_wrong_setting_is_refused_with_what_it_may_be(tmp_path):
    with pytest.raises(ValueError, match=r"JACKSTAY_LOG is 'loud'; .*off, json, console"):
        Runtime(folder=tmp_path, environ={"JACKSTAY_LOG": "loud"})


def test_log_goes_on_in_a_forked_child(make):
    logged = make()
    one_task(ScriptedModel(["fine"])).kickoff()

    child = os.fork()
    if child == 0:
        one_task(ScriptedModel(["fine"]), name="of_the_child").kickoff()
        logged.runtime.close()
        os._exit(0)
    os.waitpid(child, 0)

    assert [line["event"] for line in logged.lines()].count("run_finished") == 2
