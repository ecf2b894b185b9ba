"""What deleting old runs promises: nothing of them is left, nothing that a remaining row needs is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from threading import Event, Thread
from time import monotonic
from typing import Any

import pytest

from jackstay.core.budget import Amount, Ceiling, Hold
from jackstay.core.messages import EMPTY_CHAIN, Conversation, Message
from jackstay.core.records import Blob, MessagesBlob, RunEnd, Wait, Write
from jackstay.errors import NotFoundError
from jackstay.journal import MIN_AGE_S, Journal
from tests.contract.journal import programs
from tests.contract.journal.rows import NOW, TIMEOUT_S, Place, a_reservation, a_run, a_step, the_end

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
LONG = "x" * 70_000
"""Does not fit into a row."""
TABLES = ("run", "step", "lease", "reservation", "wait", "answer_cache", "budget")


def address(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def finished(journal: Journal, run_id: str, *steps: Any, blobs: tuple[Any, ...] = (), **fields: Any) -> None:
    """A run that has ended, with these steps."""
    lease = journal.create_run(a_run(run_id, **fields)).result(TIMEOUT_S)
    given = tuple(a_step(run_id, f"task#{n}", **step) for n, step in enumerate(steps, 1))
    journal.write(Write(lease, steps=given, blobs=blobs, end=an_old_end())).result(TIMEOUT_S)


def an_old_end(**fields: Any) -> RunEnd:
    return the_end(**{"finished_at": LONG_AGO, **fields})


def prune(journal: Journal, *run_ids: str) -> set[str]:
    """Delete the runs, then what nothing needs. The blobs that were deleted."""
    assert journal.delete_runs(run_ids).result(TIMEOUT_S) == set(run_ids)
    return set(journal.sweep(journal.garbage()).result(TIMEOUT_S).sizes)


def count(place: Place, table: str) -> int:
    return int(place.execute(f"select count(*) from {table}")[0][0])


def chain(*contents: str) -> list[MessagesBlob]:
    """A conversation's stretches, a message each."""
    found, said = [], Conversation()
    for content in contents:
        parent, message = said.hash, Message("user", content)
        said = said.add(message)
        found.append(MessagesBlob(said.hash, parent, json.dumps([message.to_json()])))
    return found


# --- runs ----------------------------------------------------------------------------------------------------------


def test_nothing_of_a_deleted_run_is_left(journal: Journal, place: Place) -> None:
    before = {table: count(place, table) for table in TABLES}
    hold = Hold("run:old:", "", Amount(5, 5, 1), Ceiling())
    lease = journal.create_run(a_run("old")).result(TIMEOUT_S)
    wait = Wait("old", "", 1, "budget", "prompt", None, None, NOW)
    asked = Write(lease, steps=(a_step("old"),), reservations=(a_reservation("old"),), holds=(hold,), waits=(wait,))
    journal.write(asked).result(TIMEOUT_S)
    journal.remember_answer("question", asked.steps[0]).result(TIMEOUT_S)
    journal.write(Write(lease, end=an_old_end())).result(TIMEOUT_S)
    assert all(count(place, table) > before[table] for table in TABLES)

    gone = journal.delete_runs(["old"]).result(TIMEOUT_S)

    assert gone == {"old"}
    assert {table: count(place, table) for table in TABLES} == before


def test_other_runs_keep_every_row(journal: Journal) -> None:
    for run_id in ("a", "a0", "b"):
        finished(journal, run_id, {}, {})

    journal.delete_runs(["a"]).result(TIMEOUT_S)

    assert journal.run("a") is None
    assert [len(journal.steps(run_id)) for run_id in ("a", "a0", "b")] == [0, 2, 2]


def test_runs_that_have_not_ended_or_are_held_stay_whoever_asks(journal: Journal, other: Journal) -> None:
    journal.create_run(a_run("running")).result(TIMEOUT_S)
    lease = journal.create_run(a_run("waiting")).result(TIMEOUT_S)
    journal.write(Write(lease, end=an_old_end(status="waiting"))).result(TIMEOUT_S)
    lease = journal.create_run(a_run("resumed")).result(TIMEOUT_S)
    journal.write(Write(lease, end=an_old_end(status="failed"))).result(TIMEOUT_S)
    journal.take_up("resumed").result(TIMEOUT_S)

    gone = other.delete_runs(["running", "waiting", "resumed", "unknown"]).result(TIMEOUT_S)

    assert gone == frozenset()
    assert all(journal.run(run_id) for run_id in ("running", "waiting", "resumed"))


