"""What a write promises: together or not at all, in order, and to nobody's harm but its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest

from jackstay.core.records import Lease, Write
from jackstay.errors import AlreadyRunning, LeaseLost, StorageUnavailable
from jackstay.journal import Journal
from jackstay.testing.faults import FaultPoints
from tests.contract.journal.rows import (
    NOW,
    TIMEOUT_S,
    Place,
    a_reservation,
    a_run,
    a_settlement,
    a_step,
    the_end,
    write_step,
)


def test_a_row_comes_back_as_it_was_written(journal: Journal) -> None:
    step = a_step(
        rev=2,
        attempts=3,
        request='{"tools":[]}',
        request_ref="a" * 64,
        error='{"type":"ValueError"}',
        agent="Analystin 😀",
        task="review",
        model="gpt-4.1-mini",
        answered_by="gpt-4.1-mini-2025",
        provider="openai",
        input_tokens=5_000_000_000,
        cached_tokens=1,
        cache_write_tokens=2,
        output_tokens=3,
        reasoning_tokens=4,
        cost_pico=9_000_000_000_000_000_000,
        price_version="2026-01",
        flags="streamed,estimated",
        duration_us=987,
        origin_run_id="run-0",
    )
    run = a_run(inputs='{"topic":"λ"}', tags='["a"]', priority=7, not_before=NOW, cancel_requested=True, run_key="k")

    lease = journal.create_run(run).result(TIMEOUT_S)
    numbers = journal.write(Write(lease, steps=(step,))).result(TIMEOUT_S)

    assert journal.run("run-1") == run
    assert numbers == (1,)
    assert journal.steps("run-1") == [replace(step, seq=1)]


def test_a_run_and_its_first_rows_are_committed_together(journal: Journal) -> None:
    write = Write(Lease("run-1", 1), reservations=(a_reservation(),))

    lease = journal.create_run(a_run(), write=write).result(TIMEOUT_S)

    assert lease == Lease("run-1", 1)
    assert journal.reservations("run-1") == [a_reservation()]


def test_seq_follows_commit_order(journal: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    seqs: dict[int, list[int]] = {}

    def write(worker: int) -> None:
        seqs[worker] = [write_step(journal, lease, f"task#{worker}/llm#{n}").seq for n in range(25)]

    _in_threads(write, range(8))

    assert all(mine == sorted(mine) for mine in seqs.values())
    assert sorted(seq for mine in seqs.values() for seq in mine) == list(range(1, 201))
    assert [step.seq for step in journal.steps("run-1")] == list(range(1, 201))


def test_seq_goes_on_in_another_process(journal: Journal, place: Place) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    write_step(journal, lease, "a#1")
    other = place.open()

    taken = other.take_up("run-1", force=True).result(TIMEOUT_S)
    step = write_step(other, taken.lease, "b#1")

    other.close()
    assert step.seq == 2


def test_many_coroutines_write_at_once(journal: Journal) -> None:
    async def drive(number: int) -> list[int]:
        lease = await journal.create_run(a_run(f"run-{number}"))
        return [(await journal.write(Write(lease, steps=(a_step(lease.run_id, f"a#{n}"),))))[0] for n in range(5)]

    async def drive_all() -> list[list[int]]:
        return await asyncio.gather(*map(drive, range(60)))

    assert asyncio.run(drive_all()) == [[1, 2, 3, 4, 5]] * 60


def test_a_hundred_waiting_coroutines_cost_one_wake_up(place: Place) -> None:
    points = FaultPoints()
    journal = place.open(durability="full", fault_point=points.hit)
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    gate = points.hold_at("journal.commit")

    async def write(number: int) -> None:
        await journal.write(Write(lease, steps=(a_step(path=f"a#{number}"),)))

    async def write_all(loop: _CountingLoop) -> None:
        first = loop.create_task(write(0))
        await asyncio.sleep(0)
        points.wait_until_hit("journal.commit", times=2)  # the writer holds the first; the others will queue
        others = [loop.create_task(write(number)) for number in range(1, 101)]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(first, *others)

    loop = _CountingLoop()
    loop.run_until_complete(write_all(loop))
    loop.close()
    journal.close()
    assert loop.wake_ups == 2  # one for the first batch, one for the hundred


def test_a_cancelled_waiter_does_not_undo_the_write(place: Place) -> None:
    points = FaultPoints()
    journal = place.open(durability="full", fault_point=points.hit)
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    gate = points.hold_at("journal.commit")

    async def write() -> None:
        await journal.write(Write(lease, steps=(a_step(),)))

    async def write_and_cancel() -> None:
        task = asyncio.create_task(write())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(write_and_cancel())
    gate.set()
    journal.close()
    with closing(place.open()) as other:
        assert len(other.steps("run-1")) == 1


def test_row_and_settlement_are_one_transaction(journal: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    journal.write(Write(lease, reservations=(a_reservation(),))).result(TIMEOUT_S)

    journal.write(Write(lease, steps=(a_step(),), settlements=(a_settlement(),))).result(TIMEOUT_S)

    (reservation,) = journal.reservations("run-1")
    assert (reservation.state, reservation.outcome, reservation.cost_pico) == ("settled", "answered", 3_000_000)
    assert reservation.settled_at == NOW


def test_a_bad_row_does_not_fail_the_others_of_its_batch(place: Place) -> None:
    points = FaultPoints()
    journal = place.open(fault_point=points.hit)
    leases = [journal.create_run(a_run(f"run-{n}")).result(TIMEOUT_S) for n in range(20)]
    gate = points.hold_at("journal.commit")
    bad: dict[str, dict[str, Any]] = {
        "name": {"name": "\ud800"},
        "number": {"input_tokens": 2**80},
        "type": {"started_at": "yesterday"},
    }
    spoiled = dict(zip(("run-3", "run-7", "run-11"), bad.values(), strict=True))

    waiting = [
        journal.write(Write(lease, steps=(a_step(lease.run_id, **spoiled.get(lease.run_id, {})),))) for lease in leases
    ]
    gate.set()
    outcomes = {lease.run_id: _outcome(pending) for lease, pending in zip(leases, waiting, strict=True)}

    failed = {run_id for run_id, outcome in outcomes.items() if isinstance(outcome, StorageUnavailable)}
    assert failed == set(spoiled)
    assert all("run-" in str(outcomes[run_id]) for run_id in failed)
    assert all(len(journal.steps(lease.run_id)) == (lease.run_id not in spoiled) for lease in leases)
    journal.close()


def test_an_ended_step_is_never_overwritten(journal: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    write_step(journal, lease, "a#1", result='"first"')

    with pytest.raises(StorageUnavailable, match="run-1"):
        write_step(journal, lease, "a#1", result='"second"')

    write_step(journal, lease, "a#1", rev=2, result='"third"')
    assert [step.result for step in journal.steps("run-1", latest_only=False)] == ['"first"', '"third"']


def test_a_write_is_stored_whole_or_not_at_all(journal: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    write_step(journal, lease, "a#1")

    with pytest.raises(StorageUnavailable):
        journal.write(Write(lease, steps=(a_step(path="b#1"), a_step(path="a#1")), end=the_end())).result(TIMEOUT_S)

    run = journal.run("run-1")
    assert run is not None
    assert [step.path for step in journal.steps("run-1")] == ["a#1"]
    assert run.status == "running"


def test_the_end_of_a_run_releases_its_lease_and_nothing_follows_it(journal: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)

    end = journal.write(Write(lease, steps=(a_step(),), end=the_end("failed", reason="deadline", error='{"a":1}')))
    late = journal.write(Write(lease, steps=(a_step(path="late#1"),)))

    end.result(TIMEOUT_S)
    with pytest.raises(LeaseLost, match="run-1 has ended"):
        late.result(TIMEOUT_S)
    run, state = journal.run("run-1"), journal.lease("run-1")
    assert run is not None
    assert state is not None
    assert (run.status, run.reason, run.error) == ("failed", "deadline", '{"a":1}')
    assert (state.live, state.owner) == (False, None)


@pytest.mark.parametrize("second", [a_run("run-1"), a_run("run-2", run_key="nightly")], ids=["id", "run key"])
def test_of_two_runs_with_one_name_only_the_first_begins(journal: Journal, second: Any) -> None:
    journal.create_run(a_run(run_key="nightly")).result(TIMEOUT_S)

    with pytest.raises(AlreadyRunning, match="exists already"):
        journal.create_run(second).result(TIMEOUT_S)

    assert [run.id for run in journal.find_runs("run-")] == ["run-1"]


def test_a_run_key_belongs_to_its_project(journal: Journal) -> None:
    journal.create_run(a_run("run-1", run_key="nightly")).result(TIMEOUT_S)

    journal.create_run(a_run("run-2", run_key="nightly", project_id="p")).result(TIMEOUT_S)

    found = journal.run_by_key("nightly", "p"), journal.run_by_key("nightly"), journal.run_by_key("nightly", "q")
    assert [run and run.id for run in found] == ["run-2", "run-1", None]


def test_a_closed_journal_says_so(journal: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    waiting = [journal.write(Write(lease, steps=(a_step(path=f"a#{n}"),))) for n in range(100)]

    journal.close()

    assert all(pending.result(TIMEOUT_S) for pending in waiting)
    with pytest.raises(StorageUnavailable, match="closed"):
        journal.write(Write(lease))


def test_closing_gives_the_leases_back(journal: Journal, place: Place) -> None:
    journal.create_run(a_run()).result(TIMEOUT_S)

    journal.close()

    other = place.open()
    taken = other.take_up("run-1").result(TIMEOUT_S)
    other.close()
    assert taken.lease.epoch == 2


class _CountingLoop(asyncio.SelectorEventLoop):
    wake_ups = 0

    def call_soon_threadsafe(self, *args: Any, **kwargs: Any) -> asyncio.Handle:  # type: ignore[override]
        self.wake_ups += 1
        return super().call_soon_threadsafe(*args, **kwargs)


def _in_threads(work: Callable[[int], None], numbers: Any) -> None:
    threads = [Thread(target=work, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)


def _outcome(pending: Any) -> Any:
    try:
        return pending.result(TIMEOUT_S)
    except StorageUnavailable as error:
        return error
