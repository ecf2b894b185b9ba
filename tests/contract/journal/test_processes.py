"""Several processes, forks, kills, and a storage that goes away and comes back."""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from jackstay.core.records import Lease, Write
from jackstay.errors import LeaseLost, StorageUnavailable
from jackstay.journal import Journal, from_url, locate, open_journal
from jackstay.journal.database import Database
from jackstay.journal.failures import kind_of
from jackstay.testing.faults import FaultPoints
from tests.contract.journal.programs import in_processes, pipe, start, write_steps, write_until_killed
from tests.contract.journal.rows import TIMEOUT_S, Place, a_run, a_step, write_step
from tests.postgres import Server


def test_sixteen_processes_write_one_file_without_an_error(place: Place) -> None:
    place.open().close()

    in_processes(write_steps, [(place.url, number, 20) for number in range(16)])

    _check_runs(place, processes=16, steps=20)


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_sixteen_processes_write_a_thousand_steps_each_without_an_error(place: Place) -> None:
    in_processes(write_steps, [(place.url, number, 1000) for number in range(16)])

    _check_runs(place, processes=16, steps=1000)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(3))
def test_a_kill_loses_nothing_that_was_acknowledged(place: Place, seed: int) -> None:
    place.open().close()
    reader, writer = pipe()
    process = start(write_until_killed, place.url, writer)
    writer.close()

    acknowledged = [reader.recv() for _ in range(random.Random(seed).randrange(20, 300))]
    process.kill()
    acknowledged += _rest(reader)
    process.join(TIMEOUT_S)

    with closing(place.open()) as journal:
        assert not _is_live(journal)
        taken = journal.take_up("run-1").result(TIMEOUT_S)  # at once: the owner is seen to be gone
        stored = [step.path for step in taken.steps]
        assert stored[: len(acknowledged)] == acknowledged
        assert len(stored) - len(acknowledged) <= 8
        assert [step.seq for step in taken.steps] == list(range(1, len(stored) + 1))
        write_step(journal, taken.lease, "after#1")


def test_parent_and_forked_child_both_go_on(place: Place) -> None:
    with closing(place.open()) as journal:
        lease = journal.create_run(a_run("parent")).result(TIMEOUT_S)
        write_step(journal, lease, "before#1")
        waiting = [journal.write(Write(lease, steps=(a_step("parent", f"a#{n}"),))) for n in range(50)]
        assert journal.steps("parent") is not None  # a pooled read connection exists

        with _forked(journal) as child:
            if child.is_here:
                own = journal.create_run(a_run("child")).result(TIMEOUT_S)
                write_step(journal, own, "a#1")
                assert journal.run("parent") is not None
        write_step(journal, lease, "after#1")

        assert child.exit_code == 0
        assert all(pending.result(TIMEOUT_S) for pending in waiting)
        assert len(journal.steps("parent")) == 52
        assert len(journal.steps("child")) == 1


def test_a_child_that_outlives_its_parents_journal_loses_nothing(sqlite_place: Place) -> None:
    """SQLite keeps, per process, which locks it holds. A child that inherited that would write into a log that the
    parent deletes when it closes."""
    journal = sqlite_place.open()
    write_step(journal, journal.create_run(a_run("parent")).result(TIMEOUT_S), "a#1")
    read_end, write_end = os.pipe()

    with _forked(journal) as child:
        if child.is_here:
            lease = journal.create_run(a_run("child")).result(TIMEOUT_S)
            os.close(write_end)
            os.read(read_end, 1)  # until the parent has closed its journal
            for number in range(20):
                write_step(journal, lease, f"a#{number}")
        else:
            journal.close()
            with closing(sqlite_place.open()) as third:  # recovers the log, if nobody seems to use it
                write_step(third, third.create_run(a_run("third")).result(TIMEOUT_S), "a#1")
            os.close(write_end)
    os.close(read_end)

    assert child.exit_code == 0
    assert sqlite_place.execute("pragma integrity_check") == [("ok",)]
    assert sqlite_place.execute("select run_id, count(*) from step group by 1 order by 1") == [
        ("child", 20),
        ("parent", 1),
        ("third", 1),
    ]


