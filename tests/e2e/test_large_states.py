"""A large state that changes a little in each of many turns: what is stored of it, and how long a resume takes."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jackstay import Runtime
from tests.programs.long_loop import LongLoop, large_state


def stored_bytes(path: Path) -> int:
    """All payloads: of steps, of the run, and what is in blobs."""
    columns = {"step": ("result", "request", "error"), "run": ("inputs", "output", "error"), "blob": ("bytes",)}
    with closing(sqlite3.connect(path)) as connection:
        return sum(
            connection.execute(f"select coalesce(sum(length({column})), 0) from {table}").fetchone()[0]
            for table, names in columns.items()
            for column in names
        )


def killed_and_resumed(folder: Path, turns: int) -> tuple[int, int, float]:
    """Bytes stored, the bound, and the CPU seconds of the resume."""
    path, state = folder / "journal.db", large_state()
    size = len(json.dumps(state))
    broken, again = (LongLoop(initial_state=state, max_method_calls=turns + 1) for _ in range(2))
    broken.turns, broken.breaks_at, again.turns = turns, turns, turns
    with Runtime(database_url=f"sqlite:///{path}"), pytest.raises(OSError, match="the power is off"):
        broken.kickoff(run_key="k")

    with Runtime(database_url=f"sqlite:///{path}"):
        began_s = time.process_time()
        result = again.kickoff(run_key="k")
        took_s = time.process_time() - began_s

    assert result == 200 + turns
    assert dict(again.state) == expected(turns) | {"id": again.flow_id}
    return stored_bytes(path), 2 * (size + broken.changed + again.changed), took_s


def expected(turns: int) -> dict[str, Any]:
    """The state after so many turns that nobody disturbed or recorded."""
    alone = LongLoop(initial_state=large_state())
    for _ in range(turns):
        alone.turn()
    return {name: value for name, value in alone.state.items() if name != "id"}


def test_a_large_state_that_changes_a_little_is_stored_as_its_changes(tmp_path: Path) -> None:
    stored, bound, _ = killed_and_resumed(tmp_path, 60)

    assert stored < bound


@pytest.mark.prove
def test_a_thousand_turns_over_a_large_state(tmp_path: Path, record_property: Any) -> None:
    stored, bound, took_s = killed_and_resumed(tmp_path, 1000)
    record_property("bytes stored", stored)
    record_property("bytes allowed", bound)
    record_property("resume, CPU seconds", round(took_s, 2))

    assert stored < bound
    assert took_s < 2
