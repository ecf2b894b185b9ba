"""What all processes of a database share about model calls: budgets, breakers, cached answers, waits."""

from __future__ import annotations

import json
from contextlib import closing
from threading import Thread
from typing import Any

import pytest

from jackstay.core.budget import Amount, Ceiling, DoesNotFit, Hold
from jackstay.core.records import Lease, Wait, Write
from jackstay.errors import LeaseLost
from jackstay.journal import Journal, from_url, open_journal, upgrade
from jackstay.journal.schema import SCHEMA_VERSION
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


def a_hold(pico: int, *, most: int | None = 100, name: str = "b", **more: Any) -> Hold:
    return Hold(name, more.pop("period", ""), Amount(pico, 10, 1), Ceiling(pico=most, **more))


def reserve(journal: Journal, lease: Lease, number: int, *holds: Hold) -> None:
    held = json.dumps([[hold.budget, hold.period] for hold in holds])
    worst = holds[0].worst
    row = a_reservation(
        lease.run_id, f"llm#{number}", worst_pico=worst.pico, worst_input_tokens=4, worst_output_tokens=6, held=held
    )
    journal.write(Write(lease, reservations=(row,), holds=holds)).result(TIMEOUT_S)


def settle(journal: Journal, lease: Lease, number: int, used: Amount, *holds: Hold) -> None:
    ended = a_settlement(lease.run_id, f"llm#{number}", cost_pico=used.pico, holds=holds, used=used)
    journal.write(Write(lease, settlements=(ended,))).result(TIMEOUT_S)


# --- budgets -----------------------------------------------------------------------------------------------------------


def test_hold_is_set_aside_and_settled_with_what_was_used(journal: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)

    reserve(journal, lease, 1, a_hold(60))
    assert journal.budget("b") == (Amount(), Amount(60, 10, 1))

    settle(journal, lease, 1, Amount(25, 7, 1), a_hold(60))
    assert journal.budget("b") == (Amount(25, 7, 1), Amount())


