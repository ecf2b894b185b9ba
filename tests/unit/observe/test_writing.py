"""Who writes what was told: whoever waits for it, where that is quick; else the thread. All of it, in order."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Iterator, Sequence

import pytest

from jackstay.core import quickness
from jackstay.observe.writing import Writing


class Quick(int):
    pass


class Written:
    """`quick` are numbers below 100. `by`: who wrote each."""

    def __init__(self) -> None:
        self.by: list[tuple[int, str]] = []
        self.failures: list[Exception] = []
        # So that the thread writes only when it is asked to.
        self.writing: Writing[int] = Writing(
            "writer", self._write, self.failures.append, quick=lambda: Quick, linger_s=60.0
        )

    def _write(self, some: Sequence[int]) -> None:
        self.by += [(one, threading.current_thread().name) for one in some]
        if 13 in some:
            raise OSError("full")

    def told(self, *numbers: int) -> None:
        for one in numbers:
            self.writing.put(Quick(one) if one < 100 else one)
        asyncio.run(self.writing.caught_up(30.0))


@pytest.fixture
def written() -> Iterator[Written]:
    made = Written()
    yield made
    made.writing.close(30.0)


HERE, THREAD = threading.main_thread().name, "writer"


@pytest.fixture(autouse=True)
def _a_quick_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else it does."""
    monkeypatch.setattr(quickness, "SLOW_S", math.inf)


def test_what_is_quick_is_written_by_who_waits_for_it_and_the_rest_by_the_thread(written: Written):
    written.told(1, 2)
    written.told(3, 100, 4)
    written.told(5)

    assert written.by == [(1, HERE), (2, HERE), (3, HERE), (100, THREAD), (4, THREAD), (5, HERE)]


def test_disk_that_was_slow_is_left_to_the_thread_for_a_while(written: Written, monkeypatch):
    monkeypatch.setattr(quickness, "SLOW_S", -1.0)
    monkeypatch.setattr(quickness, "LEFT_ALONE_S", 3600.0)

    written.told(1)
    written.told(2)

    assert written.by == [(1, HERE), (2, THREAD)]


def test_write_that_fails_for_who_waits_is_told_like_any_other(written: Written):
    written.told(13)
    written.told(1)

    assert [str(each) for each in written.failures] == ["full"]
    assert written.by == [(13, HERE), (1, HERE)]


def test_order_stays_when_the_thread_is_at_it(written: Written, monkeypatch):
    at_it, go_on = threading.Event(), threading.Event()
    write = written._write

    def held(some: Sequence[int]) -> None:
        if 100 in some:
            at_it.set()
            assert go_on.wait(30)
        write(some)

    monkeypatch.setattr(written.writing, "_write", held)

    async def program() -> None:
        written.writing.put(100)
        first = written.writing.mark()
        assert await asyncio.to_thread(at_it.wait, 30)
        written.writing.put(1)
        waiting = asyncio.ensure_future(written.writing.caught_up(30.0))
        await asyncio.sleep(0)
        assert not waiting.done()
        go_on.set()
        await asyncio.gather(first, waiting)

    asyncio.run(program())

    assert written.by == [(100, THREAD), (1, THREAD)]
