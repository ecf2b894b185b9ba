"""The arithmetic of rate limits: GCRA (the leaky bucket as a meter, ITU-T I.371) in whole microseconds.

A bucket is one number, the *theoretical arrival time*: the next call may go out then, and pushes it on by what it
costs. Nothing is counted and nothing expires, so that the bucket is one column that processes share.

Engine rule 17: the rate stays below the limit, and what is left over absorbs that calls admitted a second apart may
reach the provider closer together. Two per cent of a minute are 1.2 s of that, whatever the limit. (Not a whole request
per minute as the least: that would halve a limit of 2, and take a tenth of one of 10.)
"""

from __future__ import annotations

from dataclasses import dataclass

from jackstay.core.limits import Limit

MINUTE_US = 60_000_000
SPARE = 50
"""One part of so many stays unused."""
LATE_US = 200_000
"""How far a bucket may fall behind the clock and catch up: what is late for its turn (a transaction, a busy loop) is not
lost. Part of the 1.2 s."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The state of one limit. Times in microseconds of whatever clock its calls share."""

    request_tat: int = 0
    token_tat: int = 0


def request_cost_us(limit: int) -> int:
    """How long one request occupies a limit of so many per minute."""
    return -(-MINUTE_US * SPARE // (limit * (SPARE - 1)))


def token_cost_us(limit: int, tokens: int) -> int:
    """The same of so many tokens. A large call costs more than its share: k of the same size have to fit into any
    minute, and not one more at its edge. One larger than half the limit goes out all the same, and is paid off."""
    spare = min(max(tokens, -(-limit // SPARE)), limit // 2)
    return -(-tokens * MINUTE_US // (limit - spare))


def admit(bucket: Bucket, limit: Limit, *, tokens: int, now_us: int) -> tuple[int, Bucket]:
    """When the next call may go out (by up to `LATE_US` before now), and the bucket behind it."""
    at = now_us - LATE_US
    if limit.requests_per_min is not None:
        at = max(at, bucket.request_tat)
    if limit.tokens_per_min is not None:
        at = max(at, bucket.token_tat)
    request_tat, token_tat = bucket.request_tat, bucket.token_tat
    if limit.requests_per_min is not None:
        request_tat = at + request_cost_us(limit.requests_per_min)
    if limit.tokens_per_min is not None:
        token_tat = at + token_cost_us(limit.tokens_per_min, tokens)
    return at, Bucket(request_tat, token_tat)


def correction_us(limit: Limit, *, reserved: int, used: int) -> int:
    """What the answer adds to the tokens' arrival time, or takes off."""
    if limit.tokens_per_min is None:
        return 0
    return token_cost_us(limit.tokens_per_min, used) - token_cost_us(limit.tokens_per_min, reserved)
