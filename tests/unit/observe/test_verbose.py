"""`verbose=True`: the account on stdout says who does what, in order, and keeps what runs at once apart."""

from __future__ import annotations

import io
import re
import sys
import threading
from typing import Any

import pytest

from jackstay import Agent, Crew, Flow, Process, Runtime, Task, start
from jackstay.observe.account import Said, rendered
from jackstay.testing import ScriptedModel, tool_call
from jackstay.tools import tool
from tests.unit.crew.building import agent, crew, one_task, task

DELEGATE = "delegate_work_to_coworker"


@pytest.fixture(autouse=True)
def runtime(jackstay_runtime: Runtime) -> Runtime:
    return jackstay_runtime


@tool
def search(topic: str) -> str:
    """Searches."""
    return f"{topic} rise twice a day"


def managed(name: str, topic: str, **more: Any) -> Crew:
    """A hierarchical crew with a delegation, and a tool of the coworker's."""
    work = tool_call(DELEGATE, task=f"Find out about {topic}", context="All there is", coworker="Researcher")
    boss = ScriptedModel([work, f"All about {topic}.\nIn detail."])
    worker = ScriptedModel([tool_call("search", topic=topic), f"{topic} follow the moon"])
    return Crew(
        name=name,
        agents=[agent(worker, "Researcher", tools=[search])],
        tasks=[Task(name="brief", description="Report", expected_output="A brief")],
        process=Process.hierarchical,
        manager_llm=boss,
        **more,
    )


def in_order(text: str, *parts: str) -> bool:
    return re.search(".*".join(map(re.escape, parts)), text, re.DOTALL) is not None


def test_name_of_two_lines_stands_before_every_line_as_one(capsys):
    crew(task(agent(ScriptedModel(["done"])), "brief"), name="News\ndesk", verbose=True).kickoff()

    told = capsys.readouterr().out
    assert all(line.startswith(("News desk", "desk'")) for line in told.splitlines()), told


@pytest.mark.promise("crew.verbose")
def test_account_of_a_managed_crew_says_who_does_what_with_which_tool_for_whom_and_how_it_ends(capsys):
    managed("Desk", "tides", verbose=True).kickoff()

    out, err = capsys.readouterr()
    assert in_order(
        out,
        "crew 'Desk'",
        "Crew Manager does task brief",
        "Crew Manager delegates to Researcher: Find out about tides",
        'Researcher uses search(topic="tides")',
        "search gives Researcher: tides rise twice a day",
        "Researcher answers Crew Manager: tides follow the moon",
        "Crew Manager completed task brief",
        "All about tides.",
        "crew 'Desk' completed",
    )
    assert "In detail" not in out
    assert err == ""
    assert "\x1b" not in out


@pytest.mark.promise("crew.verbose")
def test_crews_that_run_at_once_stay_apart(capsys):
    crews = [managed("Desk", topic, verbose=True) for topic in ("tides", "winds", "waves")]

    threads = [threading.Thread(target=each.kickoff) for each in crews]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    by_tag: dict[str, str] = {}
    for line in capsys.readouterr().out.splitlines():
        tag, _, said = line.partition(" │ ")
        by_tag[tag] = by_tag.get(tag, "") + said + "\n"
    told = [[topic for topic in ("tides", "winds", "waves") if topic in said] for said in by_tag.values()]
    assert sorted(told) == [["tides"], ["waves"], ["winds"]]
    assert all(in_order(said, "does task", "delegates", "uses search", "completed task") for said in by_tag.values())


@pytest.mark.promise("crew.verbose")
def test_without_verbose_nothing_is_written_to_stdout(capsys):
    managed("Desk", "tides", verbose=False).kickoff()

    assert capsys.readouterr() == ("", "")


