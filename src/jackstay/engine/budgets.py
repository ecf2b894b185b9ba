"""Budgets around a call: how large it may be, when it waits, and what happens when it does not fit (engine rule 16)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jackstay.core.budget import NOTHING, Amount, Budget, Ceiling, DoesNotFit, Hold, in_words, most_output
from jackstay.core.messages import Question
from jackstay.engine.asker import Asker, WorstCase
from jackstay.errors import BudgetExceeded, ConfigurationError

if TYPE_CHECKING:
    from jackstay.engine.project_file import ProjectFile

MOST_OUTPUT = 16_384
"""The longest answer, in tokens, of a call under a budget that names no `max_tokens`. Not the model's own limit: that
would reserve ten times what answers take, and calls would wait for one another."""
COMFORTABLE = 1_024
"""While other calls are outstanding, a call waits for them rather than being sent with less room than this."""
LEAST = 64
"""With less room than this a call is not sent: its answer would be cut off."""
LOOK_S = 0.1
"""How often a waiting call looks whether another process has settled something; of many, each more rarely."""
WOKEN = 8
"""How many are woken by one settlement: one dear call may make room for several cheap ones."""


@dataclass(slots=True)
class BudgetScope:
    """One budget where it applies. `name`: what its counters are found by; `shown`: what messages call it."""

    budget: Budget
    name: str
    shown: str
    ceiling: Ceiling
    path: str = ""
    """The scope inside the run; empty for the run's own budget and for those that runs share."""
    stopped: BudgetExceeded | None = None
    """Once set, every later step inside raises it again (engine rule 21)."""

    def hold(self, worst: WorstCase, now: datetime) -> Hold:
        amount = Amount(worst.pico or 0, worst.input + worst.output, 1)
        return Hold(self.name, self.budget.period(now), amount, self.ceiling)


@dataclass(frozen=True, slots=True)
class Sized:
    """A call as it is sent under its budgets."""

    question: Question
    worst: WorstCase
    capped: int | None
    """`max_tokens`, where the budget has set it."""