def test_a_run_that_has_just_ended_stays(journal: Journal) -> None:
    for run_id, age_s in (("new", MIN_AGE_S - 60), ("old", MIN_AGE_S + 60)):
        lease = journal.create_run(a_run(run_id)).result(TIMEOUT_S)
        ended = datetime.now(UTC) - timedelta(seconds=age_s)
        journal.write(Write(lease, end=the_end(finished_at=ended))).result(TIMEOUT_S)

    assert journal.delete_runs(["new", "old"]).result(TIMEOUT_S) == {"old"}


def test_a_deleted_run_cannot_be_taken_up(journal: Journal, place: Place) -> None:
    finished(journal, "old")
    journal.delete_runs(["old"]).result(TIMEOUT_S)

    with pytest.raises(NotFoundError):
        journal.take_up("old").result(TIMEOUT_S)
    assert count(place, "lease") == 0


# --- blobs ---------------------------------------------------------------------------------------------------------


def test_blobs_of_deleted_runs_go_and_those_that_others_need_stay(journal: Journal) -> None:
    only_old, both = Blob("1" * 64, b"old"), Blob("2" * 64, b"both")
    finished(journal, "old", {"request": f'{{"settings":"{only_old.sha256}"}}'}, blobs=(only_old, both))
    finished(journal, "new", {"request": f'{{"settings":"{both.sha256}"}}'}, blobs=(both,))

    assert prune(journal, "old") == {only_old.sha256}
    assert journal.blob(both.sha256) == b"both"


def test_the_messages_before_a_needed_one_stay(journal: Journal) -> None:
    first, second, third = chain("one", "two", "three")
    fork = MessagesBlob("f" * 64, first.sha256, "[]")
    finished(
        journal, "old", {"request_ref": third.sha256}, {"request_ref": fork.sha256}, blobs=(first, second, third, fork)
    )
    finished(journal, "new", {"request_ref": second.sha256})

    assert first.parent == EMPTY_CHAIN
    assert prune(journal, "old") == {third.sha256, fork.sha256}
    assert [message.content for message in journal.messages(second.sha256)] == ["one", "two"]


def test_long_payloads_of_remaining_rows_stay(journal: Journal) -> None:
    texts = {name: json.dumps(name + LONG) for name in ("inputs", "result", "error", "payload", "request", "gone")}
    finished(journal, "old", {"result": texts["gone"]})
    lease = journal.create_run(a_run("new", inputs=texts["inputs"])).result(TIMEOUT_S)
    step = a_step("new", result=texts["result"], error=texts["error"], request=texts["request"])
    wait = Wait("new", "", 1, "budget", None, texts["payload"], None, NOW)
    journal.write(Write(lease, steps=(step,), waits=(wait,))).result(TIMEOUT_S)

    assert prune(journal, "old") == {address(texts["gone"])}
    (row,) = journal.steps("new")
    assert (row.result, row.error, row.request) == (texts["result"], texts["error"], texts["request"])
    assert (journal.run("new") or a_run()).inputs == texts["inputs"]
    assert journal.waits("new")[0].payload == texts["payload"]


def test_definitions_of_remaining_kickoffs_stay(journal: Journal) -> None:
    own, nested, hidden, gone = (Blob(digit * 64, digit.encode()) for digit in "3456")
    finished(journal, "old", blobs=(own, nested, hidden, gone), fingerprint=gone.sha256)
    finished(
        journal,
        "new",
        {"request": json.dumps({"fingerprint": nested.sha256, "inputs": {}})},
        {"request": json.dumps({"fingerprint": hidden.sha256, "inputs": LONG})},
        fingerprint=own.sha256,
    )

    assert prune(journal, "old") == {gone.sha256}
    assert [journal.blob(blob.sha256) for blob in (own, nested, hidden)] == [b"3", b"4", b"5"]


def test_what_was_left_over_is_found_by_the_next_sweep(journal: Journal) -> None:
    blob = Blob("7" * 64, b"left")
    finished(journal, "old", {"request_ref": blob.sha256}, blobs=(blob,))
    journal.delete_runs(["old"]).result(TIMEOUT_S)  # and the process died

    garbage = journal.garbage()

    assert dict(garbage.sizes) == {blob.sha256: 4}
    assert journal.garbage(without=["unknown"]).sizes == garbage.sizes
    assert journal.sweep(garbage).result(TIMEOUT_S).size_bytes == 4


