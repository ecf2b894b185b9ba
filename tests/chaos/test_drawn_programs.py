"""Drawn crews and flows, crashed with SIGKILL at their fault points and resumed.

Fault points are: before and after each commit, each event, each start and end of users' functions (`user code`). Here
all 60 programs are crashed at two drawn points each, which takes 40 s of one core. `make prove` takes every point of
200 programs, two programs at a time: about 8 minutes for 20 of them on two busy cores. Of events that follow one another
with nothing stored or called between them it takes the first (`Normal.different_points`).

JACKSTAY_CRASH_SEED repeats a draw of points; the programs are always the same.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from queue import SimpleQueue

import pytest

from jackstay.journal import from_url, upgrade
from tests.chaos.crashes import Crash, Normal, check, crash_and_resume, fail_and_resume, kill_and_resume, undisturbed
from tests.chaos.kills import seeded
from tests.chaos.processes import Warm, warm_process
from tests.postgres import Server
from tests.programs.drawn import SHAPES, TRAITS, WORKS, drawn

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

SAMPLED, PROVED, GROUP = 60, 200, 10
Disturb = Callable[[Warm, int, int, Path, str], Crash]


def test_drawn_programs_have_everything_that_a_program_may_have():
    plans = [drawn(seed) for seed in range(SAMPLED)]

    found = Counter(word for plan in plans for word in plan.contents)
    assert not {*TRAITS, *WORKS, "async", "router", "repeat", "and", "or"} - found.keys()
    assert {frozenset(m.name for m in plan.methods) for plan in plans} >= {
        frozenset(shape) for shape in SHAPES.values()
    }
    assert sum(1 for plan in plans if plan.crew) > SAMPLED / 4


@pytest.mark.parametrize("first", range(0, SAMPLED, GROUP))
def test_program_crashed_at_a_drawn_point_ends_as_if_undisturbed(warm, tmp_path, first):
    given = os.environ.get("JACKSTAY_CRASH_SEED")
    seed, rng = seeded(int(given) if given else None)
    print(f"JACKSTAY_CRASH_SEED={seed}")

    for number in range(first, first + GROUP):
        normal = undisturbed(warm, number, tmp_path / f"normal {number}")
        points = rng.sample(range(len(normal.points)), 2)
        crashes = [
            crashed(crash_and_resume, warm, normal, point, tmp_path / f"{number} at {point}") for point in points
        ]
        # The last points of a program whose branches run side by side are not passed every time.
        assert any(crash.met for crash in crashes)


@pytest.mark.parametrize("first", range(0, SAMPLED, 2 * GROUP))
def test_program_one_of_whose_commits_failed_stops_and_ends_as_if_undisturbed(warm, tmp_path, first):
    seed, rng = seeded(None)

    for number in range(first, first + 2 * GROUP, 4):
        normal = undisturbed(warm, number, tmp_path / f"normal {number}")
        commit = rng.randrange(normal.commits)
        print(f"seed {seed}: commit {commit} of program {number}")
        crashed(fail_and_resume, warm, normal, commit, tmp_path / f"{number} at {commit}")


@pytest.mark.prove
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(0, PROVED, 2 * GROUP))
def test_program_crashed_at_every_point_ends_as_if_undisturbed(tmp_path, record_property, first):
    crashes = everywhere(crash_and_resume, lambda normal: normal.different_points, tmp_path, first)

    tell(crashes, record_property)


@pytest.mark.prove
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(0, SAMPLED, 2 * GROUP))
def test_program_each_of_whose_commits_failed_once_ends_as_if_undisturbed(tmp_path, record_property, first):
    crashes = everywhere(fail_and_resume, lambda normal: range(normal.commits), tmp_path, first)

    tell(crashes, record_property)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_database(request, tmp_path) -> Callable[[int], AbstractContextManager[str]]:
    """Makes one with the journal's tables, for each number."""
    if request.param == "sqlite":
        return lambda number: nullcontext(f"sqlite:///{tmp_path / f'{number}.db'}")
    server: Server = request.getfixturevalue("postgres_server")

    @contextmanager
    def made(number: int) -> Iterator[str]:
        with server.database() as name:
            upgrade(from_url(server.url(name)))
            yield server.url(name)

    return made


@pytest.mark.prove
def test_eighty_programs_killed_at_a_drawn_request_end_as_if_undisturbed(
    warm, empty_database, tmp_path, record_property
):
    """With the ten moments of both programs of `test_kill_and_resume`, a hundred kills on each database."""
    seed, rng = seeded(None)
    record_property("seed", seed)

    crashes = []
    for number in range(PROVED - 80, PROVED):
        normal = undisturbed(warm, number, tmp_path / f"normal {number}")
        with empty_database(number) as url:
            request = rng.randrange(normal.requests)
            crashes.append(kill_and_resume(warm, number, request, tmp_path / str(number), url))
            check(crashes[-1], normal)

    tell(crashes, record_property)


def everywhere(disturb: Disturb, points_of: Callable[[Normal], Sequence[int]], folder: Path, first: int) -> list[Crash]:
    """All of these points of 20 programs, two programs at a time."""
    with warm_process() as one, warm_process() as other:
        idle: SimpleQueue[Warm] = SimpleQueue()
        idle.put(one)
        idle.put(other)

        def program(number: int) -> list[Crash]:
            warm = idle.get()
            try:
                normal = undisturbed(warm, number, folder / f"normal {number}")
                return [
                    crashed(disturb, warm, normal, point, folder / f"{number} at {point}")
                    for point in points_of(normal)
                ]
            finally:
                idle.put(warm)

        with ThreadPoolExecutor(2) as pool:
            crashes = [crash for many in pool.map(program, range(first, first + 2 * GROUP)) for crash in many]
    # The last points of a program whose branches run side by side are not passed every time.
    assert sum(crash.met for crash in crashes) > 0.9 * len(crashes)
    return crashes


def crashed(disturb: Disturb, warm: Warm, normal: Normal, point: int, folder: Path) -> Crash:
    folder.mkdir()
    crash = disturb(warm, normal.seed, point, folder, f"sqlite:///{folder / 'journal.db'}")
    check(crash, normal)
    shutil.rmtree(folder)
    return crash


def tell(crashes: Sequence[Crash], record_property) -> None:
    """Into the report of `make prove`."""
    record_property("crashes", sum(crash.met for crash in crashes))
    record_property("calls recorded before", sum(crash.at_crash.attempts for crash in crashes))
    record_property("calls issued again", sum(crash.before - crash.at_crash.attempts for crash in crashes))
    record_property("lost", sum(crash.at_end.lost for crash in crashes))
