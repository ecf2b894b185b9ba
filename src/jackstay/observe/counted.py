"""What counts where: rows, requests, events and ends of runs, as sums of `metrics.py`. Decides over values, reads no clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jackstay.core.events import Event
from jackstay.core.records import RunEnd, RunRow, StepRow
from jackstay.observe import metrics as m
from jackstay.observe.metrics import NONE, Names, Sums

PICO = 10**12
KICKED_OFF = frozenset({"crew", "flow", "agent"})
Asked = tuple[str, str]
"""Provider and model of a request, as it was asked for."""


class Counted:
    """Of one process. Called on the engine loop."""

    def __init__(self, names: Names) -> None:
        self.sums, self._name = Sums(), names.of
        self._of_event: Mapping[str, Callable[[Event], None]] = {
            "retry": self._retry,
            "fallback": lambda event: self.sums.add(m.FALLBACKS, self._name("model", event.data["model"])),
            "limit_wait": lambda event: self.sums.observe(m.LIMITER_WAIT, event.data["waited_s"]),
            "budget_wait": lambda event: self.sums.add(m.BUDGET_WAITS, _scope(event)),
            "budget_exceeded": lambda event: self.sums.add(m.BUDGETS_EXCEEDED, _scope(event)),
            "guardrail_rejected": lambda _: self.sums.add(m.REJECTIONS),
            "wait_asked": lambda event: self.sums.add(m.WAITS_ASKED, event.data["kind"]),
            "wait_answered": lambda event: self.sums.add(m.WAITS_ANSWERED, event.data["kind"]),
            "reused": lambda event: self.sums.add(m.REUSED, event.data["kind"]),
            "warning": lambda _: self.sums.add(m.WARNINGS),
        }

    # --- runs ------------------------------------------------------------------------------------------------------------

    def begun(self, run: RunRow) -> None:
        start = "resumed" if run.attempts > 1 else "replay" if run.forked_from else "new"
        self.sums.add(m.RUNS_STARTED, run.kind, self._name("name", run.name), start)
        if run.attempts == 1 and run.started_at is not None:
            self.sums.observe(m.RUN_QUEUE, (run.started_at - run.created_at).total_seconds(), run.kind)

    def over(self, run: RunRow, end: RunEnd, duration_s: float) -> None:
        name = self._name("name", run.name)
        self.sums.add(m.RUNS, run.kind, name, end.status, end.reason or NONE)
        self.sums.observe(m.RUN_DURATION, duration_s, run.kind)
        if run.kind in KICKED_OFF:
            self._kickoff(run.kind, name, end.status, duration_s)

    def _kickoff(self, kind: str, name: str, status: str, duration_s: float) -> None:
        self.sums.add(m.KICKOFFS, kind, name, status)
        self.sums.observe(m.KICKOFF_DURATION, duration_s, kind, name)

    # --- steps -----------------------------------------------------------------------------------------------------------

    def row(self, run: RunRow, row: StepRow, asked: Asked | None) -> None:
        """A row that this process has made. `asked`: of a model call, who got its last request."""
        if row.origin_run_id is not None:  # of another run, or moved: it counts where it was paid
            return
        duration_s = row.duration_us / 1e6
        match row.kind:
            case "llm":
                self._call(run, row, asked or (row.provider or NONE, row.model or NONE))
            case "tool":
                tool = self._name("tool", row.name)
                self.sums.add(m.TOOLS, tool, row.status)
                self.sums.observe(m.TOOL_DURATION, duration_s, tool)
            case "crew" | "flow" | "agent":
                self._kickoff(row.kind, self._name("name", row.name), row.status, duration_s)
            case _:
                self.sums.add(m.STEPS, row.kind, row.status)
                self.sums.observe(m.STEP_DURATION, duration_s, row.kind)

    def _call(self, run: RunRow, row: StepRow, asked: Asked) -> None:
        add, whose = self.sums.add, self._whose(asked)
        cached = "cached" in (row.flags or "").split(",")
        add(m.CALLS, *whose, "cached" if cached else row.status)
        self.sums.observe(m.CALL_DURATION, row.duration_us / 1e6, *whose)
        add(m.TOKENS, *whose, "input", by=row.input_tokens)
        add(m.TOKENS, *whose, "output", by=row.output_tokens)
        if row.cached_tokens:
            add(m.CACHED, *whose, by=row.cached_tokens)
        if row.reasoning_tokens:
            add(m.REASONING, *whose, by=row.reasoning_tokens)
        if row.cost_pico is not None:
            cost_usd = row.cost_pico / PICO
            add(m.COST, *whose, by=cost_usd)
            add(m.RUN_COST, run.kind, self._name("name", run.name), by=cost_usd)
        elif row.input_tokens + row.output_tokens:
            add(m.UNPRICED, *whose)

    def request(self, asked: Asked, outcome: str) -> None:
        """One request has ended. `outcome`: of a user's own exception it may be anything."""
        self.sums.add(m.REQUESTS, *self._whose(asked), self._name("outcome", outcome))

    def _whose(self, asked: Asked) -> tuple[str, str]:
        return asked[0], self._name("model", asked[1])

    # --- events ----------------------------------------------------------------------------------------------------------

    def event(self, event: Event) -> None:
        count = self._of_event.get(event.name)
        if count is not None:
            count(event)

    def _retry(self, event: Event) -> None:
        of_model = event.path.rpartition("/")[2].partition("#")[0].partition("~")[0] in ("llm", "summary")
        self.sums.add(m.RETRIES, "model" if of_model else "step")


def _scope(event: Event) -> str:
    """What a budget is for: a run, a crew, a flow, a key, the project."""
    return str(event.data["budget"]).partition(":")[0]