def test_a_forked_child_goes_on_in_memory(tmp_path: Any) -> None:
    with closing(open_journal(locate({"JACKSTAY_DURABILITY": "off"}, tmp_path))) as journal:
        lease = journal.create_run(a_run("parent")).result(TIMEOUT_S)

        with _forked(journal) as child:
            if child.is_here:
                write_step(journal, journal.create_run(a_run("child")).result(TIMEOUT_S), "a#1")
                assert journal.run("parent") is not None

        write_step(journal, lease, "a#1")
        assert child.exit_code == 0


def test_a_child_cannot_write_to_its_parents_run_as_if_it_were_its_own(place: Place) -> None:
    with closing(place.open()) as journal:
        journal.create_run(a_run("parent")).result(TIMEOUT_S)

        with _forked(journal) as child:
            if child.is_here:
                with pytest.raises(Exception, match="being driven by process"):
                    journal.take_up("parent").result(TIMEOUT_S)
                journal.close()

        assert child.exit_code == 0
        assert _is_live(journal, "parent")


def test_every_waiting_write_is_told_when_the_storage_fails(place: Place) -> None:
    points = FaultPoints()
    journal = place.open(fault_point=points.hit)
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL  # type: ignore[misc]
    gate = points.hold_at("journal.commit")
    held = journal.write(Write(lease, steps=(a_step(path="held#1"),)))
    points.wait_until_hit("journal.commit", times=2)
    waiting = [journal.write(Write(lease, steps=(a_step(path=f"a#{n}"),))) for n in range(10)]
    points.raise_at("journal.commit", full)

    gate.set()

    assert held.result(TIMEOUT_S)
    for pending in waiting:
        with pytest.raises(StorageUnavailable, match=r"disk is full; free space .*`jackstay resume`"):
            pending.result(TIMEOUT_S)
    assert write_step(journal, lease, "a#0").seq == 2
    journal.close()


def test_writer_recovers_after_the_disk_was_full(sqlite_place: Place) -> None:
    with closing(sqlite_place.open()) as journal:
        lease = journal.create_run(a_run()).result(TIMEOUT_S)
        write_step(journal, lease, "a#1")

        with _no_file_grows(), pytest.raises(StorageUnavailable, match=r"journal\.db cannot be used: .*free space"):
            _write_megabytes(journal, lease)

        step = write_step(journal, lease, "c#1")
        steps = journal.steps("run-1")
        assert [each.seq for each in steps] == list(range(1, len(steps) + 1))
        assert steps[-1] == step


def test_writer_recovers_after_database_was_gone(postgres_server: Server, postgres_template: str) -> None:
    with (
        postgres_server.database(postgres_template) as name,
        closing(open_journal(from_url(postgres_server.url(name)))) as journal,
    ):
        lease = journal.create_run(a_run()).result(TIMEOUT_S)

        postgres_server.execute(f"alter database {name} allow_connections false")
        _end_connections(postgres_server, name)
        for _ in range(2):
            with pytest.raises(StorageUnavailable, match="check that PostgreSQL is running"):
                write_step(journal, lease, "a#1")
        with pytest.raises(StorageUnavailable, match="not currently accepting connections"):
            journal.run("run-1")

        postgres_server.execute(f"alter database {name} allow_connections true")
        assert write_step(journal, lease, "a#1").seq == 1
        assert journal.run("run-1") is not None


def test_a_server_that_was_restarted_meanwhile_is_not_noticed(postgres_server: Server, postgres_template: str) -> None:
    with (
        postgres_server.database(postgres_template) as name,
        closing(open_journal(from_url(postgres_server.url(name)))) as journal,
    ):
        lease = journal.create_run(a_run()).result(TIMEOUT_S)
        assert journal.run("run-1") is not None

        _end_connections(postgres_server, name)

        assert write_step(journal, lease, "a#1").seq == 1
        assert journal.run("run-1") is not None


