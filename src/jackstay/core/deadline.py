"""Time limits as they are given: what one may be, and which of several counts."""

from __future__ import annotations

import math
from typing import TypeGuard

from jackstay.errors import ConfigurationError


def checked_deadline(deadline_s: object) -> float | None:
    """The limit as seconds. Raises `ConfigurationError` for anything else."""
    if deadline_s is None:
        return None
    if not is_limit(deadline_s):
        raise ConfigurationError(f"deadline_s={deadline_s!r}: a time limit is a number of seconds greater than 0")
    return float(deadline_s)


def is_limit(seconds: object) -> TypeGuard[int | float]:
    """Whether it is a number of seconds greater than 0."""
    return isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds < math.inf


def nearest(*limits_s: float | None) -> float | None:
    return min((limit for limit in limits_s if limit is not None), default=None)
