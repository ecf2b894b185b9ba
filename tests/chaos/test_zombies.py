"""A process is stopped, taken for dead, and wakes up: it writes nothing any more, and nothing more is asked.

Here the lease is taken by force, which is what its end amounts to; `make prove` waits until its time is up.

A process that is stopped while it is committing holds SQLite's lock on the file, which nobody can take from it. So it is
stopped before or after a commit; on PostgreSQL, whose server ends such a transaction after 5 s, anywhere with `make
prove`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from jackstay.journal import open_journal
from jackstay.journal.location import from_url
from jackstay.testing import Stub, StubRequest
from tests.chaos import crashes
from tests.chaos.crashes import Normal, check, comparable, resumed, undisturbed
from tests.chaos.kills import seeded, wait_until_all_is_seen
from tests.chaos.processes import Child, Warm

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

Expire = Callable[[str], None]
PROGRAMS = range(0, 60, 20)


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
    moment = drawn_moment(normal, rng, "journal.")
    print(f"seed {seed}: program {number} stopped at {moment}")

    stop_and_wake(warm, normal, moment, database_url, tmp_path, take_by_force)


@pytest.mark.prove
@pytest.mark.parametrize("number", range(0, 60, 10))
def test_process_stopped_past_its_lease_writes_nothing(warm, database_url, tmp_path, record_property, number):
    seed, rng = seeded(None)
    normal = undisturbed(warm, number, tmp_path / "normal")
    moment = drawn_moment(normal, rng, "" if database_url.startswith("postgresql") else "journal.")
    record_property("seed", seed)
    record_property("stopped at", str(moment))

    asked = stop_and_wake(warm, normal, moment, database_url, tmp_path, wait_for_end_of_lease)

    record_property("asked by the zombie", asked)


def test_program_that_catches_everything_is_told_again_and_again_that_its_run_is_lost(warm, database_url, tmp_path):
    child: Future[Child] = Future()
    stopped: list[StubRequest] = []

    async def stop_once(request: StubRequest) -> None:
        if request.index == 3 and not stopped:
            stopped.append(request)
            (await asyncio.wrap_future(child)).stop()

    with Stub(stop_once) as stub:
        environ = {**stub.environ(), "JACKSTAY_DATABASE_URL": database_url}
        catching = {**environ, "CATCH_ALL": "yes"}
        zombie = warm.run("stubborn", environ=catching, folder=tmp_path / "zombie", key=crashes.KEY)
        child.set_result(zombie)
        assert zombie.wait_for_stop(), zombie.output
        take_by_force(database_url)
        stub.reset()
        again = warm.run("stubborn", environ=environ, folder=tmp_path / "again", key=crashes.KEY)
        assert again.wait() == 0, again.output
        recorded, asked = everything(database_url), len(stub.requests)
        zombie.wake()
        assert zombie.wait() == 0, zombie.output
        assert len(stub.requests) == asked

    assert again.result["raised"] is None
    assert zombie.result["raised"] == "LeaseLost"
    assert set(zombie.result["told"]) == {"LeaseLost"}
    assert everything(database_url) == recorded


@dataclass(frozen=True)
class Moment:
    """The fault point of that number among those whose names begin so."""

    number: int
    among: str

    def __str__(self) -> str:
        return f"{self.among or 'any'} {self.number}"

    @property
    def environ(self) -> dict[str, str]:
        return {"SIGNAL": "SIGSTOP", "SIGNAL_AT": str(self.number), "SIGNAL_IN": self.among}


def drawn_moment(normal: Normal, rng: Random, among: str) -> Moment:
    return Moment(rng.randrange(sum(name.startswith(among) for name in normal.points)), among)


def stop_and_wake(warm: Warm, normal: Normal, moment: Moment, url: str, folder: Path, expire: Expire) -> int:
    """How many requests the process sent after it had woken up."""
    with Stub(crashes.answer) as stub:
        zombie = crashes.started(warm, stub, normal.seed, folder / "zombie", url, moment.environ)
        if not zombie.wait_for_stop():
            return 0  # the last points of a program whose branches run side by side are not passed every time
        try:
            expire(url)
            crash = resumed(warm, stub, normal.seed, moment.number, folder, url, met=True)
            recorded, asked = everything(url), len(stub.requests)
        finally:
            zombie.wake()
        status = zombie.wait()
        wait_until_all_is_seen(stub)
        asked_by_zombie = len(stub.requests) - asked
    ended_well(zombie, status, normal, anywhere=not moment.among)
    assert everything(url) == recorded
    check(crash, normal)
    # What it had reserved before it was stopped may still go out: it stands in the books as lost.
    assert crash.before - crash.at_crash.attempts + asked_by_zombie <= crash.at_end.lost
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
