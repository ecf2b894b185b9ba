"""A process is stopped, taken for dead, and wakes up: it writes nothing any more, and nothing more is asked.

Here the lease is taken by force, which is what its end amounts to; `make prove` waits until its time is up.

A process that is stopped while it is committing holds SQLite's lock on the file, which nobody can take from it. So it is
stopped before or after a commit; on PostgreSQL, whose server ends such a transaction after 5 s, anywhere with `make
prove`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jackstay.journal import open_journal
from jackstay.journal.location import from_url
from jackstay.testing import Stub
from tests.chaos import crashes
from tests.chaos.crashes import Normal, check, comparable, resumed, undisturbed
from tests.chaos.kills import seeded
from tests.chaos.processes import Child, Warm

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

Expire = Callable[[str], None]
PROGRAMS = range(0, 60, 10)


def take_by_force(database_url: str) -> None:
    """As if the lease's time were up: the run is taken up, and given back when the journal is closed."""
    with closing(open_journal(from_url(database_url))) as journal:
        run = journal.run_by_key(crashes.KEY)
        if run is not None and run.status == "running":
            journal.take_up(run.id, force=True).result(20)


def wait_for_end_of_lease(database_url: str) -> None:
    with closing(open_journal(from_url(database_url))) as journal:
        run = journal.run_by_key(crashes.KEY)
        while run is not None and (lease := journal.lease(run.id)) is not None and lease.live:
            threading.Event().wait(0.1)


@pytest.mark.parametrize("number", PROGRAMS)
def test_stopped_process_that_wakes_up_after_its_run_was_finished_elsewhere_writes_nothing(
    warm, database_url, tmp_path, number
):
    normal, (seed, rng) = undisturbed(warm, number, tmp_path / "normal"), seeded(None)
    point = rng.choice(around_commits(normal))
    print(f"seed {seed}: program {number} stopped at {point} ({normal.points[point]})")

    stop_and_wake(warm, normal, point, database_url, tmp_path, take_by_force)


@pytest.mark.prove
@pytest.mark.parametrize("number", PROGRAMS)
def test_process_stopped_past_its_lease_writes_nothing(warm, database_url, tmp_path, record_property, number):
    seed, rng = seeded(None)
    normal = undisturbed(warm, number, tmp_path / "normal")
    anywhere = database_url.startswith("postgresql")
    point = rng.choice(range(len(normal.points)) if anywhere else around_commits(normal))
    record_property("seed", seed)
    record_property("stopped at", normal.points[point])

    asked = stop_and_wake(warm, normal, point, database_url, tmp_path, wait_for_end_of_lease)

    record_property("asked by the zombie", asked)


def around_commits(normal: Normal) -> list[int]:
    return [number for number, name in enumerate(normal.points) if name.startswith("journal.")]


def stop_and_wake(warm: Warm, normal: Normal, point: int, url: str, folder: Path, expire: Expire) -> int:
    """How many requests the process sent after it had woken up."""
    with Stub(crashes.answer) as stub:
        stop = {"SIGNAL_AT": str(point), "SIGNAL": "SIGSTOP"}
        zombie = crashes.started(warm, stub, normal.seed, folder / "zombie", url, stop)
        if not zombie.wait_for_stop():
            return 0  # the last points of a program whose branches run side by side are not passed every time
        try:
            expire(url)
            crash = resumed(warm, stub, normal.seed, point, folder, url, met=True)
            recorded, asked = everything(url), len(stub.requests)
        finally:
            zombie.wake()
        status = zombie.wait()
        stub.wait_for(lambda s: s.in_flight == 0)
        asked_by_zombie = len(stub.requests) - asked
    ended_well(zombie, status, normal, anywhere=not normal.points[point].startswith("journal."))
    assert everything(url) == recorded
    check(crash, normal)
    # What it had reserved before it was stopped, and what stands in the books as lost, may still go out.
    assert asked_by_zombie <= crash.at_end.lost
    return asked_by_zombie


def ended_well(zombie: Child, status: int, normal: Normal, *, anywhere: bool) -> None:
    """It was told that its run is not its own any more, unless it had written the run's end before it was stopped, or
    not yet its beginning."""
    if status == 0:
        assert comparable(zombie.result) == comparable(normal.result)
        return
    allowed = {"LeaseLost", "AlreadyRunning"}
    if anywhere:  # in the middle of a commit, which the server has ended: it does not know what became of it
        allowed.add("StorageUnavailable")
    assert zombie.raised in allowed, zombie.output


def everything(database_url: str) -> list[Any]:
    """All that the journal has of the run."""
    with closing(open_journal(from_url(database_url))) as journal:
        run = journal.run_by_key(crashes.KEY)
        assert run is not None
        rows, reservations = journal.steps(run.id, latest_only=False), journal.reservations(run.id)
        return [run, rows, reservations, journal.waits(run.id), journal.lease(run.id)]