class Sizing:
    """How large one call may be. `shrink` after each refusal, until it fits or does not for good."""

    def __init__(self, asker: Asker, question: Question, budgets: Sequence[BudgetScope]) -> None:
        self._asker, self._question = asker, question
        limited = [each for each in budgets if each.ceiling.pico is not None or each.ceiling.tokens is not None]
        self._bounded = bool(limited) and question.sampling.max_tokens is None and asker.takes_max_tokens
        self._room: int | None = None

    def sized(self) -> Sized:
        worst = self._asker.worst(self._question)
        if not self._bounded:
            return Sized(self._question, worst, None)
        most = min(worst.output or MOST_OUTPUT, MOST_OUTPUT)
        capped = most if self._room is None else min(most, self._room)
        question = self._with(capped)
        return Sized(question, self._asker.worst(question), capped)

    def shrink(self, refused: DoesNotFit) -> bool:
        """Whether a shorter answer fits right now; then `sized` is of that length."""
        if not self._bounded:
            return False
        small, large = self._asker.worst(self._with(0)), self._asker.worst(self._with(1_000))
        token_pico = None if small.pico is None or large.pico is None else -(-(large.pico - small.pico) // 1_000)
        used = refused.spent + refused.reserved
        room = most_output(
            refused.hold.ceiling, used, input_pico=small.pico, input_tokens=small.input, token_pico=token_pico
        )
        outstanding = refused.reserved != Amount()
        if room is None or room < (COMFORTABLE if outstanding else LEAST):
            return False
        shrunk = self._room is None or room < self._room
        self._room = room
        return shrunk

    def begin_again(self) -> None:
        """After a wait: there may be more room now."""
        self._room = None

    def never_fits(self, refused: DoesNotFit) -> bool:
        """It would not fit either, at its smallest, if everything outstanding cost nothing."""
        least = refused.hold.worst
        if self._bounded:
            smallest = self._asker.worst(self._with(LEAST))
            least = Amount(smallest.pico or 0, smallest.input + smallest.output, 1)
        taken = refused.spent + held_around(refused.hold)
        return bool(refused.hold.ceiling.exceeded_by(taken + least))

    def _with(self, max_tokens: int) -> Question:
        return replace(self._question, sampling=replace(self._question.sampling, max_tokens=max_tokens))


_around: ContextVar[tuple[Hold, ...]] = ContextVar("jackstay_holds_around", default=())


@contextmanager
def holding(holds: tuple[Hold, ...]) -> Iterator[None]:
    """Around a request: a user's own model may ask others meanwhile, which must not wait for what this one holds."""
    if not holds:
        yield
        return
    token = _around.set((*_around.get(), *holds))
    try:
        yield
    finally:
        _around.reset(token)


def held_around(hold: Hold) -> Amount:
    """What the calls around this one hold in the same budget: it comes back only when this one has ended."""
    same = (each.worst for each in _around.get() if (each.budget, each.period) == (hold.budget, hold.period))
    return sum(same, NOTHING)


class Settled:
    """Wakes the calls of this process that wait for room, when something was settled here: a few each time, those that
    have waited longest. (All of them would look again each time, and a thousand that wait for one small budget would
    keep the database busy with refusals.)"""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    def tell(self) -> None:
        if self._waiting:
            # A little later: the settlement is on its way into the database.
            asyncio.get_running_loop().call_later(0.002, self._wake)

    def _wake(self) -> None:
        woken = 0
        while self._waiting and woken < WOKEN:
            waiter = self._waiting.popleft()
            if not waiter.done():  # done: it has looked by itself, or its call was cancelled
                waiter.set_result(None)
                woken += 1

    async def wait(self, most_s: float | None) -> None:
        """Until then, or until it is time to look what other processes have done; no longer than `most_s`."""
        look_s = LOOK_S * max(1.0, len(self._waiting) / WOKEN)
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await asyncio.wait([waiter], timeout=look_s if most_s is None else max(0.0, min(look_s, most_s)))
        finally:
            waiter.cancel()


def refuse_unpriced(asker: Asker, question: Question, budgets: Sequence[BudgetScope]) -> None:
    """Raises `BudgetExceeded` for a call whose price is unknown, under a budget in money that does not allow it."""
    for scope in budgets:
        if scope.ceiling.pico is None or asker.requested in scope.budget.unpriced:
            continue
        if asker.worst(question).pico is None:
            raise BudgetExceeded(
                f"{scope.shown}: the price of {asker.requested} is unknown, so a call to it cannot be kept within a budget "
                f"in money; give its price in [prices] of jackstay.toml, or allow it: "
                f"Budget(…, unpriced=({asker.requested!r},))"
            )


def exceeded(scope: BudgetScope, refused: DoesNotFit) -> BudgetExceeded:
    """The error: what the budget is, what is left, what the call could cost, what to do."""
    hold, used = refused.hold, refused.spent + refused.reserved
    kind = hold.ceiling.exceeded_by(used + hold.worst) or "pico"
    most = getattr(hold.ceiling, kind)
    left = Amount(**{kind: max(0, most - getattr(used, kind))})
    unit = {"pico": "usd", "tokens": "tokens", "calls": "calls"}[kind]
    per = f" per {scope.budget.per}" if scope.budget.per else ""
    return BudgetExceeded(
        f"budget of {in_words(Amount(**{kind: most}), kind)}{per} of {scope.shown} reached: this call could take "
        f"{in_words(hold.worst, kind)}, {in_words(left, kind)} is left; raise Budget({unit}=…) or choose a cheaper model"
    )


# --- budgets of jackstay.toml ------------------------------------------------------------------------------------------


class SharedBudgets:
    """What `[budgets]` of jackstay.toml says: `project`, `"crew:NAME"`, `"flow:NAME"`, `"key:VARIABLE"`."""

    def __init__(self, file: ProjectFile) -> None:
        self._by_name = dict(_read(file))

    def of(self, *names: str, path: str = "") -> tuple[BudgetScope, ...]:
        """Those of these names that there are, for the scope at `path`. Each time anew: a stop is one run's, and the
        next day has room again."""
        return tuple(replace(self._by_name[name], path=path) for name in names if name in self._by_name)

    def __iter__(self) -> Iterator[BudgetScope]:
        return iter(self._by_name.values())


def _read(file: ProjectFile) -> Iterator[tuple[str, BudgetScope]]:
    for name, table in file.section("budgets").items():
        where = f"budgets.{name}"
        kind, colon, of = name.partition(":")
        if name != "project" and not (colon and of and kind in ("crew", "flow", "key")):
            raise file.mistake(
                where, 'is unknown; write [budgets.project], or "crew:NAME", "flow:NAME", "key:VARIABLE"'
            )
        if not isinstance(table, Mapping):
            raise file.mistake(where, f'is one value; write it as a section, [budgets."{name}"]')
        if unknown := set(table) - {"usd", "tokens", "calls", "on_exceed", "model", "unpriced", "per"}:
            raise file.mistake(
                f"{where}.{min(unknown)}", "is unknown; known: usd, tokens, calls, on_exceed, model, unpriced, per"
            )
        try:
            budget = Budget(**table)
        except (ConfigurationError, TypeError) as error:
            raise file.mistake(where, f"cannot be used: {error}") from error
        shown = "the project" if name == "project" else f"{kind} '{of}'"
        yield name, BudgetScope(budget, name, shown, budget.ceiling)


def scoped(
    budget: Budget | None, *, run_id: str, path: str, shown: str, raised: Mapping[str, Any]
) -> tuple[BudgetScope, ...]:
    """The budget of a run, or of a kickoff inside one. `raised`: what a person has allowed since, by path."""
    answer = raised.get(path)
    if budget is None and answer is None:
        return ()
    if answer is not None:
        given = Budget(**answer)
        budget = given if budget is None else replace(budget, **_larger(budget, given))
    assert budget is not None
    return (BudgetScope(budget, f"run:{run_id}:{path}", shown, budget.ceiling, path),)


def _larger(one: Budget, other: Budget) -> dict[str, Any]:
    """What is allowed in each unit by the one or the other: a person has raised a budget, or the program has since."""
    pairs = {unit: (getattr(one, unit), getattr(other, unit)) for unit in ("usd", "tokens", "calls")}
    return {unit: max((each for each in pair if each is not None), default=None) for unit, pair in pairs.items()}