@pytest.mark.promise("agent.verbose")
def test_verbose_agent_of_a_silent_crew_is_told_of_and_the_others_are_not(capsys):
    loud = agent(ScriptedModel([tool_call("search", topic="tides"), "found"]), "Loud", tools=[search], verbose=True)
    quiet = agent(ScriptedModel([tool_call("search", topic="winds"), "seen"]), "Quiet", tools=[search])

    crew(task(loud, name="one"), task(quiet, name="two")).kickoff()

    out = capsys.readouterr().out
    assert in_order(out, "Loud does task one", 'Loud uses search(topic="tides")', "Loud completed task one", "found")
    assert "Quiet" not in out
    assert "winds" not in out


@pytest.mark.promise("agent.verbose")
def test_verbose_agent_by_itself_is_told_of(capsys):
    worker = agent(ScriptedModel([tool_call("search", topic="tides"), "Found it."]), tools=[search], verbose=True)

    worker.kickoff("Find it")

    assert in_order(capsys.readouterr().out, "agent 'Analyst'", "Analyst uses search", "Analyst answered: Found it.")


def test_only_the_verbose_crew_of_a_flow_is_told_of(capsys):
    class Report(Flow):
        @start()
        def write(self) -> str:
            one_task(ScriptedModel(["silent"]), name="first").kickoff()
            worker = agent(ScriptedModel(["loud"]))
            return crew(task(worker, name="second"), name="Inner", verbose=True).kickoff().raw

    Report().kickoff()

    out = capsys.readouterr().out
    assert in_order(out, "crew 'Inner'", "Analyst does task second", "loud", "crew 'Inner' completed")
    assert "first" not in out


def test_failure_is_told_with_its_reason(capsys):
    with pytest.raises(RuntimeError):
        one_task(ScriptedModel([RuntimeError("no paper left")]), name="brief").model_copy(
            update={"verbose": True}
        ).kickoff()

    assert in_order(capsys.readouterr().out, "Analyst failed at task brief: no paper left", "crew 'crew' failed")


def test_what_models_say_does_nothing_to_the_terminal_and_shows_no_secret(capsys, runtime, monkeypatch):
    monkeypatch.setitem(runtime.environ, "MAIL_PASSWORD", "hunter2-hunter2")  # type: ignore[arg-type]
    one_task(ScriptedModel(["\x1b[2Jhunter2-hunter2 of bob@example.com"])).model_copy(
        update={"verbose": True}
    ).kickoff()

    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\\x1b[2J[secret MAIL_PASSWORD] of <EMAIL_ADDRESS>" in out


class Terminal(io.StringIO):
    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("term", "colored"), [("dumb", False), ("xterm", True)])
def test_narrow_terminal_gets_lines_that_fit_and_colors_only_if_it_can_show_them(monkeypatch, term, colored):
    terminal = Terminal("ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TERM", term)
    monkeypatch.delenv("NO_COLOR", raising=False)

    managed("Desk", "tides", verbose=True).kickoff()

    said = terminal.getvalue()
    assert ("\x1b[" in said) == colored
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    assert plain.isascii()
    assert max(len(line) for line in plain.splitlines()) <= 29
    assert "search" in plain


def test_stdout_that_is_closed_fails_no_run(monkeypatch, caplog):
    gone = io.StringIO()
    gone.close()
    monkeypatch.setattr(sys, "stdout", gone)

    output = managed("Desk", "tides", verbose=True).kickoff()

    assert output.raw.startswith("All about tides.")
    assert len([record for record in caplog.records if "cannot be printed" in record.message]) == 1


def test_long_word_is_broken_and_what_follows_is_indented():
    text = rendered(Said("crew", "→", "x" * 60, depth=1), width=40)

    assert [line[:9] for line in text.splitlines()] == ["crew │   "] * 3
    assert max(map(len, text.splitlines())) <= 39


def test_agent_object_takes_verbose_without_a_warning(recwarn):
    Agent(role="a", goal="b", backstory="c", llm="sim/demo", verbose=True)

    assert not recwarn.list
