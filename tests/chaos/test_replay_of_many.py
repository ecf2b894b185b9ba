"""A hundred runs of three crews and two flows, made by four processes at a time; any task of any of them is replayed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from jackstay import Runtime
from jackstay.core.paths import parent_of
from jackstay.core.preview import done_again, expected, figures_of, key_of, total
from jackstay.core.records import RunRow
from jackstay.core.replay import Plan, Record, Unit, plan, units_of
from jackstay.engine.replaying import record_of
from jackstay.testing import Stub
from tests.programs.mixed_runs import CREWS, FLOWS

PROCESSES, RUNS, REPLAYED = 4, 100, 30
SAMPLED = 8
"""Of them in `make test`."""
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub(rounds=1) as running:
        yield running


def made_by_four_processes(warm: Any, stub: Stub, database_url: str, folder: Any) -> dict[str, str]:
    """Results by the run's id."""
    environ = {**stub.environ(), "JACKSTAY_DATABASE_URL": database_url, "MIXED_RUNS": str(RUNS // PROCESSES)}
    children = [
        warm.run("mixed_runs", environ=environ, folder=folder / str(number), key=str(number))
        for number in range(PROCESSES)
    ]
    for child in children:
        assert child.wait() == 0, child.output
    return dict(pair for child in children for pair in child.result["runs"])


class Replaying:
    """Replays one unit of one run, and checks what it did against what was foreseen."""

    def __init__(self, runtime: Runtime, stub: Stub, run: RunRow) -> None:
        self.runtime, self.stub, self.run = runtime, stub, run
        self.record = record_of(runtime.journal, run)

    def of(self, unit: Unit) -> tuple[str, int]:
        """The result, and how many requests it took."""
        scope = parent_of(unit.path)
        foreseen = plan(self.record, unit.path, scope=scope)
        before = len(self.stub.requests)
        result, run_id = self._replay(unit, scope)
        requests = len(self.stub.requests) - before
        row = self.runtime.journal.run(run_id)
        assert row is not None
        self._check(foreseen, record_of(self.runtime.journal, row), scope, requests)
        return result, requests

    def _replay(self, unit: Unit, scope: str) -> tuple[str, str]:
        name = next(kickoff.name for kickoff in self.record.kickoffs if kickoff.path == scope)
        task = f"{self.run.id}/{unit.path}"
        if unit.kind == "task":
            output = CREWS[name]().replay(task)
            return output.raw, output.run_id
        flow = FLOWS[name]()
        said = flow.replay(task)
        return repr(said), str(flow.run_id)

    def _check(self, foreseen: Plan, made: Record, scope: str, requests: int) -> None:
        again = done_again(made)
        assert Counter(map(key_of, again)) == Counter(map(key_of, foreseen.again))
        took, said = (
            total(figures_of(made, own_only=True)[unit.path] for unit in again),
            expected(foreseen, self.record, {}),
        )
        assert took == said
        assert requests == took.calls
        results = {row.path: row.result for row in self.record.steps}
        reused = [row for row in made.steps if row.origin_run_id is not None]
        assert {row.path for row in reused} == {row.path for row in foreseen.copied}
        assert all(row.result == results[f"{scope}/{row.path}" if scope else row.path] for row in reused)


def check(warm: Any, stub: Stub, database_url: str, folder: Any, *, replayed: int) -> Counter[str]:
    results = made_by_four_processes(warm, stub, database_url, folder)
    chosen = random.Random(7).sample(sorted(results), replayed)
    counts: Counter[str] = Counter()

    with Runtime(database_url=database_url, environ=stub.environ(), folder=folder) as runtime:
        for run_id in chosen:
            run = runtime.journal.run(run_id)
            assert run is not None
            replaying = Replaying(runtime, stub, run)
            for unit in units_of(replaying.record):
                result, requests = replaying.of(unit)
                if parent_of(unit.path) == "":
                    assert result == results[run_id]
                counts += Counter({"replays": 1, "requests": requests})

    assert len(results) == RUNS
    return counts


def test_any_task_of_any_run_is_replayed_as_foreseen(warm, stub, database_url, tmp_path):
    assert check(warm, stub, database_url, tmp_path, replayed=SAMPLED)["replays"] > SAMPLED


@pytest.mark.prove
def test_every_task_of_thirty_runs_is_replayed_as_foreseen(warm, stub, database_url, tmp_path, record_property):
    for name, count in check(warm, stub, database_url, tmp_path, replayed=REPLAYED).items():
        record_property(name, count)