def test_what_would_be_free_is_said_before_anything_is_deleted(journal: Journal) -> None:
    blob = Blob("7" * 64, b"left")
    finished(journal, "old", {"request_ref": blob.sha256}, blobs=(blob,))

    assert journal.garbage(without=["old"]).size_bytes == 4
    assert journal.garbage().size_bytes == 0
    assert journal.run("old") is not None


# --- others write meanwhile ----------------------------------------------------------------------------------------


def test_a_blob_that_is_needed_again_since_it_was_looked_stays(journal: Journal, other: Journal) -> None:
    begun, resumed, fresh, unneeded = (Blob(digit * 64, b"again") for digit in "89ab")
    finished(journal, "old", blobs=(begun, resumed, fresh, unneeded))
    lease = other.create_run(a_run("begun")).result(TIMEOUT_S)
    failed = other.create_run(a_run("resumed")).result(TIMEOUT_S)
    other.write(Write(failed, end=an_old_end(status="failed"))).result(TIMEOUT_S)
    garbage = journal.garbage()

    other.write(Write(lease, steps=(a_step("begun", request_ref=begun.sha256),), blobs=(begun,))).result(TIMEOUT_S)
    taken = other.take_up("resumed").result(TIMEOUT_S).lease
    write = Write(taken, steps=(a_step("resumed", request_ref=resumed.sha256, epoch=2),), end=the_end())
    other.write(write).result(TIMEOUT_S)
    finished(other, "fresh", {"request_ref": fresh.sha256}, blobs=(fresh,))

    assert set(journal.sweep(garbage).result(TIMEOUT_S).sizes) == {unneeded.sha256}


def test_a_sweep_waits_for_writers_that_have_found_their_blob_there(journal: Journal, place: Place) -> None:
    if place.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    blob = Blob("c" * 64, b"again")
    finished(journal, "old", blobs=(blob,))
    lease = journal.create_run(a_run("begun")).result(TIMEOUT_S)
    journal.write(Write(lease, steps=(a_step("begun", request_ref=None),))).result(TIMEOUT_S)
    garbage = journal.garbage()
    import psycopg  # an extra

    with psycopg.connect(place.url) as writer:
        writer.execute("insert into blob values (%s, null, 'plain', '') on conflict do nothing", (blob.sha256,))
        writer.execute("update step set request_ref = %s where run_id = 'begun'", (blob.sha256,))
        sweeping = journal.sweep(garbage)
        until = monotonic() + TIMEOUT_S
        while not place.execute("select 1 from pg_locks where not granted") and not sweeping.done():
            assert monotonic() < until

    assert sweeping.result(TIMEOUT_S).sizes == {}
    assert journal.blob(blob.sha256) == b"again"


@pytest.fixture
def pruning(place: Place) -> Iterator[list[int]]:
    """Deletes all runs that have ended, again and again; how many in each round."""
    done, rounds = Event(), []

    def work() -> None:
        with closing(place.open()) as journal:
            while not done.is_set():
                ended = [
                    row[0] for row in place.execute("select id from run where status = 'succeeded' and name = 'old'")
                ]
                rounds.append(len(journal.delete_runs(ended).result(TIMEOUT_S)) if ended else 0)
                journal.sweep(journal.garbage()).result(TIMEOUT_S)

    thread = Thread(target=work)
    thread.start()
    yield rounds
    done.set()
    thread.join(60)
    assert not thread.is_alive()


def test_processes_that_write_equal_contents_meanwhile_lose_none(
    place: Place, journal: Journal, pruning: list[int]
) -> None:
    programs.in_processes(programs.write_runs_with_equal_messages, [(place.url, number, 40) for number in range(3)])

    kept = [row[0] for row in place.execute("select id from run where name = 'new'")]
    assert len(kept) == 60
    until = monotonic() + TIMEOUT_S
    while not sum(pruning):  # on a busy machine the writers may be through before the first round is
        assert monotonic() < until
    for run_id in kept:
        (step,) = journal.steps(run_id)
        assert len(journal.messages(step.request_ref or "")) == 1
