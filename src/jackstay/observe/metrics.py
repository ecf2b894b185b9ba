"""The metrics: their names, what they say, in which units; and the sums behind them.

Names follow Prometheus' conventions: base units, `_total` for what only grows. No label holds what there may be any number
of (a run's id, a path, a message); of names that users choose, `MOST_NAMES` are told apart.
Knows nothing of Prometheus' library: `exposition.py` hands the sums to it when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from jackstay.core.masking import Masking

MOST_NAMES = 100
OTHER = "(other)"
"""Stands for all names beyond the first `MOST_NAMES`."""
NONE = "none"
"""The value of a label where there is none: a run that did not fail has no reason."""

CALL_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0)
RUN_BUCKETS_S = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14400.0)
WAIT_BUCKETS_S = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """`name`: a counter's without `_total`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


Labels = tuple[str, ...]
Sample = tuple[Metric, Labels, float]
"""One value of a gauge."""


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(f"jackstay_{name}", "counter", text, labels)


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(f"jackstay_{name}", "gauge", text, labels)


def _seconds(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Metric:
    return Metric(f"jackstay_{name}_seconds", "histogram", text, labels, buckets)


# --- counted as it happens, in one process -------------------------------------------------------------------------------

RUNS_STARTED = _counter("runs_started", "Runs begun here: new, replay, or resumed.", "kind", "name", "start")
RUNS = _counter(
    "runs",
    "Runs ended here; waiting: they stopped until a person answers. Items of a batch are runs, and so is the batch.",
    "kind",
    "name",
    "status",
    "reason",
)
RUN_DURATION = _seconds("run_duration", "From a run's begin to its end in this process.", RUN_BUCKETS_S, "kind")
RUN_QUEUE = _seconds("run_queue", "From asking for a new run to its begin.", WAIT_BUCKETS_S, "kind")
RUN_COST = _counter("run_cost_usd", "Known cost of model calls, by the run that made them.", "kind", "name")
KICKOFFS = _counter(
    "kickoffs",
    "Kickoffs of crews, flows and agents: runs of their own, and inside of others.",
    "kind",
    "name",
    "status",
)
KICKOFF_DURATION = _seconds("kickoff_duration", "Of kickoffs in this process.", RUN_BUCKETS_S, "kind", "name")
STEPS = _counter("steps", "Recorded steps but calls and kickoffs: tasks, methods, guardrails, waits.", "kind", "status")
STEP_DURATION = _seconds("step_duration", "Of these steps.", RUN_BUCKETS_S, "kind")
REUSED = _counter("steps_reused", "Steps that a record answered instead of being executed.", "kind")

CALLS = _counter(
    "model_calls",
    "Model calls by the model that was asked last; status cached: an earlier answer.",
    "provider",
    "model",
    "status",
)
CALL_DURATION = _seconds(
    "model_call_duration", "Of model calls, with waits, retries and fallbacks.", CALL_BUCKETS_S, "provider", "model"
)
REQUESTS = _counter(
    "model_requests",
    "Requests to providers by what became of them: answered, cancelled, lost, or the error's code.",
    "provider",
    "model",
    "outcome",
)
TOKENS = _counter("model_tokens", "Tokens of model calls, input or output.", "provider", "model", "type")
CACHED = _counter("model_cached_input_tokens", "Input tokens out of a provider's cache.", "provider", "model")
REASONING = _counter("model_reasoning_tokens", "Output tokens that were spent on reasoning.", "provider", "model")
COST = _counter("model_cost_usd", "Cost of model calls, as far as prices are known.", "provider", "model")
UNPRICED = _counter("model_calls_unpriced", "Model calls that used tokens of unknown price.", "provider", "model")
RETRIES = _counter("retries", "Further attempts: of a model's request, or of a task or method (step).", "kind")
FALLBACKS = _counter("fallbacks", "Models that another one was asked instead of.", "model")
TOOLS = _counter("tool_calls", "Calls of tools.", "tool", "status")
TOOL_DURATION = _seconds("tool_call_duration", "Of calls of tools.", CALL_BUCKETS_S, "tool")
LIMITER_WAIT = _seconds("limiter_wait", "Calls that waited for a rate limit, if longer than 0.1 s.", WAIT_BUCKETS_S)
BUDGET_WAITS = _counter("budget_waits", "Calls that waited until others gave back what they had reserved.", "scope")
BUDGETS_EXCEEDED = _counter("budgets_exceeded", "Calls that were refused by a budget.", "scope")
REJECTIONS = _counter("guardrail_rejections", "Outputs that a guardrail sent back.")
WAITS_ASKED = _counter("waits_asked", "Questions to people.", "kind")
WAITS_ANSWERED = _counter("waits_answered", "Answers of people.", "kind")
WARNINGS = _counter("warnings", "Warnings of runs.")

COUNTED = (
    *(RUNS_STARTED, RUNS, RUN_DURATION, RUN_QUEUE, RUN_COST, KICKOFFS, KICKOFF_DURATION, STEPS, STEP_DURATION, REUSED),
    *(CALLS, CALL_DURATION, REQUESTS, TOKENS, CACHED, REASONING, COST, UNPRICED, RETRIES, FALLBACKS),
    *(TOOLS, TOOL_DURATION, LIMITER_WAIT, BUDGET_WAITS, BUDGETS_EXCEEDED, REJECTIONS, WAITS_ASKED, WAITS_ANSWERED),
    WARNINGS,
)

# --- looked at when somebody asks ----------------------------------------------------------------------------------------

RUNNING = _gauge("runs_running", "Runs that this process drives.")
JOURNAL_LAG = _gauge("journal_lag_seconds", "How long the oldest write that this process waits for has been waiting.")
JOURNAL_QUEUE = _gauge("journal_queue_writes", "Writes that wait for the next commit of this process.")
OF_PROCESS = (RUNNING, JOURNAL_LAG, JOURNAL_QUEUE)

JOURNAL_UP = _gauge("journal_up", "1: the journal could be read; 0: what is in it is missing here.")
WAITS_OPEN = _gauge("waits_open", "What runs wait for people for, by kind.", "kind")
BREAKER_OPEN = _gauge("breaker_open", "1: a model or provider is left alone after failures in a row.", "breaker")
BREAKER_FAILURES = _gauge("breaker_failures", "Its failures in a row.", "breaker")
BUDGETS = {
    unit: (
        _gauge(f"budget_{unit}", f"Ceiling of a budget of jackstay.toml, {what}.", "budget"),
        _gauge(f"budget_left_{unit}", f"What is neither spent nor reserved of it, {what}.", "budget"),
    )
    for unit, what in (("usd", "in US dollars"), ("tokens", "in tokens"), ("calls", "in calls"))
}
LIMIT_WAITING = _gauge("limit_waiting_calls", "Calls of all processes that wait for a rate limit.", "limit")
LIMIT_IN_USE = _gauge("limit_calls_in_use", "Calls of all processes under way in a limit of so many at once.", "limit")
LIMIT_PAUSED = _gauge("limit_paused_seconds", "How long a provider wants to be left alone.", "limit")
OF_JOURNAL = (
    *(JOURNAL_UP, WAITS_OPEN, BREAKER_OPEN, BREAKER_FAILURES),
    *(metric for pair in BUDGETS.values() for metric in pair),
    *(LIMIT_WAITING, LIMIT_IN_USE, LIMIT_PAUSED),
)

STORED_RUNS = _gauge("stored_runs", "Runs in the journal.", "kind", "status", "reason")
STORED_CALLS = _gauge("stored_model_calls", "Model calls in the journal.", "model")
STORED_REQUESTS = _gauge("stored_model_requests", "Their requests, those included that were lost.", "model")
STORED_TOKENS = _gauge("stored_model_tokens", "Their tokens, input or output.", "model", "type")
STORED_COST = _gauge("stored_model_cost_usd", "Their cost, as far as prices are known.", "model")
STORED = (STORED_RUNS, STORED_CALLS, STORED_REQUESTS, STORED_TOKENS, STORED_COST)
"""Of `jackstay metrics` alone: to count all rows is too dear for every scrape of every process."""


class Sums:
    """Adds up. Written on one thread, read on any."""

    def __init__(self) -> None:
        self.counters: dict[Metric, dict[Labels, float]] = {m: {} for m in COUNTED if m.kind == "counter"}
        self.histograms: dict[Metric, dict[Labels, Histogram]] = {m: {} for m in COUNTED if m.kind == "histogram"}
        for metric, values in self.counters.items():
            if not metric.labels:
                values[()] = 0  # a rate needs a value before the first event

    def add(self, metric: Metric, *labels: str, by: float = 1) -> None:
        values = self.counters[metric]
        values[labels] = values.get(labels, 0) + by

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        known = self.histograms[metric].get(labels)
        if known is None:
            known = self.histograms[metric][labels] = Histogram([0] * (len(metric.buckets) + 1))
        known.counts[bisect_left(metric.buckets, value)] += 1
        known.sum += value


@dataclass(slots=True)
class Histogram:
    counts: list[int]
    """Per bucket, the last one without an upper bound; not cumulated."""
    sum: float = 0.0


class Names:
    """Values of labels that users choose: masked, and no more of them than `MOST_NAMES`. Each is looked at once."""

    def __init__(self, masking: Callable[[], Masking]) -> None:
        self._masking, self._now = masking, masking()
        self._shown: dict[str, dict[str, str]] = {}
        self._told: dict[str, set[str]] = {}

    def of(self, label: str, name: str | None) -> str:
        masking = self._masking()
        if masking is not self._now:  # another secret is known since, and may be in a name
            self._now = masking
            self._shown.clear()
        shown = self._shown.setdefault(label, {})
        found = shown.get(name or "")
        if found is None:
            found = self._capped(label, masking.text(name) if name else NONE)
            if len(shown) < 10 * MOST_NAMES:
                shown[name or ""] = found
        return found

    def _capped(self, label: str, name: str) -> str:
        told = self._told.setdefault(label, set())
        if name in told or len(told) < MOST_NAMES:
            told.add(name)
            return name
        return OTHER


def named(samples: Sequence[Sample], names: Names) -> list[Sample]:
    """Gauges with their labels as they are shown; those that are shown alike are added up."""
    found: dict[tuple[Metric, Labels], float] = {}
    for metric, labels, value in samples:
        shown = tuple(names.of(label, each) for label, each in zip(metric.labels, labels, strict=True))
        found[metric, shown] = found.get((metric, shown), 0) + value
    return [(metric, labels, value) for (metric, labels), value in found.items()]
