"""Rate limits that all processes of a database share: GCRA's arrival times, pauses, and who has how many calls under way.

A turn is taken in advance: the transaction moves the arrival time on and says how long to wait, so that processes
queue up in the order in which they asked, and none polls. A process tells with it how many calls it has under way;
that share ends by itself if the process is not heard of any more.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, case, func, select

from jackstay.core.gcra import MINUTE_US, Bucket, admit, request_cost_us
from jackstay.core.limits import LimitAsk, LimitState, Turns
from jackstay.journal.schema import limiter, limiter_use
from jackstay.journal.statements import now
from jackstay.journal.write_connection import WriteConnection

KEEP_S = 10.0
"""How long a process's share stays its own when it is not heard of any more."""

_READ = (
    "select request_tat, token_tat, paused_until, minute, requests, tokens, requests_before, tokens_before from limiter "
    "where name = {mark}{lock}"
)
_MAKE = "insert into limiter values ({mark}, 0, 0, 0, 0, 0, 0, 0, 0) on conflict do nothing"
_CHANGE = (
    "update limiter set request_tat = {mark}, token_tat = {mark}, minute = {mark}, requests = {mark}, tokens = {mark}, "
    "requests_before = {mark}, tokens_before = {mark} where name = {mark}"
)
_PAUSE = "update limiter set paused_until = {mark} where name = {mark}"
_OTHERS = "select in_use, waiting from limiter_use where name = {mark} and owner <> {mark} and expires_at > {mark}"
_SHARE = (
    "insert into limiter_use (name, owner, in_use, waiting, expires_at) values ({mark}, {mark}, {mark}, {mark}, {mark}) "
    "on conflict (name, owner) do update set in_use = excluded.in_use, waiting = excluded.waiting, "
    "expires_at = excluded.expires_at"
)
_NO_SHARE = "delete from limiter_use where name = {mark} and (owner = {mark} or expires_at <= {mark})"


