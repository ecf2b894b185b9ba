"""Ids of runs: UUIDs of version 7 (RFC 9562), so that they sort by time."""

from __future__ import annotations

import hashlib
import uuid

SHORT = 13
"""Characters of an id that are shown: its milliseconds."""


def uuid7(unix_ms: int, random: bytes) -> str:
    """The id for a time in milliseconds and ten random bytes."""
    tail = int.from_bytes(random[:10], "big")
    value = (unix_ms & (2**48 - 1)) << 80 | 0x7 << 76 | (tail >> 68 & 0xFFF) << 64 | 0b10 << 62 | (tail & (2**62 - 1))
    return str(uuid.UUID(int=value))


def trace_id(run_id: str) -> str:
    """The 32 hex digits by which logs and traces name a run: those of its id, unless its trace was begun by somebody else."""
    return run_id.replace("-", "")


def span_id(run_id: str, path: str, epoch: int = 1, again: int = 0) -> str:
    """The 16 hex digits of a step: the same in every process that tells of it. `epoch`: whose share of the run it is of;
    `again`: how often the step had ended before in that share."""
    which = f"{path}@{epoch}" if epoch > 1 else path
    if again:
        which = f"{which}+{again}"
    return hashlib.sha256(f"{run_id}:{which}".encode()).hexdigest()[:16]
