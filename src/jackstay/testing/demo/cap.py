"""The demo's ceiling: no call is sent that could take the whole above it."""

from __future__ import annotations

from decimal import Decimal

from jackstay.core.events import Event
from jackstay.core.usage import from_pico
from jackstay.engine.admission import Candidate
from jackstay.errors import BudgetExceeded


class Cap:
    """An `Admission` that keeps the worst price of each call until the call's own is known (`hear` is an observer).

    A call that failed keeps its worst: the provider may have billed it. For one process and one run at a time.
    """

    def __init__(self, usd: Decimal) -> None:
        self.usd = usd
        self._spent: dict[str, Decimal] = {}

    async def admit(self, candidate: Candidate) -> None:
        worst_usd = from_pico(candidate.worst_pico)
        if worst_usd is None:
            raise BudgetExceeded(
                f"no price is listed for {candidate.model}, so the cap of {self.usd} USD cannot be kept"
            )
        left_usd = self.usd - sum(self._spent.values(), Decimal(0))
        if worst_usd > left_usd:
            raise BudgetExceeded(
                f"the demo's cap of {self.usd} USD is reached: this call could cost {worst_usd:.4f}, {left_usd:.4f} is left"
            )
        self._spent[candidate.path] = self._spent.get(candidate.path, Decimal(0)) + worst_usd

    def hear(self, event: Event) -> None:
        """A call's own price replaces its worst (only where it was sent once: an earlier attempt may be billed too)."""
        if event.name == "model_call_finished" and event.data["attempts"] == 1 and event.data["cost_usd"] is not None:
            self._spent[event.path] = event.data["cost_usd"]
