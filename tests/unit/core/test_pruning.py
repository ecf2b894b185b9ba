"""Which runs a rule deletes, and which it must not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jackstay.core.pruning import Rule, prunable
from jackstay.core.records import RunRow

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def run(run_id: str, days_ago: int = 0, status: Any = "succeeded", **more: Any) -> RunRow:
    at = NOW - timedelta(days=days_ago)
    ended = None if status in ("running", "waiting", "queued") else at + timedelta(hours=1)
    return RunRow(run_id, "crew", "c", at, status, finished_at=ended, **more)


def test_keep_keeps_the_newest_that_have_ended():
    runs = [run(f"r{n}", n) for n in range(5)]

    assert prunable(runs, Rule(keep=2)).deleted == ("r2", "r3", "r4")
    assert prunable(runs, Rule(keep=0)).deleted == ("r0", "r1", "r2", "r3", "r4")


def test_older_than_goes_by_the_end_and_both_have_to_allow_it():
    runs = [run(f"r{n}", n) for n in range(5)]

    assert prunable(runs, Rule(before=NOW - timedelta(days=2))).deleted == ("r3", "r4")
    assert prunable(runs, Rule(keep=4, before=NOW - timedelta(days=2))).deleted == ("r4",)


@pytest.mark.parametrize("status", ["queued", "running", "waiting"])
def test_what_has_not_ended_stays_and_counts_for_nothing(status):
    runs = [run("open", 0, status), run("new", 1), run("old", 2)]

    assert prunable(runs, Rule(keep=1, ended_badly=True)).deleted == ("old",)


def test_failed_and_cancelled_runs_go_only_when_told_and_interrupted_ones_never():
    runs = [run("failed", 1, "failed"), run("cancelled", 2, "cancelled")]
    runs.append(run("interrupted", 3, "failed", reason="interrupted"))

    assert prunable(runs, Rule(keep=0)).deleted == ()
    assert prunable(runs, Rule(keep=0, ended_badly=True)).deleted == ("failed", "cancelled")


def test_a_batch_goes_with_its_items_or_stays_with_them():
    good = [run("b1", 3), run("i1", 3, parent_run="b1"), run("i2", 3, parent_run="b1")]
    bad = [run("b2", 4), run("i3", 4, parent_run="b2"), run("i4", 4, "failed", parent_run="b2")]

    assert prunable([*good, *bad], Rule(keep=0)).deleted == ("b1", "i1", "i2")
    assert prunable([run("new", 1), *good], Rule(keep=1)).deleted == ("b1", "i1", "i2")


def test_finished_runs_stay_while_another_of_their_program_can_be_resumed():
    runs = [run("open", 1, "failed", session_id="s"), run("done", 1, session_id="s"), run("other", 1, session_id="t")]

    found = prunable(runs, Rule(keep=0))

    assert (found.deleted, found.needed) == (("other",), ("done",))
    assert prunable(runs, Rule(keep=0, ended_badly=True)).needed == ()
