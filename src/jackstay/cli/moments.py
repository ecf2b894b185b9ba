"""Times as they are typed: `24h`, `7d`, `2026-11-01`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from jackstay.cli.outcome import UsageError

_SPANS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment_of(text: str, now: datetime, option: str) -> datetime:
    """`90m`, `24h`, `7d`, `2w` before now, or a date or time of ISO 8601, in UTC where it names no other zone."""
    if found := re.fullmatch(r"(\d{1,6})([mhdw])", text.strip()):
        try:
            return now - timedelta(**{_SPANS[found[2]]: int(found[1])})
        except OverflowError:
            return datetime.min.replace(tzinfo=UTC)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(f"{option} {text}: write 24h, 7d, 2w, 2026-11-01 or 2026-11-01T08:00") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
