"""Who may write to a run, and who may not any more."""

from __future__ import annotations

import itertools
from threading import Event, Thread
from typing import Any

import pytest

from jackstay.core.records import Blob, Lease, Write
from jackstay.errors import AlreadyRunning, LeaseLost, NotFoundError
from jackstay.journal import Journal
from jackstay.testing.faults import FaultPoints
from tests.contract.journal.rows import (
    TIMEOUT_S,
    Place,
    a_reservation,
    a_run,
    a_settlement,
    a_step,
    the_end,
    write_step,
)


def test_a_fenced_writer_cannot_write(journal: Journal, other: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    other.take_up("run-1", force=True).result(TIMEOUT_S)

    with pytest.raises(LeaseLost, match=r"run-1 was taken over \(lease 1, now 2\)"):
        write_step(journal, lease, "a#1")

    assert other.steps("run-1") == []


def test_a_fenced_write_leaves_the_rest_of_its_batch_standing(place: Place, other: Journal) -> None:
    points = FaultPoints()
    journal = place.open(fault_point=points.hit)
    leases = [journal.create_run(a_run(f"run-{n}")).result(TIMEOUT_S) for n in range(3)]
    gate = points.hold_at("journal.commit")
    waiting = [journal.write(Write(lease, steps=(a_step(lease.run_id),))) for lease in leases]

    other.take_up("run-1", force=True).result(TIMEOUT_S)
    gate.set()

    assert waiting[0].result(TIMEOUT_S)
    assert waiting[2].result(TIMEOUT_S)
    with pytest.raises(LeaseLost):
        waiting[1].result(TIMEOUT_S)
    journal.close()


def test_no_acknowledged_row_is_missing_from_what_the_new_owner_reads(journal: Journal, other: Journal) -> None:
    for round_no in range(20):
        lease = journal.create_run(a_run(f"run-{round_no}")).result(TIMEOUT_S)
        acknowledged: list[str] = []
        begun = Event()
        thread = Thread(target=_write_until_fenced, args=(journal, lease, acknowledged, begun))
        thread.start()
        begun.wait(TIMEOUT_S)

        taken = other.take_up(lease.run_id, force=True).result(TIMEOUT_S)

        thread.join(TIMEOUT_S)
        assert {step.path for step in taken.steps} >= set(acknowledged)
        assert len(other.steps(lease.run_id)) == len(taken.steps)


def test_a_live_owner_keeps_its_run_and_is_named(journal: Journal, other: Journal) -> None:
    journal.create_run(a_run()).result(TIMEOUT_S)

    with pytest.raises(AlreadyRunning, match=r"run run-1 is being driven by process \d+ on .* holds until 20"):
        other.take_up("run-1").result(TIMEOUT_S)


def test_a_silent_owner_loses_its_run_after_the_lease_time(journal: Journal, place: Place) -> None:
    journal.create_run(a_run()).result(TIMEOUT_S)
    place.let_leases_expire()

    taken = journal.take_up("run-1").result(TIMEOUT_S)

    assert taken.lease == Lease("run-1", 2)


def test_an_owner_that_cannot_be_looked_at_keeps_its_run_for_the_lease_time(journal: Journal, place: Place) -> None:
    journal.create_run(a_run()).result(TIMEOUT_S)
    place.execute('update lease set owner = \'{"machine":"elsewhere"}\'')

    with pytest.raises(AlreadyRunning, match="another worker"):
        journal.take_up("run-1").result(TIMEOUT_S)


def test_open_reservations_of_a_dead_epoch_become_lost(journal: Journal, other: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    asked = (a_reservation(path="a#1"), a_reservation(path="b#1", worst_pico=None))
    journal.write(Write(lease, reservations=asked)).result(TIMEOUT_S)
    settled = Write(lease, steps=(a_step(path="a#1"),), settlements=(a_settlement(path="a#1"),))
    journal.write(settled).result(TIMEOUT_S)
    journal.write(Write(lease, reservations=(a_reservation(path="a#2"),))).result(TIMEOUT_S)

    taken = other.take_up("run-1", force=True).result(TIMEOUT_S)

    found = {each.path: (each.state, each.cost_pico) for each in taken.reservations}
    assert found == {"a#1": ("settled", 3_000_000), "b#1": ("lost", None), "a#2": ("lost", 5_000_000)}
    assert all(each.settled_at for each in taken.reservations)


def test_taking_up_reads_the_newest_revision_of_every_step(journal: Journal, other: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    for path, rev in (("a#1", 1), ("b#1", 1), ("a#1", 2)):
        write_step(journal, lease, path, rev=rev)

    taken = other.take_up("run-1", force=True).result(TIMEOUT_S)

    assert [(step.path, step.rev, step.seq) for step in taken.steps] == [("b#1", 1, 2), ("a#1", 2, 3)]


def test_a_run_that_ended_can_go_on(journal: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    journal.request_cancel("run-1").result(TIMEOUT_S)
    journal.write(Write(lease, end=the_end("failed", reason="budget", error='"x"'))).result(TIMEOUT_S)

    run = journal.take_up("run-1").result(TIMEOUT_S).run

    assert (run.status, run.reason, run.error, run.finished_at) == ("running", None, None, None)
    assert (run.attempts, run.cancel_requested) == (2, False)


def test_a_run_that_was_queued_can_be_taken_up_by_one_worker_only(
    journal: Journal, other: Journal, place: Place
) -> None:
    journal.create_run(a_run()).result(TIMEOUT_S)
    place.execute("delete from lease")
    place.execute("update run set status = 'queued', attempts = 0")

    outcomes = [worker.take_up("run-1") for worker in (journal, other)]

    refused = 0
    for outcome in outcomes:
        try:
            assert outcome.result(TIMEOUT_S).lease == Lease("run-1", 1)
        except AlreadyRunning:
            refused += 1
    run = journal.run("run-1")
    assert refused == 1
    assert run is not None
    assert run.attempts == 1


def test_an_unknown_run_cannot_be_taken_up(journal: Journal) -> None:
    with pytest.raises(NotFoundError, match="no run nothing"):
        journal.take_up("nothing").result(TIMEOUT_S)


def test_renewing_tells_which_runs_are_still_held(journal: Journal, other: Journal) -> None:
    leases = [journal.create_run(a_run(f"run-{n}")).result(TIMEOUT_S) for n in range(4)]
    before = journal.lease("run-0")
    journal.write(Write(leases[1], end=the_end())).result(TIMEOUT_S)
    other.take_up("run-2", force=True).result(TIMEOUT_S)

    held = journal.renew(leases, {"run-0": "asking gpt-4.1-mini", "run-2": "?"}).result(TIMEOUT_S)

    after, taken = journal.lease("run-0"), journal.lease("run-2")
    assert held == {"run-0", "run-3"}
    assert before is not None
    assert after is not None
    assert after.expires_at is not None
    assert before.expires_at is not None
    assert after.expires_at >= before.expires_at
    assert after.activity == "asking gpt-4.1-mini"
    assert taken is not None
    assert taken.activity is None


def test_two_processes_that_store_the_same_blobs_do_not_block_one_another(journal: Journal, other: Journal) -> None:
    blobs = [Blob(f"{number:064}", b"content") for number in range(200)]
    mine = [journal.create_run(a_run(f"mine-{n}")).result(TIMEOUT_S) for n in range(20)]
    theirs = [other.create_run(a_run(f"theirs-{n}")).result(TIMEOUT_S) for n in range(20)]

    waiting: list[Any] = []
    for round_no in range(10):
        some = tuple(blobs[round_no * 20 : round_no * 20 + 20])
        waiting += [journal.write(Write(lease, blobs=some)) for lease in mine]
        waiting += [other.write(Write(lease, blobs=some[::-1])) for lease in theirs]
        waiting += [journal.renew(mine, {}), other.renew(theirs[::-1], {})]

    assert all(pending.result(TIMEOUT_S) is not None for pending in waiting)
    assert other.blob(blobs[-1].sha256) == b"content"


def test_a_cancel_is_seen_by_whoever_drives_the_run(journal: Journal, other: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    journal.create_run(a_run("run-2")).result(TIMEOUT_S)

    asked = other.request_cancel("run-1").result(TIMEOUT_S)

    assert asked
    assert journal.cancel_requested(["run-1", "run-2"]) == {"run-1"}
    journal.write(Write(lease, end=the_end("cancelled"))).result(TIMEOUT_S)
    assert not other.request_cancel("run-1").result(TIMEOUT_S)
    assert not other.request_cancel("nothing").result(TIMEOUT_S)


def _write_until_fenced(journal: Journal, lease: Lease, acknowledged: list[str], begun: Event) -> None:
    for number in itertools.count():
        try:
            acknowledged.append(write_step(journal, lease, f"a#{number}").path)
        except LeaseLost:
            return
        begun.set()
