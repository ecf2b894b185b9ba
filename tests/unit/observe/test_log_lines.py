"""What is logged of an event: its name, level, context and figures; content only if it was asked for."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from jackstay.core.events import Event
from jackstay.core.ids import span_id, trace_id
from jackstay.core.masking import Masking, Secrets
from jackstay.core.trace_ids import SpanIds
from jackstay.observe.log_lines import LogLines

RUN = "01a215cb-f214-7e8c-b404-42c3114944b9"
IDS = SpanIds(RUN, 1)
BEGIN = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


def lines(*, content: bool = False, **secrets: str) -> LogLines:
    masking = Masking(Secrets(secrets))
    return LogLines(lambda: masking, content=content)


def told(log: LogLines, name: Any, path: str = "", after_s: float = 0.0, /, **data: Any) -> Any:
    [line] = log.of(Event(name, RUN, path, BEGIN + timedelta(seconds=after_s), data), IDS)
    return line


def test_line_of_a_call_says_in_which_task_crew_and_flow_it_was_made_and_what_it_took():
    log = lines()
    told(log, "run_started", kind="flow", name="Report")
    log.of(Event("kickoff_started", RUN, "write#1/crew~1#1", BEGIN, {"kind": "crew", "name": "Team"}), IDS)
    told(log, "task_started", "write#1/crew~1#1/research#1", task="research", agent="Analyst")
    call = "write#1/crew~1#1/research#1/llm#1"
    told(log, "model_call_started", call, model="gpt-4o", agent="Analyst")

    line = told(log, "model_call_finished", call, 2.5, model="gpt-4o", tokens=40, cost_usd=Decimal("0.25"), attempts=2)

    assert line.event == "model_call_finished"
    assert line.level == logging.INFO
    assert line.fields == {
        "run_id": RUN,
        "path": call,
        "flow": "Report",
        "crew": "Team",
        "task": "research",
        "agent": "Analyst",
        "model": "gpt-4o",
        "trace_id": trace_id(RUN),
        "span_id": span_id(RUN, call),
        "tokens": 40,
        "cost_usd": 0.25,
        "attempt": 2,
        "duration_s": 2.5,
    }


def test_what_was_said_is_left_out_unless_it_was_asked_for_and_is_masked_then():
    said = {"tool": "mail", "result": "sent with hunter2-hunter2 to bob@example.com"}

    silent = told(lines(), "tool_finished", "a#1/tool:mail#1", **said)
    asked = told(lines(content=True, MAIL_PASSWORD="hunter2-hunter2"), "tool_finished", "a#1/tool:mail#1", **said)

    assert "result" not in silent.fields
    assert asked.fields["result"] == "sent with [secret MAIL_PASSWORD] to <EMAIL_ADDRESS>"


def test_text_of_an_error_is_masked_without_being_asked_for():
    line = told(lines(MAIL_PASSWORD="hunter2-hunter2"), "run_failed", error="no: hunter2-hunter2")

    assert (line.level, line.fields["error"]) == (logging.ERROR, "no: [secret MAIL_PASSWORD]")


def test_replay_is_told_after_its_beginning_and_a_resumed_run_by_its_own_word():
    begun = lines().of(Event("run_started", RUN, "", BEGIN, {"kind": "crew", "name": "c", "replay_of": "0199"}), IDS)

    assert [line.event for line in begun] == ["run_started", "replayed"]
    assert begun[1].fields["replay_of"] == "0199"
    assert told(lines(), "run_resumed", kind="crew", name="c").event == "resumed"


def test_nothing_is_remembered_of_a_run_that_has_ended():
    log = lines()
    told(log, "run_started", kind="crew", name="c")
    told(log, "task_started", "a#1", task="a", agent="b")

    told(log, "run_finished", kind="crew", name="c")

    assert log.where(RUN, "a#1").keys() == {"run_id", "path"}


def test_names_are_masked_in_the_lines_of_what_is_inside_as_well():
    log = lines()
    told(log, "run_started", kind="crew", name="ann@example.com and team")
    told(log, "task_started", "research#1", task="for bob@example.com", agent="Analyst of carl@example.com")

    line = told(log, "warning", "research#1/llm#1", text="odd")

    assert (line.fields["crew"], line.fields["task"]) == ("<EMAIL_ADDRESS> and team", "for <EMAIL_ADDRESS>")
    assert "example.com" not in str([line.fields, log.where(RUN, "research#1/tool:search#1")])
