"""The table of rows covers the seed, and `make seed` fails when it should."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.seed import excerpts
from tests.seed.rows import ROWS, Row
from tools import seed

PARTS = {
    "python": 13, "shell": 2, "diagram": 1, "output": 1, "enterprise": 8, "practice": 6, "pitfall": 6, "bonus": 3,
}  # fmt: skip


def breaks() -> None:
    raise AssertionError("not as promised")


def holds() -> None:
    pass


def test_every_item_of_the_seed_has_a_row_and_no_row_is_there_twice():
    assert Counter(row.part for row in ROWS) == PARTS
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert {row.issue for row in ROWS} == set(seed.RESOLVED)


@pytest.mark.skipif(excerpts.text() is None, reason="the seed is not beside this clone")
def test_the_counts_are_those_of_the_seed():
    counted = {
        "python": excerpts.fenced("python"),
        "shell": excerpts.fenced("bash"),
        "diagram": excerpts.fenced("mermaid"),
        "output": excerpts.fenced(""),
        "enterprise": excerpts.table("CrewAI Enterprise"),
        "practice": excerpts.table("Best Practices"),
        "pitfall": excerpts.table("Common Pitfalls"),
        "bonus": excerpts.bonuses(),
    }

    assert {part: len(items) for part, items in counted.items()} == PARTS


@pytest.mark.parametrize(
    ("issue", "program", "status", "blocks"),
    [
        ("Foundation", holds, "pass", False),
        ("Foundation", breaks, "FAIL", True),
        ("Foundation", None, "open: Foundation", True),
        ("Control plane", holds, "pass", False),
        ("Control plane", breaks, "open: Control plane", False),
        ("Control plane", None, "open: Control plane", False),
    ],
)
def test_a_row_is_judged_by_its_program_and_its_issue(issue, program, status, blocks):
    verdict = seed.judge(Row("bonus", 1, "an item", issue, program))

    assert verdict.status == status
    assert verdict.blocks is blocks


@pytest.mark.parametrize(("program", "expected"), [(holds, 0), (breaks, 1), (None, 1)])
def test_one_row_of_a_resolved_issue_decides_the_exit_status(program, expected, monkeypatch, capsys):
    rows = (Row("bonus", 1, "good", "Foundation", holds), Row("bonus", 2, "tried", "Foundation", program))
    monkeypatch.setattr(seed, "ROWS", (*rows, Row("bonus", 3, "later", "Control plane", breaks)))

    status = seed.main([])

    assert status == expected
    assert "3 rows: " in capsys.readouterr().out
