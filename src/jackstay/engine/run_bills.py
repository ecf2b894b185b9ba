"""What a run's model calls have used and cost, by the scopes around them: sums over its rows."""

from __future__ import annotations

from jackstay.core.paths import parent_of
from jackstay.core.records import StepRow
from jackstay.core.usage import NO_BILL, Bill, Usage, from_pico


class RunBills:
    """Of one run; lives on the engine loop."""

    def __init__(self) -> None:
        self._own: dict[str, Bill] = {}
        self._reused: dict[str, Bill] = {}

    def note(self, row: StepRow) -> None:
        """A model call counts for all scopes around it; what another run has paid for is told apart."""
        if row.kind != "llm" or row.origin_run_id == row.run_id:  # moved inside the run: it counts where it was paid
            return
        bills = self._own if row.origin_run_id is None else self._reused
        bill, path = bill_of(row), row.path
        while path:
            path = parent_of(path)
            bills[path] = bills.get(path, NO_BILL) + bill

    def own(self, path: str = "") -> Bill:
        """What the model calls inside a scope used and cost, from their rows; reused rows of other runs cost nothing."""
        return self._own.get(path, NO_BILL)

    def reused(self, path: str = "") -> Bill:
        """The same of the calls that were answered from another run's record: what they cost there."""
        return self._reused.get(path, NO_BILL)


def bill_of(row: StepRow) -> Bill:
    """The bill of one model-call row."""
    usage = Usage(
        row.input_tokens,
        row.cached_tokens,
        row.cache_write_tokens,
        row.output_tokens,
        row.reasoning_tokens,
        estimated="estimated" in (row.flags or "").split(","),
    )
    answered = row.status == "succeeded"
    paid = answered or usage.total_tokens > 0
    # An answer out of the cache was no request.
    return Bill(usage, int(answered and row.attempts > 0), from_pico(row.cost_pico) if paid else from_pico(0))
