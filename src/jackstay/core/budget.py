"""Budgets: ceilings in money, tokens or calls, and whether a call fits under one. Decisions only; who counts is
`journal/budgets.py`, who waits is `engine/budgets.py`.

A call is admitted only when its worst listed price fits (engine rules 15 and 16). What it then costs is settled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from jackstay.core.usage import from_pico, to_pico
from jackstay.errors import ConfigurationError

OnExceed = Literal["stop", "pause", "downgrade"]
Period = Literal["day", "month"]


@dataclass(frozen=True, slots=True)
class Amount:
    """What calls use, or may use: whole pico-dollars, tokens (input and output), requests."""

    pico: int = 0
    tokens: int = 0
    calls: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.pico + other.pico, self.tokens + other.tokens, self.calls + other.calls)


NOTHING = Amount()


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most that a budget allows; None: no limit of that kind."""

    pico: int | None = None
    tokens: int | None = None
    calls: int | None = None

    def exceeded_by(self, amount: Amount) -> str:
        """The kind of limit that the amount is over; empty: it fits."""
        for kind in ("pico", "tokens", "calls"):
            most = getattr(self, kind)
            if most is not None and getattr(amount, kind) > most:
                return kind
        return ""


@dataclass(frozen=True, slots=True)
class Budget:
    """`Budget(usd=0.50)`: what a run, a crew or a flow may spend. At least one of `usd`, `tokens`, `calls` is given.

    `on_exceed`: `stop` (the default) ends what the budget is for with `BudgetExceeded`; `pause` lets the run wait for a
    person, who raises the budget with `jackstay resume RUN --budget …`; `downgrade` asks `model`, a cheaper one,
    where the asked one does not fit, and stops when that does not fit either. A call whose price is unknown is refused
    under a budget in money, unless `unpriced` names its model. `per` (a day or month of UTC) is for budgets of
    `jackstay.toml`, which many runs share.
    """

    usd: Decimal | float | str | None = None
    tokens: int | None = None
    calls: int | None = None
    on_exceed: OnExceed = "stop"
    model: str | None = None
    unpriced: tuple[str, ...] = ()
    per: Period | None = None

    def __post_init__(self) -> None:
        if self.usd is None and self.tokens is None and self.calls is None:
            raise ConfigurationError("Budget: give at least one of usd=, tokens=, calls=")
        if self.on_exceed not in ("stop", "pause", "downgrade"):
            raise ConfigurationError(f"Budget(on_exceed={self.on_exceed!r}): it is 'stop', 'pause' or 'downgrade'")
        if (self.on_exceed == "downgrade") != (self.model is not None):
            raise ConfigurationError(
                "Budget: on_exceed='downgrade' and model= belong together; name the cheaper model that is asked then"
            )
        if self.per not in (None, "day", "month"):
            raise ConfigurationError(f"Budget(per={self.per!r}): it is 'day' or 'month'")
        object.__setattr__(self, "usd", _money(self.usd))
        object.__setattr__(self, "unpriced", tuple(self.unpriced))
        for name in ("usd", "tokens", "calls"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ConfigurationError(f"Budget({name}={value}): a budget cannot be negative")

    @property
    def ceiling(self) -> Ceiling:
        assert self.usd is None or isinstance(self.usd, Decimal)
        return Ceiling(to_pico(self.usd), self.tokens, self.calls)

    def period(self, now: datetime) -> str:
        """The day or month (of UTC) that a call at `now` counts in; empty for a budget without a period."""
        if self.per is None:
            return ""
        return now.strftime("%Y-%m-%d" if self.per == "day" else "%Y-%m")


_UNITS = {"": "usd", "usd": "usd", "tokens": "tokens", "calls": "calls"}


def parse_amount(text: str) -> dict[str, Any]:
    """`0.50` (US dollars), `20000tokens` or `10calls` as arguments of `Budget`. Raises `ConfigurationError`."""
    found = re.fullmatch(r"([\d._]+)\s*([a-z]*)", text.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise ConfigurationError(
            f"budget {text!r} is no amount of US dollars, tokens or calls; write 0.50, 20000tokens or 10calls"
        )
    unit = _UNITS[found[2]]
    given: dict[str, Any] = {unit: found[1] if unit == "usd" else _whole(found[1], text)}
    Budget(**given)
    return given


def _whole(digits: str, text: str) -> int:
    try:
        return int(digits)
    except ValueError as error:
        raise ConfigurationError(f"budget {text!r}: tokens and calls are whole numbers") from error


def _money(usd: Decimal | float | str | None) -> Decimal | None:
    if usd is None:
        return None
    try:
        money = Decimal(str(usd))
    except InvalidOperation as error:
        raise ConfigurationError(f"Budget(usd={usd!r}): that is no amount of US dollars; write 0.50") from error
    if not money.is_finite():
        raise ConfigurationError(f"Budget(usd={usd!r}): that is no amount of US dollars; write 0.50")
    return money


@dataclass(frozen=True, slots=True)
class Hold:
    """What one reservation sets aside in one budget. Budgets are found by name and period."""

    budget: str
    period: str
    worst: Amount
    ceiling: Ceiling


class DoesNotFit(Exception):
    """A hold is over its budget's ceiling. Nothing was written. `spent` is settled, `reserved` may yet be given back."""

    def __init__(self, hold: Hold, spent: Amount, reserved: Amount) -> None:
        super().__init__(f"{hold.budget}: {hold.worst} does not fit beside {spent} spent and {reserved} reserved")
        self.hold, self.spent, self.reserved = hold, spent, reserved

    @property
    def for_good(self) -> bool:
        """It would not fit either if everything that is outstanding cost nothing."""
        return bool(self.hold.ceiling.exceeded_by(self.spent + self.hold.worst))


def most_output(
    ceiling: Ceiling, used: Amount, *, input_pico: int | None, input_tokens: int, token_pico: int | None
) -> int | None:
    """The longest answer, in tokens, whose worst price still fits beside what is used; None: nothing limits it.

    `input_pico` and `token_pico` are the prices of the input and of one output token (None: no price is known).
    """
    rooms: list[int] = []
    if ceiling.pico is not None and input_pico is not None and token_pico:
        rooms.append((ceiling.pico - used.pico - input_pico) // token_pico)
    if ceiling.tokens is not None:
        rooms.append(ceiling.tokens - used.tokens - input_tokens)
    return min(rooms) if rooms else None


def in_words(amount: Amount, kind: str) -> str:
    """One kind of an amount for people: `0.50 USD`, `1,200 tokens`, `3 calls`."""
    if kind == "pico":
        usd = from_pico(amount.pico) or Decimal(0)
        return f"{usd:.6f}".rstrip("0").rstrip(".") + " USD"
    return f"{getattr(amount, kind):,} {kind}"
