"""SIGKILL at drawn moments, resume in a new process: nothing that was answered is asked again, the result is the same.

A sample here; all ten moments of both programs on both databases with `make prove`. JACKSTAY_KILL_SEED repeats a draw.
"""

from __future__ import annotations

import os

import pytest

from jackstay.journal import upgrade
from jackstay.journal.location import from_url
from tests.chaos.kills import Moment, Outcome, Undisturbed, draw_moments, kill_and_resume, seeded, table, undisturbed

PROGRAMS = ("crew_of_five", "flow_of_five")
FIXED_SEED = 20261
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]


@pytest.fixture(scope="session")
def normal_runs(warm, tmp_path_factory) -> dict[str, Undisturbed]:
    return {name: undisturbed(warm, name, tmp_path_factory.mktemp(name)) for name in PROGRAMS}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request, tmp_path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'journal.db'}"
    url: str = request.getfixturevalue("postgres_database")
    upgrade(from_url(url))
    return url


def test_programs_are_as_large_as_the_promise_says(normal_runs):
    crew, flow = (normal_runs[name] for name in PROGRAMS)

    assert (crew.requests, len(crew.turns)) == (20, 15)
    assert (flow.requests, len(flow.turns), len(flow.crew_requests)) == (12, 6, 8)


@pytest.mark.parametrize("program", PROGRAMS)
def test_killed_and_resumed_run_asks_nothing_again_and_ends_alike(warm, normal_runs, program, database_url, tmp_path):
    normal, (seed, rng) = normal_runs[program], seeded(FIXED_SEED)
    ten = draw_moments(normal, rng)
    # Of each sort one on SQLite; PostgreSQL differs in the journal only.
    chosen = [ten[0], ten[3], ten[4], ten[8]] if database_url.startswith("sqlite") else [ten[2], ten[7]]

    check_kills(warm, program, normal, chosen, seed=seed, database_url=database_url, folder=tmp_path)


@pytest.mark.prove
@pytest.mark.parametrize("program", PROGRAMS)
def test_ten_kills_ask_nothing_again_and_end_alike(
    warm, normal_runs, program, database_url, tmp_path, record_property
):
    given = os.environ.get("JACKSTAY_KILL_SEED")
    seed, rng = seeded(int(given) if given else None)
    record_property("seed", seed)

    outcomes = check_kills(
        warm,
        program,
        normal_runs[program],
        draw_moments(normal_runs[program], rng),
        seed=seed,
        database_url=database_url,
        folder=tmp_path,
    )

    record_property("kills", len(outcomes))
    record_property("calls issued again", sum(outcome.reissued for outcome in outcomes))
    record_property("of these allowed", sum(outcome.allowed for outcome in outcomes))


def check_kills(warm, program, normal, moments: list[Moment], *, seed, database_url, folder) -> list[Outcome]:
    outcomes = [
        kill_and_resume(
            warm, program, moment, normal, database_url=database_url, folder=folder / str(number), key=f"kill-{number}"
        )
        for number, moment in enumerate(moments)
    ]
    dialect = database_url.partition(":")[0]
    print("\n" + table(f"{program} on {dialect}, JACKSTAY_KILL_SEED={seed}", outcomes))
    for outcome in outcomes:
        # The stub answers so fast that rule 43 would allow more than the one call that can be in flight here.
        assert outcome.reissued <= min(outcome.allowed, outcome.moment.in_flight), outcome.row()
        assert outcome.before + outcome.after == normal.requests + outcome.reissued, outcome.row()
        assert outcome.before + outcome.after == outcome.attempts + outcome.lost, outcome.row()
        assert _comparable(outcome.result) == _comparable(normal.result), outcome.row()
    return outcomes


def _comparable(result: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in result.items() if name != "run_id"}
