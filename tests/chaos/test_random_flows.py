"""Random flow graphs whose run stops at each of its commits, and goes on: as the reference interpreter says.

What is stored up to a commit that fails is what a kill at that moment leaves (`test_drawn_programs` says the same of both),
and it costs no process. Some are killed in truth.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from jackstay import Runtime
from jackstay.core.flow_graph import FlowGraph, problems, rivals
from jackstay.core.paths import parent_of
from jackstay.core.records import StepRow
from jackstay.errors import StorageUnavailable
from jackstay.journal import from_url, open_journal
from jackstay.testing import FaultPoints
from tests.chaos.kills import seeded
from tests.programs.random_flow import RandomFlow, drawn, flow_of, outcome
from tests.unit.core.flow_reference import Reference, TooManyCalls

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

KEY = "random"


def chosen(first: int, most: int = 5) -> Iterator[tuple[int, FlowGraph]]:
    """Graphs of which the reference makes a few calls and not too many."""
    for seed, graph in drawn(first):
        if not problems(graph) and 4 <= asyncio.run(_length(seed, graph, most)) <= most:
            yield seed, graph


async def _length(seed: int, graph: FlowGraph, most: int) -> int:
    """How many completions there are, first come first served; 0 if a cycle does not end."""
    reference, number = Reference(graph), 0
    await reference.begin()
    while reference.started and number <= most and reference.error is None:
        (name, count), _ = next(iter(reference.started.items()))
        await reference.complete(name, count, outcome(seed, graph.methods[name], count))
        number += 1
    failed = reference.error is not None
    await reference.end()
    return 0 if failed else number


async def follows(seed: int, graph: FlowGraph, rows: list[StepRow], flow: RandomFlow) -> Any:
    """Asserts that these completions, in their order, are a run of the graph from its beginning to its end, and that the
    state has what they left. The value of the last one."""
    reference, last, racing = Reference(graph), None, rivals(graph)
    await reference.begin()
    told = {}
    for row in rows:
        name, _, number = row.path.rpartition("#")
        if (name, int(number)) not in reference.started and name in racing:
            continue  # it had lost its race, and was recorded all the same
        argument, _ = reference.started[name, int(number)]
        if name not in racing:
            told[row.path] = repr(argument if graph.methods[name].condition is not None else None)
        last = outcome(seed, graph.methods[name], int(number))
        await reference.complete(name, int(number), last)
        assert not isinstance(reference.error, TooManyCalls)
    assert reference.started == {}
    await reference.end()
    assert {name: value for name, value in flow.state.items() if name != "id"} == told
    return last


def methods_of(runtime: Runtime, key: str) -> list[StepRow]:
    return [row for row in steps_of(runtime, key) if row.kind == "method" and row.status == "succeeded"]


def steps_of(runtime: Runtime, key: str) -> list[StepRow]:
    run = runtime.journal.run_by_key(key)
    return runtime.journal.steps(run.id) if run is not None else []


def check_everywhere(seed: int, graph: FlowGraph) -> int:
    """Every commit of the graph's run fails once; then it goes on. How many there were."""
    points = FaultPoints()
    make = flow_of(seed, graph)
    with Runtime(durability="off", fault_point=points.hit) as runtime:
        whole = make()
        result = whole.kickoff(run_key="whole")
        assert result == asyncio.run(follows(seed, graph, methods_of(runtime, "whole"), whole))
        commits = points.hits.count("journal.commit")
        for number in range(commits):
            check_at(seed, graph, make, runtime, points, number)
    return commits


def check_at(
    seed: int, graph: FlowGraph, make: type[RandomFlow], runtime: Runtime, points: FaultPoints, number: int
) -> None:
    key, where = f"at {number}", f"seed {seed}, commit {number}"
    points.raise_at("journal.commit", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), skip=number)
    broken = make()
    try:
        broken.kickoff(run_key=key)
    except StorageUnavailable:
        pass
    points._plans.clear()
    before = steps_of(runtime, key)
    answered = {parent_of(row.path) for row in before if row.kind == "step"}

    again = make()
    result = again.kickoff(run_key=key)

    assert result == asyncio.run(follows(seed, graph, methods_of(runtime, key), again)), where
    done = {row.path for row in before if row.kind == "method" and row.status == "succeeded"}
    assert not again.asked.keys() & (answered | done), where  # nothing is done again that was recorded
    asked = broken.asked + again.asked
    assert max(asked.values(), default=0) <= 2, where
    in_flight = {call for call, count in asked.items() if count == 2}
    assert in_flight <= broken.asked.keys() - answered, where


@pytest.mark.parametrize("block", range(6))
def test_random_graphs_stopped_at_each_commit_go_on_as_the_reference_says(block: int) -> None:
    commits = [check_everywhere(seed, graph) for seed, graph in islice(chosen(block * 1000), 10)]

    assert sum(commits) > 40


@pytest.mark.prove
@pytest.mark.parametrize("block", range(10))
def test_three_hundred_random_graphs_stopped_at_each_commit(block: int, record_property: Any) -> None:
    commits = [check_everywhere(seed, graph) for seed, graph in islice(chosen(10_000 + block * 1000, most=20), 30)]

    record_property("stops", sum(commits))


# --- real processes -----------------------------------------------------------------------------------------------


def killed_and_resumed(warm: Any, seed: int, graph: FlowGraph, folder: Path, rng: Any) -> bool:
    """SIGKILL at a drawn fault point, then the program again. Whether it was killed before its end."""
    url = f"sqlite:///{folder / 'journal.db'}"
    said = {"JACKSTAY_DATABASE_URL": url, "PROGRAM_SEED": str(seed)}
    other = {**said, "JACKSTAY_DATABASE_URL": f"sqlite:///{folder / 'whole.db'}"}
    whole = warm.run("random_flow", environ=other, folder=folder / "whole", key=KEY)
    assert whole.wait() == 0, whole.output
    point = rng.randrange(len(whole.points))
    killed = warm.run("random_flow", environ={**said, "SIGNAL_AT": str(point)}, folder=folder / "killed", key=KEY)
    status = killed.wait()
    assert status in (0, -signal.SIGKILL), killed.output
    again = warm.run("random_flow", environ=said, folder=folder / "again", key=KEY)
    assert again.wait() == 0, f"seed {seed}, point {point}\n{again.output}"
    with closing(open_journal(from_url(url))) as journal:
        run = journal.run_by_key(KEY)
        assert run is not None
        rows = [row for row in journal.steps(run.id) if row.kind == "method" and row.status == "succeeded"]
    flow = flow_of(seed, graph)()
    flow.state.update(again.result["state"])
    assert again.result["result"] == repr(asyncio.run(follows(seed, graph, rows, flow))), f"seed {seed}, point {point}"
    return status != 0


@pytest.mark.parametrize("count", [8, pytest.param(40, marks=pytest.mark.prove)])
def test_random_graphs_killed_at_a_drawn_point_go_on_as_the_reference_says(
    warm: Any, tmp_path: Path, count: int, record_property: Any
) -> None:
    given = os.environ.get("JACKSTAY_CRASH_SEED")
    seed, rng = seeded(int(given) if given else None)
    print(f"JACKSTAY_CRASH_SEED={seed}")
    killed = 0
    for number, graph in islice(chosen(20_000, most=20), count):
        folder = tmp_path / str(number)
        folder.mkdir()
        killed += killed_and_resumed(warm, number, graph, folder, rng)
    record_property("killed", killed)

    assert killed > count / 2
