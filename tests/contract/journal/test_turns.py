"""Rows that an event loop asks for: committed by the loop itself at the end of its turn, if nobody has to be waited for."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jackstay.core import quickness
from jackstay.core.records import Lease, Write
from jackstay.journal import Journal
from jackstay.journal.location import Durability
from tests.contract.journal.rows import TIMEOUT_S, Place, a_run, a_step

LOG_PAGES = 2_500
DURABLE: tuple[Durability, ...] = ("full", "normal")


class Seen:
    """Which thread commits, and how often."""

    def __init__(self) -> None:
        self.by: Counter[str] = Counter()

    def __call__(self, point: str) -> None:
        if point == "journal.commit":
            self.by["here" if threading.current_thread() is threading.main_thread() else "thread"] += 1


@pytest.fixture(autouse=True)
def _a_quick_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else it does."""
    monkeypatch.setattr(quickness, "SLOW_S", math.inf)


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def journal(sqlite_place: Place, seen: Seen) -> Iterator[Journal]:
    with closing(sqlite_place.open(fault_point=seen)) as opened:
        yield opened


@pytest.fixture
def lease(journal: Journal, seen: Seen) -> Lease:
    made = journal.create_run(a_run()).result(TIMEOUT_S)
    assert seen.by == {"thread": 1}
    journal.write(Write(made)).result(TIMEOUT_S)  # so that the thread has come to rest after the first one
    seen.by.clear()
    return made


def row(lease: Lease, number: int) -> Write:
    return Write(lease, steps=(a_step(path=f"a#{number}"),))


def paths(journal: Journal) -> list[str]:
    return [step.path for step in journal.steps("run-1")]


def raw(place: Path) -> sqlite3.Connection:
    return sqlite3.connect(place / "journal.db", isolation_level=None)


def test_a_turn_of_a_loop_is_one_transaction_of_the_loop(journal: Journal, lease: Lease, seen: Seen) -> None:
    async def write(number: int) -> None:
        await journal.write(row(lease, number))

    async def write_all() -> None:
        await asyncio.gather(*map(write, range(100)))
        await asyncio.gather(*map(write, range(100, 200)))

    asyncio.run(write_all())

    assert paths(journal) == [f"a#{number}" for number in range(200)]
    assert seen.by == {"here": 2}


def test_what_is_asked_for_at_once_is_committed_with_what_stands_before_it(
    journal: Journal, lease: Lease, seen: Seen
) -> None:
    async def write() -> None:
        assert journal.write(row(lease, 0), at_once=True).done()
        before = journal.write(row(lease, 1))
        assert not before.done()
        assert await journal.write(row(lease, 2), at_once=True) == (3,)
        assert before.done()
        assert await journal.write(row(lease, 3)) == (4,)

    asyncio.run(write())

    assert paths(journal) == [f"a#{number}" for number in range(4)]
    assert seen.by == {"here": 3}


def test_what_is_asked_for_at_once_waits_for_another_process_in_the_thread(
    journal: Journal, lease: Lease, seen: Seen, tmp_path: Path
) -> None:
    async def write_while_locked() -> tuple[int, ...]:
        with closing(raw(tmp_path)) as other:
            other.execute("begin immediate")
            writing = journal.write(row(lease, 0), at_once=True)
            assert not writing.done()
            other.execute("rollback")
        return await writing

    assert asyncio.run(write_while_locked()) == (1,)
    assert seen.by["here"] == 1


def test_a_loop_does_not_wait_for_the_lock_of_another_process(
    journal: Journal, lease: Lease, seen: Seen, tmp_path: Path
) -> None:
    async def write_while_locked() -> None:
        with closing(raw(tmp_path)) as other:
            other.execute("begin immediate")
            writing = asyncio.gather(*(journal.write(row(lease, number)) for number in range(3)))
            for _ in range(3):
                await asyncio.sleep(0)
            assert seen.by["here"] == 1
            later = asyncio.ensure_future(_waited(journal, row(lease, 3)))
            await asyncio.sleep(0)
            assert not writing.done()
            other.execute("rollback")
        await asyncio.wait_for(asyncio.gather(writing, later), TIMEOUT_S)

    asyncio.run(write_while_locked())

    assert paths(journal) == [f"a#{number}" for number in range(4)]


async def _waited(journal: Journal, write: Write) -> None:
    await journal.write(write)


def test_who_waits_in_the_thread_of_the_loop_is_not_waited_for_by_it(journal: Journal, lease: Lease) -> None:
    async def write_and_wait() -> None:
        first = journal.write(row(lease, 1))
        journal.write(row(lease, 2)).result(TIMEOUT_S)
        assert first.done()

    asyncio.run(write_and_wait())

    assert paths(journal) == ["a#1", "a#2"]


def test_what_a_turn_has_asked_for_is_committed_before_what_another_asks_later(journal: Journal, lease: Lease) -> None:
    async def write_and_lose() -> None:
        writing = journal.write(row(lease, 1))
        await journal.take_up("run-1", force=True)  # from then on the lease is no good
        assert await writing

    asyncio.run(write_and_lose())

    assert paths(journal) == ["a#1"]


def test_closing_commits_what_a_turn_has_asked_for(sqlite_place: Place, journal: Journal, lease: Lease) -> None:
    async def write_and_close() -> None:
        journal.write(row(lease, 1))
        journal.close()

    asyncio.run(write_and_close())

    with closing(sqlite_place.open()) as other:
        assert paths(other) == ["a#1"]


def test_a_bad_row_does_not_fail_the_others_of_its_turn(journal: Journal, lease: Lease) -> None:
    bad = Write(lease, steps=(a_step(path="a#2", name="\ud800"),))

    async def write_all() -> list[object]:
        writing = (_waited(journal, write) for write in (row(lease, 1), bad, row(lease, 3)))
        return await asyncio.gather(*writing, return_exceptions=True)

    first, second, third = asyncio.run(write_all())

    assert first is third is None
    assert "run-1" in str(second)
    assert paths(journal) == ["a#1", "a#3"]


@pytest.mark.parametrize("durability", DURABLE)
def test_a_disk_that_is_waited_for_is_the_threads(sqlite_place: Place, seen: Seen, durability: Durability) -> None:
    with closing(sqlite_place.open(durability=durability, fault_point=seen)) as opened:
        lease = opened.create_run(a_run()).result(TIMEOUT_S)
        opened.write(Write(lease)).result(TIMEOUT_S)
        asyncio.run(_waited(opened, row(lease, 1)))

    assert seen.by["here"] == (durability == "normal")


def test_a_slow_disk_is_left_to_the_thread_for_a_while(
    journal: Journal, lease: Lease, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quickness, "SLOW_S", -1.0)

    async def write_all() -> None:
        for number in range(3):
            await journal.write(row(lease, number))

    asyncio.run(write_all())

    assert seen.by == {"here": 1, "thread": 2}


def test_the_log_does_not_grow(journal: Journal, lease: Lease, seen: Seen, tmp_path: Path) -> None:
    async def write_all() -> None:
        for number in range(1_000):
            await journal.write(row(lease, number))

    asyncio.run(write_all())

    assert seen.by["here"] > 900
    assert seen.by["thread"] >= 9  # which empties the log
    assert (tmp_path / "journal.db-wal").stat().st_size < LOG_PAGES * 4096
