"""The table of promises is one: every mark names a row, every row is worth what its tests prove, and the page says so."""

from __future__ import annotations

import warnings

import pytest

from jackstay import Agent, Crew, Task
from jackstay.crew import accepted
from jackstay.testing import ScriptedModel
from tests.compat.rows import Row, all_rows, table
from tools import compatibility

ROWS = {row.promise: row for row in all_rows()}
PROOFS = compatibility.proofs()
IDLE = compatibility.accepted()


def worth(row: Row) -> str:
    return compatibility.status(row, PROOFS, IDLE)


def test_every_row_is_there_once() -> None:
    assert len(ROWS) == len(list(all_rows()))


def test_every_mark_names_a_row_that_claims_to_be_there() -> None:
    assert {promise for promise in PROOFS if promise not in ROWS} == set()
    assert {promise for promise in PROOFS if ROWS[promise].claimed == "absent"} == set()


def test_every_row_that_is_needed_and_claimed_has_a_test() -> None:
    claimed = {row.promise for row in ROWS.values() if row.level == "P0" and row.claimed in ("same", "better")}

    assert claimed - PROOFS.keys() == set(), "mark its tests with @pytest.mark.promise(…)"


def test_no_argument_does_nothing_that_a_test_is_said_to_prove() -> None:
    silent = {
        f"{kind}.{name}"
        for kind in ("agent", "task", "crew")
        for name, value in accepted.QUIET.items()
        if value is None
    }

    assert PROOFS.keys() & IDLE <= silent


def test_a_claim_without_a_test_is_untested() -> None:
    same, better, warned, absent = table(
        "S", "agent", "a | P0 | same | x\nb | P1 | better | x\nc | P1 | warned | x\nd | P0 | absent | x"
    )
    test = compatibility.Test("tests/test_x.py", "test_x")

    assert [compatibility.status(row, {}, set()) for row in (same, better, absent)] == ["untested"] * 2 + ["absent"]
    assert compatibility.status(same, {"agent.a": [test]}, set()) == "same"
    assert compatibility.status(same, {}, {"agent.a"}) == "warned"
    assert compatibility.status(warned, {"agent.c": [test]}, set()) == "warned"
    assert (compatibility.status(warned, {}, {"agent.c"}), compatibility.status(warned, {}, set())) == (
        "warned",
        "untested",
    )


def test_the_page_is_what_the_rows_and_the_tests_make_of_it() -> None:
    page = compatibility.written(list(ROWS.values()), PROOFS)

    assert compatibility.PAGE.read_text(encoding="utf-8") == page, "run tools/compatibility.py"


@pytest.mark.parametrize(
    "promise", [promise for promise, row in ROWS.items() if worth(row) == "warned" and promise in IDLE]
)
def test_an_argument_without_effect_says_so(promise: str) -> None:
    kind, _, name = promise.partition(".")

    def define(**more: object) -> None:
        given: dict[str, dict[str, object]] = {kind: more}
        agent = Agent(role="R", goal="G", backstory="B", llm=ScriptedModel(), **given.get("agent", {}))
        task = Task(description="D", expected_output="E", agent=agent, **given.get("task", {}))
        Crew(agents=[agent], tasks=[task], **given.get("crew", {}))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        define()
    with pytest.warns(UserWarning, match=f"{name}= is accepted and has no effect"):
        define(**{name: True})