def take_turns(connection: WriteConnection, ask: LimitAsk, owner: str) -> Turns:
    """Turns for the calls that are next, as many as there are slots for; none while the provider wants to be left
    alone. Every transaction locks the limit's row first, so that two of them cannot wait for each other."""
    limit = ask.limit
    row = _row(connection, limit.name)
    now_us = connection.now_micros()
    paused_s = max(0, row[2] - now_us) / 1e6
    free, crowded = _free(connection, ask, owner, now_us)
    wanted = ask.tokens[:free] if not (ask.patient and paused_s) else ()
    bucket = _brought_up(Bucket(row[0], row[1] + ask.correction_us), ask, now_us)
    waits = []
    for tokens in wanted:
        at, bucket = admit(bucket, limit, tokens=tokens, now_us=now_us)
        waits.append(max(0, at - now_us) / 1e6)
    if wanted or ask.correction_us or ask.correction_tokens or ask.sent_late:
        tokens = ask.correction_tokens + (sum(wanted) if limit.tokens_per_min is not None else 0)
        counted = _counted(row[3:], now_us // MINUTE_US, len(wanted), tokens)
        _run(connection, _CHANGE, bucket.request_tat, bucket.token_tat, *counted, limit.name)
    _tell_share(connection, ask, owner, now_us, taken=len(wanted))
    return Turns(tuple(waits), paused_s, crowded)


def pause(connection: WriteConnection, name: str, pause_s: float) -> None:
    """Nobody is sent out for so long; a longer pause stays."""
    until = _row(connection, name)[2]
    _run(connection, _PAUSE, max(until, connection.now_micros() + int(pause_s * 1e6)), name)


def read(connection: Connection, dialect: str) -> list[LimitState]:
    """All of them, by name."""
    clock = int(connection.execute(select(now(dialect))).scalar_one())
    use = limiter_use.c
    live = (
        select(
            use.name,
            func.sum(use.in_use).label("in_use"),
            func.sum(use.waiting).label("waiting"),
            func.sum(case((use.waiting > 0, 1), else_=0)).label("processes"),
        )
        .where(use.expires_at > clock)
        .group_by(use.name)
        .subquery()
    )
    found = select(limiter, live.c.in_use, live.c.waiting, live.c.processes)
    rows = connection.execute(found.outerjoin_from(limiter, live, limiter.c.name == live.c.name))
    return sorted((_state(row, clock) for row in rows), key=lambda state: state.name)


def _state(row: Any, clock: int) -> LimitState:
    counted = _counted(
        (row.minute, row.requests, row.tokens, row.requests_before, row.tokens_before), clock // MINUTE_US
    )
    # Of the minute before, what is less than a minute old if it went out evenly.
    part = 1 - clock % MINUTE_US / MINUTE_US
    return LimitState(
        name=row.name,
        requests=counted[1] + round(counted[3] * part),
        tokens=max(0, counted[2] + round(counted[4] * part)),
        next_in_s=max(0, row.request_tat - clock, row.token_tat - clock, row.paused_until - clock) / 1e6,
        paused_s=max(0, row.paused_until - clock) / 1e6,
        in_use=int(row.in_use or 0),
        waiting=int(row.waiting or 0),
        waiting_processes=int(row.processes or 0),
    )


def _row(connection: WriteConnection, name: str) -> tuple[Any, ...]:
    """The limit's row, held until the transaction's end."""
    row = _run(connection, _READ, name).fetchone()
    if row is None:
        _run(connection, _MAKE, name)
        row = _run(connection, _READ, name).fetchone()
    return tuple(row)


def _free(connection: WriteConnection, ask: LimitAsk, owner: str, now_us: int) -> tuple[int, bool]:
    """How many more calls this process may have under way, and whether others wait that have less than their share."""
    if ask.limit.concurrent is None:
        return len(ask.tokens), False
    others = _run(connection, _OTHERS, ask.limit.name, owner, now_us).fetchall()
    free = ask.limit.concurrent - ask.in_use - sum(in_use for in_use, _ in others)
    share = max(1, ask.limit.concurrent // (len(others) + 1))
    crowded = any(waiting and in_use < share for in_use, waiting in others)
    # Who has its share already leaves what is free to them: they ask ten times a second.
    return max(0, min(free, share - ask.in_use) if crowded else free), crowded


def _brought_up(bucket: Bucket, ask: LimitAsk, now_us: int) -> Bucket:
    requests = ask.limit.requests_per_min
    if not ask.sent_late or requests is None:
        return bucket
    return Bucket(max(bucket.request_tat, now_us + request_cost_us(requests)), bucket.token_tat)


def _tell_share(connection: WriteConnection, ask: LimitAsk, owner: str, now_us: int, *, taken: int) -> None:
    in_use, waiting = ask.in_use + taken, max(0, ask.waiting - taken)
    in_use = in_use if ask.limit.concurrent is not None else ask.in_use
    if in_use or waiting:
        _run(connection, _SHARE, ask.limit.name, owner, in_use, waiting, now_us + int(KEEP_S * 1e6))
    else:
        _run(connection, _NO_SHARE, ask.limit.name, owner, now_us)


def _counted(
    counts: tuple[int, ...], minute: int, requests: int = 0, tokens: int = 0
) -> tuple[int, int, int, int, int]:
    """The counters with these calls in them: this minute's, and the one's before."""
    then, now_requests, now_tokens, before_requests, before_tokens = counts
    if then != minute:
        before = (now_requests, now_tokens) if then == minute - 1 else (0, 0)
        now_requests = now_tokens = 0
        before_requests, before_tokens = before
    return minute, now_requests + requests, now_tokens + tokens, before_requests, before_tokens


def _run(connection: WriteConnection, sql: str, *parameters: Any) -> Any:
    postgres = connection.dialect.name == "postgresql"
    made = sql.format(mark="%s" if postgres else "?", lock=" for update" if postgres else "")
    return connection.execute(made, parameters)
