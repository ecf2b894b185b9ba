"""`[prices]` of jackstay.toml: a user's own prices, which win over every list.

Knows names and dates, not who asks for them. Whoever reads the file passes the section and how to say that a key is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

from jackstay.core.canonical import digest
from jackstay.core.usage import Price

NEEDED = ("input_mtok", "output_mtok")
RATES = (*NEEDED, "cached_mtok", "cache_write_mtok")
KNOWN = (*RATES, "from")
ALWAYS = datetime.min.replace(tzinfo=UTC)

Mistake = Callable[[str, str], Exception]
"""The error for a key that cannot be used: the key (`prices.gpt-4o.input_mtok`), and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Dated:
    """A price and when it begins to count."""

    begins: datetime
    price: Price


class Overrides:
    """Prices by the name that a model is asked under, or by a pattern of such names."""

    def __init__(self, section: Mapping[str, Any], mistake: Mistake) -> None:
        """Raises what `mistake` makes, for the first key that cannot be used."""
        self._prices = {name: tuple(_entries(name, entry, mistake)) for name, entry in section.items()}

    def __bool__(self) -> bool:
        return bool(self._prices)

    def find(self, names: Iterable[str], now: datetime) -> Price | None:
        """The price that counts now, of the first of these names that has one; else of the file's first pattern that
        fits one of them."""
        names = tuple(names)
        patterns = (pattern for pattern in self._prices if any(fnmatchcase(name, pattern) for name in names))
        for entry in (*names, *patterns):
            begun = [dated for dated in self._prices.get(entry, ()) if dated.begins <= now]
            if begun:
                return max(begun, key=lambda dated: dated.begins).price
        return None


NO_OVERRIDES = Overrides({}, lambda key, what: ValueError(f"{key} {what}"))


def _entries(name: str, entry: Any, mistake: Mistake) -> Iterator[Dated]:
    where = f"prices.{name}"
    tables = entry if isinstance(entry, list) else [entry]
    seen: set[datetime] = set()
    for table in tables:
        if not isinstance(table, Mapping):
            raise mistake(where, f'is one value; write it as a section, [prices."{name}"]')
        if any(isinstance(value, Mapping) for value in table.values()):
            # [prices.openai/gpt-4.1] without quotation marks: the dot has split the name.
            raise mistake(where, "has a section inside; put a model's name with a dot in quotation marks")
        if unknown := set(table) - set(KNOWN):
            raise mistake(f"{where}.{min(unknown)}", f"is unknown; known: {', '.join(KNOWN)}")
        dated = _dated(name, table, mistake)
        if dated.begins in seen:
            raise mistake(f"{where}.from", "is there twice; of several prices each begins at a time of its own")
        seen.add(dated.begins)
        yield dated


def _dated(name: str, table: Mapping[str, Any], mistake: Mistake) -> Dated:
    rates = {key: _rate(f"prices.{name}.{key}", table[key], mistake) for key in RATES if key in table}
    if missing := [key for key in NEEDED if key not in rates]:
        raise mistake(f"prices.{name}.{missing[0]}", "is missing; a price has input_mtok and output_mtok")
    price = Price(*(rates.get(key) for key in RATES))  # type: ignore[arg-type]  # the first two are there
    begins = _begins(f"prices.{name}.from", table.get("from"), mistake)
    said = "" if begins is ALWAYS else f" from {_shown(begins)}"
    # Two versions of a file with other rates under one name and date are told apart in the stored calls.
    mark = digest({key: f"{rate.normalize():f}" for key, rate in rates.items()})[:8]
    return Dated(begins, replace(price, version=f"jackstay.toml {name}{said} {mark}"))


def _rate(key: str, value: Any, mistake: Mistake) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise mistake(key, f"is {value!r}; write US dollars per million tokens, as a number")
    rate = Decimal(str(value))
    if not rate.is_finite() or rate < 0:
        raise mistake(key, f"is {value}; write US dollars per million tokens, 0 or more")
    return rate


def _begins(key: str, value: Any, mistake: Mistake) -> datetime:
    if value is None:
        return ALWAYS
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise mistake(key, f"is {value!r}; write a date without quotation marks: from = 2026-01-01")


def _shown(begins: datetime) -> str:
    return begins.date().isoformat() if begins.time() == time() else f"{begins:%Y-%m-%dT%H:%M:%SZ}"