def test_a_process_that_stands_still_in_a_transaction_does_not_keep_its_runs(
    postgres_server: Server, postgres_template: str
) -> None:
    with postgres_server.database(postgres_template) as name:
        place = from_url(postgres_server.url(name))
        with closing(open_journal(place)) as journal, closing(Database(place, busy_timeout_s=1, idle_s=0.2)) as still:
            journal.create_run(a_run()).result(TIMEOUT_S)
            connection = still.write_connection()
            connection.begin(*connection.statements.live(["run-1"]))  # its lease is locked from here on

            assert journal.take_up("run-1", force=True).result(TIMEOUT_S).lease.epoch == 2

            with pytest.raises(Exception, match="idle-in-transaction timeout") as caught:
                connection.execute("commit")
            assert kind_of(caught.value) == "gone"
            connection.close()


def test_a_deleted_file_is_noticed_before_anything_is_written_into_the_void(sqlite_place: Place) -> None:
    with closing(sqlite_place.open()) as journal:
        lease = journal.create_run(a_run()).result(TIMEOUT_S)
        for suffix in ("", "-wal", "-shm"):
            sqlite_place.path.with_name(sqlite_place.path.name + suffix).unlink()

        with pytest.raises(StorageUnavailable, match="was deleted or replaced while it was in use"):
            write_step(journal, lease, "a#1")
        with pytest.raises(LeaseLost):
            write_step(journal, lease, "a#1")

        journal.create_run(a_run("run-2")).result(TIMEOUT_S)  # in the new file
        assert journal.run("run-2") is not None


def test_no_new_file_is_made_beside_the_log_of_one_that_was_moved_away(sqlite_place: Place) -> None:
    elsewhere = sqlite_place.path.with_name("elsewhere.db")
    with closing(sqlite_place.open()) as journal:
        lease = journal.create_run(a_run()).result(TIMEOUT_S)
        sqlite_place.path.rename(elsewhere)

        for _ in range(2):
            with pytest.raises(StorageUnavailable, match="put the file back"):
                write_step(journal, lease, "a#1")
        elsewhere.rename(sqlite_place.path)

        assert write_step(journal, lease, "a#1").seq == 1


class _Child:
    is_here = False
    exit_code: int | None = None


@contextmanager
def _forked(journal: Journal) -> Iterator[_Child]:
    """Fork as the runtime does. The body runs in both; the child ends with it."""
    child = _Child()
    journal.before_fork()
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)  # a deadlock must not outlive the test
        child.is_here = True
        code = 1
        try:
            journal.forget_in_child()
            yield child
            code = 0
        finally:
            os._exit(code)
    journal.after_fork_in_parent()
    yield child
    child.exit_code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@contextmanager
def _no_file_grows() -> Iterator[None]:
    """As on a full disk: SQLite's log can be written over, but not made longer than it is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _write_megabytes(journal: Journal, lease: Lease) -> None:
    for number in range(100):
        write_step(journal, lease, f"b#{number}", result=random.Random(number).randbytes(30_000).hex())


def _end_connections(server: Server, name: str) -> None:
    server.execute(f"select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = '{name}'")


def _rest(reader: Any) -> list[str]:
    """What the dead process had still sent."""
    received = []
    try:
        while True:
            received.append(reader.recv())
    except EOFError:
        return received


def _is_live(journal: Journal, run_id: str = "run-1") -> bool:
    state = journal.lease(run_id)
    assert state is not None
    return state.live


def _check_runs(place: Place, *, processes: int, steps: int) -> None:
    counted = place.execute("select run_id, count(*), max(seq) from step group by run_id")
    assert len(counted) == processes
    assert {row[1:] for row in counted} == {(steps, steps)}
