"""What other processes do in these tests. They are forked from a clean server process: 5 ms each, not half a second."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

from jackstay.core.messages import EMPTY_CHAIN, Message
from jackstay.core.records import MessagesBlob, Write
from jackstay.journal import from_url, open_journal
from tests.contract.journal.rows import TIMEOUT_S, a_run, a_step, the_end, write_step

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


def start(target: Callable[..., None], *arguments: Any) -> Any:
    """Another process; join or kill it."""
    process = _context.Process(target=target, args=arguments)
    process.start()
    return process


def pipe() -> tuple[Connection, Connection]:
    """To read from, to write to."""
    return _context.Pipe(duplex=False)


def in_processes(target: Callable[..., None], each: Sequence[tuple[Any, ...]]) -> None:
    """Run it in that many processes at once; all of them have to succeed."""
    barrier = _context.Barrier(len(each))
    processes = [start(_together, barrier, target, arguments) for arguments in each]
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0] * len(each)


def open_and_write(url: str, number: int) -> None:
    write_steps(url, number, 1)


def write_steps(url: str, number: int, count: int) -> None:
    """A run of one's own, its steps one after another."""
    journal = open_journal(from_url(url))
    lease = journal.create_run(a_run(f"run-{number}")).result(TIMEOUT_S)
    for step in range(count):
        write_step(journal, lease, f"a#{step}")
    journal.close()


def write_until_killed(url: str, acknowledged: Connection) -> None:
    """Write and tell, for ever: four steps in flight, and say of each that it was acknowledged."""
    journal = open_journal(from_url(url))
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    number = 0
    while True:
        paths = [f"a#{number + n}" for n in range(4)]
        waiting = [(path, journal.write(Write(lease, steps=(a_step(path=path),)))) for path in paths]
        for path, pending in waiting:
            pending.result(TIMEOUT_S)
            acknowledged.send(path)
        number += 4


def _together(barrier: Any, target: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    barrier.wait(TIMEOUT_S)
    target(*arguments)


def write_runs_with_equal_messages(url: str, number: int, many: int) -> None:
    """Runs that have ended, an `old` and a `new` one in turn, two and two with equal conversations."""
    with closing(open_journal(from_url(url))) as journal:
        for each in range(many):
            run_id, ref = f"run-{number}-{each}", f"{each // 2 + 1:064x}"
            blob = MessagesBlob(ref, EMPTY_CHAIN, json.dumps([Message("user", ref).to_json()]))
            lease = journal.create_run(a_run(run_id, name="new" if each % 2 else "old")).result(TIMEOUT_S)
            write = Write(
                lease,
                steps=(a_step(run_id, request_ref=ref),),
                blobs=(blob,),
                end=the_end(finished_at=datetime(2020, 1, 1, tzinfo=UTC)),
            )
            journal.write(write).result(TIMEOUT_S)
