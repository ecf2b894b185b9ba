"""Rate limits that processes share: turns, pauses, shares of what may run at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from jackstay.core.gcra import LATE_US, correction_us, request_cost_us, token_cost_us
from jackstay.core.limits import Limit, LimitAsk, Turns
from jackstay.journal import Journal, limits
from tests.contract.journal.rows import TIMEOUT_S, Place
from tests.limiter_counts import counted

KEY = Limit("openai:OPENAI_API_KEY", requests_per_min=60)
ROOM = Limit("openai:OPENAI_API_KEY", concurrent=4)
STEP_S = request_cost_us(60) / 1e6


@pytest.fixture
def other(place: Place) -> Iterator[Journal]:
    """The journal of another process."""
    opened = place.open()
    yield opened
    opened.close()


def ask(journal: Journal, limit: Limit, *tokens: int, **more: Any) -> Turns:
    return journal.take_turns(LimitAsk(limit, tokens, **more)).result(TIMEOUT_S)


def test_processes_queue_up_behind_one_another(journal: Journal, other: Journal) -> None:
    waits = [ask(each, KEY, 0).wait_s[0] for each in (journal, other, journal, other)]

    assert waits[0] == 0
    assert waits[1:] == pytest.approx([n * STEP_S - LATE_US / 1e6 for n in (1, 2, 3)], abs=0.3)


def test_several_turns_are_taken_at_once(journal: Journal, other: Journal) -> None:
    turns = ask(journal, KEY, 0, 0, 0)

    assert turns.wait_s == pytest.approx((0, STEP_S - 0.2, 2 * STEP_S - 0.2), abs=0.01)
    assert ask(other, KEY, 0).wait_s[0] == pytest.approx(3 * STEP_S - 0.2, abs=0.3)


def test_threads_that_ask_at_once_get_different_turns(journal: Journal, other: Journal) -> None:
    waits: list[float] = []

    def take(mine: Journal) -> None:
        waits.extend(ask(mine, Limit("x", requests_per_min=10), 0).wait_s[0] for _ in range(10))

    threads = [threading.Thread(target=take, args=(each,)) for each in (journal, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)

    waits.sort()
    apart = [later - earlier for earlier, later in pairwise(waits[1:])]
    assert min(apart) > request_cost_us(10) / 1e6 - 2
    assert waits[-1] == pytest.approx(19 * request_cost_us(10) / 1e6, abs=2)


def test_tokens_are_taken_by_estimate_and_corrected_by_the_answer(journal: Journal, other: Journal) -> None:
    limit = Limit("x", tokens_per_min=6_000)
    ask(journal, limit, 600)
    before = ask(other, limit, 0).wait_s[0]

    ask(journal, limit, correction_us=correction_us(limit, reserved=600, used=100), correction_tokens=-500)

    assert before == pytest.approx(token_cost_us(6_000, 600) / 1e6 - 0.2, abs=0.3)
    assert ask(other, limit, 0).wait_s[0] == pytest.approx(token_cost_us(6_000, 100) / 1e6 - 0.2, abs=0.5)
    assert counted(journal, limit.name)[1] == 100


def test_a_pause_holds_every_process_but_not_the_impatient(journal: Journal, other: Journal) -> None:
    journal.pause_limit(KEY.name, 30).result(TIMEOUT_S)
    journal.pause_limit(KEY.name, 1).result(TIMEOUT_S)  # the longer one stays

    held = ask(other, KEY, 0)
    passed = other.take_turns(LimitAsk(KEY, (0,), patient=False)).result(TIMEOUT_S)

    assert len(held.wait_s) == 0
    assert held.paused_s == pytest.approx(30, abs=1)
    assert list(passed.wait_s) == [0]
    assert journal.limits()[0].paused_s == pytest.approx(30, abs=1)


def test_no_more_calls_than_the_limit_run_at_once_across_processes(journal: Journal, other: Journal) -> None:
    first = ask(journal, ROOM, 0, 0, 0, waiting=3)
    second = ask(other, ROOM, 0, 0, 0, waiting=3)

    assert (len(first.wait_s), len(second.wait_s)) == (3, 1)


def test_who_has_its_share_leaves_the_rest_to_those_that_wait(journal: Journal, other: Journal) -> None:
    ask(journal, ROOM, 0, 0, 0, 0, waiting=5)
    assert ask(other, ROOM, 0, waiting=2).wait_s == ()

    again = ask(journal, ROOM, 0, in_use=3, waiting=1)

    assert (again.wait_s, again.crowded) == ((), True)
    assert len(ask(other, ROOM, 0, 0, waiting=2).wait_s) == 1


def test_the_share_of_a_process_that_is_not_heard_of_ends(
    journal: Journal, other: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "KEEP_S", 0.0)
    ask(journal, ROOM, 0, 0, 0, 0, waiting=4)
    monkeypatch.undo()

    assert len(ask(other, ROOM, 0, 0, 0, 0, waiting=4).wait_s) == 4


def test_what_is_used_and_who_waits_can_be_read(journal: Journal, other: Journal) -> None:
    limit = Limit("anthropic:ANTHROPIC_API_KEY", requests_per_min=600, tokens_per_min=60_000, concurrent=1)
    ask(journal, limit, 500, waiting=3)
    ask(other, limit, 500, waiting=2)
    ask(other, KEY, 0)

    both = journal.limits()

    assert [each.name for each in both] == [limit.name, KEY.name]
    state = both[0]
    assert counted(journal, limit.name) == (1, 500)
    assert (state.in_use, state.waiting, state.waiting_processes) == (1, 4, 2)
    assert state.requests == 1
    assert 450 <= state.tokens <= 500  # what is shown fades as a minute turns
    assert state.next_in_s > 0
