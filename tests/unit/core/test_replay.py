"""What a replay copies, decided from rows alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from jackstay.core.records import RunRow, StepRow
from jackstay.core.replay import KICKOFF, Record, RecordedKickoff, plan, units_of
from tests.unit.core.test_outlines import crew, task

AT = datetime(2026, 11, 25, tzinfo=UTC)


def run(kind: Any = "crew", **more: Any) -> RunRow:
    return RunRow(**{"id": "run1", "kind": kind, "name": "crew", "created_at": AT, "fingerprint": "crew", **more})


def row(path: str, seq: int, kind: Any = "task", status: Any = "succeeded", **more: Any) -> StepRow:
    name = path.rpartition("/")[2].partition("#")[0]
    fields = {"run_id": "run1", "path": path, "kind": kind, "name": name, "status": status, "args_hash": "h"}
    return StepRow(**{**fields, "started_at": AT, "finished_at": AT, "seq": seq, **more})


def kickoff(path: str, seq: int, **more: Any) -> StepRow:
    told = RecordedKickoff(path, "crew", "crew", "crew", {}, **more)
    return row(f"{path}/{KICKOFF}", seq, "input", name="kickoff", request=told.to_json())


def paths(rows: Any) -> list[str]:
    return [each.path for each in rows]


OUTLINES = {"crew": crew(task("a"), task("b"), task("c"))}
ROWS = [row("a#1/llm#1", 1, "llm"), row("a#1", 2), row("b#1/llm#1", 3, "llm"), row("b#1", 4), row("c#1", 5)]


def test_target_and_dependents_are_dropped_with_all_below_them():
    planned = plan(Record(run(), ROWS, OUTLINES), "b#1")

    assert paths(planned.copied) == ["a#1/llm#1", "a#1"]
    assert paths(planned.again) == ["b#1", "c#1"]
    assert paths(planned.reused) == ["a#1"]
    assert {each.origin_run_id for each in planned.copied} == {"run1"}


def test_rows_of_a_replay_keep_the_run_that_paid_for_them():
    rows = [row("a#1", 1, origin_run_id="run0"), row("b#1", 2)]

    planned = plan(Record(run(), rows, OUTLINES), "c#1")

    assert [each.origin_run_id for each in planned.copied] == ["run0", "run1"]


def test_failures_are_copied_only_where_the_program_had_gone_on_after_them():
    rows = [
        row("a#1/tool:x#1", 1, "tool", "failed"),
        row("a#1", 2),
        row("b#1/tool:x#1", 3, "tool", "failed"),
        row("b#1", 4, status="failed"),
    ]

    planned = plan(Record(run(), rows, OUTLINES), "c#1")

    assert paths(planned.copied) == ["a#1"]  # the tool's failure was the last thing in its task; its task answers


def test_what_was_cancelled_or_could_not_be_stored_runs_again():
    rows = [row("a#1", 1), row("b#1", 2, status="cancelled"), row("c#1", 3, status="opaque")]

    assert paths(plan(Record(run(), rows, OUTLINES), "c#1").again) == ["b#1", "c#1"]


def test_inputs_that_a_task_mentions_make_it_run_again():
    outlines = {"crew": crew(task("a"), task("b", "On {topic}"), task("c", context=[]))}
    record = Record(run(inputs=json.dumps({"topic": "boats"})), ROWS, outlines)

    assert paths(plan(record, "c#1", inputs={"topic": "boats"}).again) == ["c#1"]
    assert paths(plan(record, "c#1", inputs={"topic": "kites"}).again) == ["b#1", "c#1"]


def test_tasks_that_never_began_are_units_too():
    units = units_of(Record(run(), ROWS[:3], OUTLINES))

    assert [(unit.path, unit.row is not None, unit.begun) for unit in units] == [
        ("a#1", True, True),
        ("b#1", False, True),
        ("c#1", False, False),
    ]


SCRIPT = [
    kickoff("crew~1#1", 1),
    *(row(f"crew~1#1/{each}#1", seq) for seq, each in enumerate("abc", 2)),
    row("crew~1#1", 5, "crew"),
    kickoff("crew~2#1", 6),
    *(row(f"crew~2#1/{each}#1", seq) for seq, each in enumerate("abc", 7)),
    row("crew~2#1", 10, "crew"),
]


def test_other_kickoffs_of_a_script_are_copied_whole():
    planned = plan(Record(run("script", fingerprint="script"), SCRIPT, OUTLINES), "crew~1#1/c#1")

    dropped = {each.path for each in SCRIPT} - set(paths(planned.copied))
    assert dropped == {"crew~1#1", "crew~1#1/c#1"}


def test_a_kickoff_becomes_a_run_of_its_own():
    planned = plan(Record(run("script", fingerprint="script"), SCRIPT, OUTLINES), "crew~2#1/b#1", scope="crew~2#1")

    assert paths(planned.copied) == ["a#1"]
    assert paths(planned.again) == ["crew~2#1/b#1", "crew~2#1/c#1"]


def test_a_kickoff_that_another_one_continues_is_left_behind():
    rows = [*SCRIPT[:3], kickoff("crew~3#1", 11, continues="crew~1#1"), row("crew~3#1/a#1", 12, origin_run_id="run1")]
    record = Record(run("script", fingerprint="script"), rows, OUTLINES)

    assert paths(units_of(record)) == ["crew~3#1/a#1", "crew~3#1/b#1", "crew~3#1/c#1"]
    assert paths(plan(record, "crew~3#1/b#1").copied) == ["crew~3#1/@kickoff#1", "crew~3#1/a#1"]