def test_what_does_not_fit_is_refused_with_nothing_written(journal: Journal, other: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    reserve(journal, lease, 1, a_hold(60))
    another = other.create_run(a_run("run-2")).result(TIMEOUT_S)

    with pytest.raises(DoesNotFit) as refused:
        reserve(other, another, 1, a_hold(50))

    assert (refused.value.spent, refused.value.reserved) == (Amount(), Amount(60, 10, 1))
    assert other.reservations("run-2") == []
    reserve(other, another, 1, a_hold(40))


def test_of_several_budgets_all_hold_or_none(journal: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)

    with pytest.raises(DoesNotFit):
        reserve(journal, lease, 1, a_hold(60, name="a"), a_hold(60, name="b", most=50))

    assert journal.budget("a") == journal.budget("b") == (Amount(), Amount())


def test_refused_hold_of_a_new_run_leaves_no_run(journal: Journal) -> None:
    first = Write(Lease("run-1", 1), reservations=(a_reservation(worst_pico=200),), holds=(a_hold(200),))

    with pytest.raises(DoesNotFit):
        journal.create_run(a_run(), write=first).result(TIMEOUT_S)

    assert journal.run("run-1") is None
    journal.create_run(a_run()).result(TIMEOUT_S)


def test_every_kind_of_ceiling_is_kept_and_periods_are_apart(journal: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    reserve(journal, lease, 1, a_hold(1, most=None, calls=1, period="2026-11"))
    with pytest.raises(DoesNotFit):
        reserve(journal, lease, 2, a_hold(1, most=None, calls=1, period="2026-11"))
    with pytest.raises(DoesNotFit):
        reserve(journal, lease, 2, a_hold(1, most=None, tokens=9, period="2026-12"))

    reserve(journal, lease, 2, a_hold(1, most=None, calls=1, tokens=10, period="2026-12"))


def test_takeover_spends_what_was_held_at_its_worst_once(journal: Journal, other: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    reserve(journal, lease, 1, a_hold(60))

    for _ in range(2):
        other.take_up("run-1", force=True).result(TIMEOUT_S)

    assert journal.budget("b") == (Amount(60, 10, 1), Amount())


def test_process_that_lost_its_lease_neither_holds_nor_settles(journal: Journal, other: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    reserve(journal, lease, 1, a_hold(60))
    other.take_up("run-1", force=True).result(TIMEOUT_S)

    with pytest.raises(LeaseLost):
        reserve(journal, lease, 2, a_hold(10))
    with pytest.raises(LeaseLost):
        settle(journal, lease, 1, Amount(1, 1, 1), a_hold(60))

    assert journal.budget("b") == (Amount(60, 10, 1), Amount())


def test_many_at_once_never_hold_more_than_there_is(place: Place) -> None:
    """Two budgets, taken in both orders: nobody waits for ever, and neither is exceeded."""
    journals = [place.open() for _ in range(4)]
    fits: list[int] = []

    def work(number: int) -> None:
        journal = journals[number]
        lease = journal.create_run(a_run(f"run-{number}")).result(TIMEOUT_S)
        holds = [a_hold(7, name="a", most=100), a_hold(7, name="b", most=90)]
        for turn in range(10):
            try:
                reserve(journal, lease, turn, *(holds if number % 2 else holds[::-1]))
                fits.append(number)
            except DoesNotFit:
                continue

    threads = [Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    held = [journals[0].budget(name)[1].pico for name in ("a", "b")]
    for journal in journals:
        journal.close()

    assert len(fits) == 12
    assert held == [84, 84]


# --- breakers ------------------------------------------------------------------------------------------------------------


def test_breaker_opens_at_the_threshold_for_all_and_one_probes(journal: Journal, other: Journal) -> None:
    for _ in range(2):
        journal.breaker_failed("m", "server_error", threshold=3, open_s=30).result(TIMEOUT_S)
    (row,) = other.breakers()
    assert (row.failures, row.open_for_s) == (2, 0)

    other.breaker_failed("m", "timeout", threshold=3, open_s=30).result(TIMEOUT_S)
    (row,) = journal.breakers()
    assert (row.failures, row.reason) == (3, "timeout")
    assert 25 < row.open_for_s <= 30
    assert journal.claim_probe("m", 10).result(TIMEOUT_S) is False


def test_one_of_two_gets_the_probe_and_an_answer_closes_it(journal: Journal, other: Journal, place: Place) -> None:
    journal.breaker_failed("m", "server_error", threshold=1, open_s=30).result(TIMEOUT_S)
    place.execute("update breaker set open_until = 1")

    claims = [journal.claim_probe("m", 10).result(TIMEOUT_S), other.claim_probe("m", 10).result(TIMEOUT_S)]
    assert claims == [True, False]

    journal.breaker_closed("m").result(TIMEOUT_S)
    assert other.breakers() == []


# --- cached answers ------------------------------------------------------------------------------------------------------


def test_cached_answer_is_the_latest_and_no_older_than_asked(journal: Journal, other: Journal, place: Place) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    for number in (1, 2):
        row = write_step(journal, lease, f"llm#{number}", result=f'{{"text":"{number}"}}')
        journal.remember_answer("q", row).result(TIMEOUT_S)

    found = other.cached_answer("q", 60)
    assert found is not None
    assert found.result == '{"text":"2"}'
    assert other.cached_answer("another", 60) is None

    place.execute("update answer_cache set created_at = created_at - 61000000")
    assert other.cached_answer("q", 60) is None


def test_index_without_its_row_is_no_answer(journal: Journal) -> None:
    journal.remember_answer("q", a_step()).result(TIMEOUT_S)
    assert journal.cached_answer("q", 60) is None


# --- waits -----------------------------------------------------------------------------------------------------------------


def suspended(journal: Journal) -> Wait:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    wait = Wait("run-1", "crew#1", 1, "budget", "more?", None, None, NOW)
    journal.write(Write(lease, waits=(wait,), end=the_end("waiting", finished_at=None))).result(TIMEOUT_S)
    return wait


def test_of_racing_answers_one_wins(journal: Journal, other: Journal) -> None:
    wait = suspended(journal)
    answers = [
        journal.answer_wait(wait, '{"usd":"1"}', by="ann").result(TIMEOUT_S),
        other.answer_wait(wait, '{"usd":"2"}', by="bob").result(TIMEOUT_S),
    ]

    assert answers == [True, False]
    (read,) = other.waits("run-1")
    assert (read.answered_by, read.answer) == ("ann", '{"usd":"1"}')
    takeover = journal.take_up("run-1").result(TIMEOUT_S)
    assert (takeover.waits, takeover.run.status) == ((read,), "running")


def test_raising_a_budget_answers_the_open_wait_and_else_notes_it_for_the_run(journal: Journal) -> None:
    suspended(journal)
    for usd in (1, 2):
        journal.allow("run-1", f'{{"usd":"{usd}"}}', by="me").result(TIMEOUT_S)

    assert [(wait.path, wait.answer) for wait in journal.waits("run-1")] == [
        ("crew#1", '{"usd":"1"}'),
        ("", '{"usd":"2"}'),
    ]


# --- the version before ------------------------------------------------------------------------------------------------------


def test_runs_of_the_version_before_are_kept_and_go_on(sqlite_place: Place) -> None:
    location = from_url(sqlite_place.url)
    _as_version_0001(sqlite_place)
    run, step = a_run(), a_step()
    columns = "id, kind, name, created_at, status, priority, attempts, cancel_requested, format"
    sqlite_place.execute(f"insert into run ({columns}) values ('{run.id}', 'crew', 'old', 1, 'failed', 0, 1, 0, 1)")
    columns = (
        "run_id, path, kind, name, status, args_hash, started_at, finished_at, rev, seq, epoch, attempts, hash_version, "
        "input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, duration_us, format"
    )
    sqlite_place.execute(
        f"insert into step ({columns}) values ('{run.id}', '{step.path}', 'llm', 'm', 'succeeded', 'h', 1, 2, 1, 1, 1, 1, 1, "
        "0, 0, 0, 0, 0, 5, 1)"
    )

    with closing(open_journal(location)) as journal:
        takeover = journal.take_up(run.id).result(TIMEOUT_S)

    assert [(each.path, each.tried) for each in takeover.steps] == [(step.path, None)]


def _as_version_0001(place: Place) -> None:
    from sqlalchemy import create_engine

    from jackstay.journal.migrations import run_migrations

    with create_engine(place.url).begin() as connection:
        run_migrations(connection, "0001")
    assert place.execute("select version_num from jackstay_version") == [("0001",)]


def test_upgrade_says_from_which_version_to_which(sqlite_place: Place) -> None:
    _as_version_0001(sqlite_place)
    assert upgrade(from_url(sqlite_place.url)) == ("0001", SCHEMA_VERSION)
