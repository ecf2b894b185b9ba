"""What a provider says about its rate limits in the headers of an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

TOO_MANY = 429
LONGEST_S = 600.0
"""A longer pause than this is not taken from a header: a reset of daily limits would stop everything for hours."""
_KINDS = ("requests", "tokens")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_DURATION = re.compile(rf"(?:{_PARTS.pattern})+")


@dataclass(frozen=True, slots=True)
class Announced:
    """What is worth knowing. `pause_s`: nothing is taken before that; 0: go on."""

    pause_s: float = 0.0
    requests_per_min: int | None = None
    tokens_per_min: int | None = None


def announced(status: int, headers: Mapping[str, str], now: datetime) -> Announced | None:
    """From the headers of OpenAI (`x-ratelimit-…`), Anthropic (`anthropic-ratelimit-…`), or any 429's `retry-after`.

    None: nothing of interest. `headers` answers to lower-case names. What cannot be understood is left out.
    """
    pauses = [0.0]
    limits: dict[str, int | None] = {}
    for kind in _KINDS:
        said = headers.get(f"x-ratelimit-limit-{kind}") or headers.get(f"anthropic-ratelimit-{kind}-limit")
        limits[kind] = int(said) if said is not None and said.isdecimal() and int(said) > 0 else None
        for left, reset in (
            (f"x-ratelimit-remaining-{kind}", f"x-ratelimit-reset-{kind}"),
            (f"anthropic-ratelimit-{kind}-remaining", f"anthropic-ratelimit-{kind}-reset"),
        ):
            if headers.get(left) == "0":
                pauses.append(_seconds(headers.get(reset, ""), now))
    if status == TOO_MANY:
        milliseconds = headers.get("retry-after-ms", "")
        pauses.append(_seconds(f"{milliseconds}ms" if milliseconds else headers.get("retry-after", ""), now))
    pause_s = max(each for each in pauses if each <= LONGEST_S)
    if not pause_s and limits["requests"] is None and limits["tokens"] is None:
        return None
    return Announced(pause_s, limits["requests"], limits["tokens"])


def _seconds(said: str, now: datetime) -> float:
    """`1s`, `6m0s`, `20ms`, `2`, an RFC 3339 time or an HTTP date; 0 for anything else."""
    said = said.strip()
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    if _DURATION.fullmatch(said):
        return sum(float(number) * _UNITS_S[unit] for number, unit in _PARTS.findall(said))
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            at = parse(said)
        except ValueError:
            continue
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())
    return 0.0
