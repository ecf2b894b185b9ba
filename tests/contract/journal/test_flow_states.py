"""States by their ids: which kickoffs have one, and which rows make it as it was saved last."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from jackstay.core.flow_state import address, fold
from jackstay.core.records import Lease, StepRow, Write
from jackstay.journal import Journal
from tests.contract.journal.rows import NOW, TIMEOUT_S, a_run, a_step, the_end


def at(minute: int) -> datetime:
    return NOW + timedelta(minutes=minute)


def state_row(run_id: str, state_id: str, minute: int, scope: str = "", **fields: Any) -> StepRow:
    given = {"kind": "input", "name": "state", "request": address(state_id), "result": f'{{"id":"{state_id}"}}'}
    times = {"started_at": at(minute), "finished_at": at(minute)}
    return a_step(run_id, f"{scope}@state#1", **{**given, **times, **fields})


def method_row(run_id: str, path: str, minute: int, n: int, *, saved: bool = True, **fields: Any) -> StepRow:
    given = {"kind": "method", "name": "m", "flags": "saved" if saved else None}
    times = {"started_at": at(minute), "finished_at": at(minute)}
    result = f'{{"removed":[],"state":{{"n":{n}}},"value":null}}'
    return a_step(run_id, path, **{**given, **times, "result": result, **fields})


def begun(journal: Journal, run_id: str, minute: int, *steps: StepRow, **fields: Any) -> Lease:
    run = a_run(run_id, kind="flow", created_at=at(minute), started_at=at(minute), **fields)
    lease: Lease = journal.create_run(run).result(TIMEOUT_S)
    journal.write(Write(lease, steps=steps)).result(TIMEOUT_S)
    return lease


def ended(journal: Journal, lease: Lease, minute: int, status: str = "succeeded") -> None:
    journal.write(Write(lease, end=the_end(status, finished_at=at(minute)))).result(TIMEOUT_S)


def n_of(journal: Journal, state_id: str) -> Any:
    return fold(journal.saved_state(state_id)).get("n")


def test_the_state_that_was_saved_last_counts_whichever_run_began_last(journal: Journal) -> None:
    old = begun(journal, "run-1", 1, state_row("run-1", "x", 1), method_row("run-1", "a#1", 2, 1))
    ended(journal, old, 3)
    slow = begun(journal, "run-2", 4, state_row("run-2", "x", 4), method_row("run-2", "a#1", 9, 2))
    quick = begun(journal, "run-3", 5, state_row("run-3", "x", 5), method_row("run-3", "a#1", 6, 3))
    ended(journal, quick, 7)

    assert n_of(journal, "x") == 2
    uses = journal.state_uses("x")
    assert [(use.run.id, use.path, use.ended_well) for use in uses] == [
        ("run-3", "", True),
        ("run-2", "", False),
        ("run-1", "", True),
    ]
    ended(journal, slow, 10, "failed")
    assert not journal.state_uses("x")[1].ended_well
    assert journal.state_uses("nobody's") == []
    assert journal.saved_state("nobody's") == []


def test_what_was_not_persisted_is_no_part_of_the_saved_state(journal: Journal) -> None:
    begun(
        journal,
        "run-1",
        1,
        state_row("run-1", "x", 1),
        method_row("run-1", "a#1", 2, 1),
        method_row("run-1", "b#1", 3, 2, saved=False),
    )
    begun(journal, "run-2", 4, state_row("run-2", "x", 4), method_row("run-2", "b#1", 5, 3, saved=False))

    assert n_of(journal, "x") == 1


def test_a_flow_inside_a_run_has_a_state_of_its_own(journal: Journal) -> None:
    inner = "a#1/inner~abc#1"
    lease = begun(
        journal,
        "run-1",
        1,
        state_row("run-1", "outer", 1),
        state_row("run-1", "inner", 2, f"{inner}/"),
        method_row("run-1", f"{inner}/m#1", 3, 7),
        method_row("run-1", f"{inner}0/m#1", 3, 8),
        method_row("run-1", "a#1", 4, 1),
    )

    assert (n_of(journal, "inner"), n_of(journal, "outer")) == (7, 1)
    assert [(use.path, use.ended_well) for use in journal.state_uses("inner")] == [(inner, False)]
    done = a_step("run-1", inner, kind="flow", name="inner")
    journal.write(Write(lease, steps=(done,))).result(TIMEOUT_S)
    assert journal.state_uses("inner")[0].ended_well


def test_the_newest_revision_of_a_method_counts(journal: Journal) -> None:
    begun(
        journal,
        "run-1",
        1,
        state_row("run-1", "x", 1),
        method_row("run-1", "a#1", 2, 1, status="failed", result=None),
        method_row("run-1", "a#1", 3, 5, rev=2),
    )

    assert n_of(journal, "x") == 5


@pytest.mark.parametrize("state_id", ["x" * 100_000, "a\0b", "ü😀", "%", "\ud800"])
def test_any_text_may_be_an_id(journal: Journal, state_id: str) -> None:
    row = state_row("run-1", "x", 1, request=address(state_id))
    begun(journal, "run-1", 1, row, method_row("run-1", "a#1", 2, 1))

    assert n_of(journal, state_id) == 1
    assert n_of(journal, state_id[:-1]) is None
