"""`self.step` and `self.astep`: functions of the user's own that a resumed flow does not call again."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from jackstay import Flow, Runtime, listen, start
from jackstay.core.records import RunFilter
from jackstay.errors import DefinitionError, InputsError


@dataclass
class Price:
    amount: Decimal


class Shop(Flow):
    """Fails in its last method until it is repaired. `asked` are the calls of the functions."""

    asked: list[Any]
    broken = True

    @start()
    def prices(self) -> Decimal:
        return sum((self.step("look up", self.look_up, name).amount for name in ("tea", "rum", "tea")), Decimal(0))

    @listen(prices)
    async def book(self, total: Decimal) -> str:
        told = await self.astep("book", self.tell, total, where="ledger")
        if self.broken:
            raise OSError("disk full")
        return f"{told} of {total}"

    def look_up(self, name: str) -> Price:
        self.asked.append(name)
        return Price(Decimal(len(self.asked)))

    async def tell(self, total: Decimal, *, where: str) -> str:
        self.asked.append(where)
        return "booked"


def shop(asked: list[Any], *, broken: bool) -> Shop:
    made = Shop()
    made.asked, made.broken = asked, broken
    return made


@pytest.mark.promise("flowing.steps")
def test_a_resumed_flow_has_the_results_of_its_steps_and_calls_nothing_again(runtime: Runtime) -> None:
    asked: list[Any] = []
    with pytest.raises(OSError, match="disk full"):
        shop(asked, broken=True).kickoff(run_key="shop")

    assert shop(asked, broken=False).kickoff(run_key="shop") == "booked of 6"
    assert asked == ["tea", "rum", "tea", "ledger"]
    (run,) = runtime.journal.runs(RunFilter())
    steps = [(row.path.partition("~")[0], row.name) for row in runtime.journal.steps(run.id) if row.kind == "step"]
    assert steps == [("prices#1/look_up", "look up")] * 3 + [("book#1/book", "book")]


class Half(Flow):
    """The second of two equal steps fails the first time."""

    calls = 0

    @start()
    def work(self) -> int:
        return self.step("count", self.count) + self.step("count", self.count)

    def count(self) -> int:
        Half.calls += 1
        if Half.calls == 2:
            raise LookupError("gone for now")
        return Half.calls


def test_a_step_that_failed_is_executed_again_and_the_ones_before_are_not() -> None:
    Half.calls = 0
    with pytest.raises(LookupError):
        Half().kickoff(run_key="half")

    assert Half().kickoff(run_key="half") == 1 + 3


class Keyed(Flow):
    seen: list[object]

    @start()
    def work(self) -> None:
        for number in range(3):
            self.step("send", lambda number=number: self.seen.append(number), key=f"mail {number}")


def test_a_key_of_ones_own_names_the_step(runtime: Runtime) -> None:
    flow = Keyed()
    flow.seen = []
    flow.kickoff()

    (run,) = runtime.journal.runs(RunFilter())
    paths = [row.path for row in runtime.journal.steps(run.id) if row.kind == "step"]
    assert flow.seen == [0, 1, 2]
    assert len(set(paths)) == 3
    assert all(path.endswith("#1") for path in paths)


class Blocking(Flow):
    @start()
    async def work(self) -> None:
        self.step("count", len, "abc")


class Wrong(Flow):
    @start()
    def work(self) -> None:
        self.step("wrong", print, object())


def test_what_cannot_be_a_step_says_why() -> None:
    with pytest.raises(DefinitionError, match="step 'x' is outside a run"):
        Wrong().step("x", print)
    with pytest.raises(DefinitionError, match=r"await self\.astep\('count', …\)"):
        Blocking().kickoff()
    with pytest.raises(InputsError, match=r"step 'wrong': .*pass plain values"):
        Wrong().kickoff()
