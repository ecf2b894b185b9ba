"""Deterministic choices for the simulated model. Knows nothing of messages."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """A stream of choices decided by a key alone.

    Not `random.Random`: Python promises the same sequence across versions for `random()` only, and golden answers
    have to hold from 3.11 to 3.14.
    """

    __slots__ = ("_count", "_key", "_pool")

    def __init__(self, key: str) -> None:
        self._key = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        self._count = 0
        self._pool = 0

    def _bits(self) -> int:
        # One digest feeds eight draws of 32 bits: hashing per draw was most of an answer's cost.
        if self._count % 8 == 0:
            block = hashlib.sha256(self._key + self._count.to_bytes(8, "big")).digest()
            self._pool = int.from_bytes(block, "big")
        self._count += 1
        value = self._pool & 0xFFFFFFFF
        self._pool >>= 32
        return value

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1."""
        return self._bits() % limit if limit > 1 else 0

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both possible."""
        return low + self.below(high - low + 1)

    def share(self) -> float:
        """A number from 0 (possible) to 1 (not possible)."""
        return self._bits() / 0x1_0000_0000

    def choice(self, values: Sequence[T]) -> T:
        return values[self.below(len(values))]

    def shuffled(self, values: Sequence[T]) -> list[T]:
        """A copy in an order of the draw's own (Fisher and Yates)."""
        result = list(values)
        for last in range(len(result) - 1, 0, -1):
            other = self.below(last + 1)
            result[last], result[other] = result[other], result[last]
        return result
