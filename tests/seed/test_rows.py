"""Every row of a resolved issue does what the seed promises, and those of open ones that have a program: what nobody runs stops
working unseen."""

from __future__ import annotations

import pytest

from tests.seed import excerpts
from tests.seed.rows import ROWS, Row
from tools.seed import RESOLVED

OWED = [row for row in ROWS if RESOLVED[row.issue] or row.program is not None]


@pytest.mark.parametrize("row", OWED, ids=lambda row: row.name.replace(" ", "-"))
def test_program_does_what_the_seed_promises(row: Row) -> None:
    assert row.program is not None, f"{row.issue} is resolved, and {row.name} ({row.item}) has no program"

    row.program()


@pytest.mark.skipif(excerpts.text() is None, reason="the seed is not beside this clone")
@pytest.mark.parametrize("row", [row for row in OWED if row.block], ids=lambda row: row.name.replace(" ", "-"))
def test_block_of_the_seed_runs_with_the_import_changed(row: Row) -> None:
    assert row.block is not None

    row.block()
