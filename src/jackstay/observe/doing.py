"""What a process is doing, put together from events: which tasks and methods are at work, and the sums of its calls."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from jackstay.core.events import Event
from jackstay.core.paths import parent_of
from jackstay.observe.figures import cost, plural, seconds, tokens

_BUSY = {
    "model_call_started": "asking {model}",
    "tool_started": "using {tool}",
    "guardrail_started": "checking by {guardrail}",
    "wait_asked": "waiting for a person",
}
_IDLE = frozenset(
    {"tool_finished", "tool_failed", "model_call_failed", "guardrail_passed", "guardrail_rejected", "wait_answered"}
)
"""After these a task or method does nothing of its own for the moment."""


@dataclass(slots=True)
class Work:
    """A task or method that has begun and not ended."""

    title: str
    since: float
    doing: str = ""
    calls: int = 0


@dataclass(slots=True)
class Batch:
    """A batch that has begun and not ended."""

    name: str
    since: float
    items: int
    done: int = 0
    failed: int = 0
    running: int = 0

    def line(self, now: float) -> str:
        parts = [f"{self.name}: {self.done:,} of {plural(self.items, 'item')} done"]
        parts += [f"{self.failed:,} failed"] if self.failed else []
        parts.append(f"{self.running:,} running")
        if self.done:
            left_s = (now - self.since) / self.done * (self.items - self.done)
            parts.append(f"{seconds(left_s)} left")
        return " · ".join(parts)


@dataclass(frozen=True, slots=True)
class View:
    """One moment of it: a line for each batch and each innermost task or method, and the sums."""

    lines: tuple[str, ...]
    sums: str


class Doing:
    """An observer. Thread-safe; does nothing but remember."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now, self._started = now, now()
        self._lock = threading.Lock()
        self._work: dict[tuple[str, str], Work] = {}
        self._batches: dict[tuple[str, str, str], Batch] = {}
        self.calls = self.tokens = self.recorded = 0
        self.cost_usd: Decimal | None = Decimal(0)

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._take_in(event)

    def view(self) -> View:
        with self._lock:
            inner = [work for (_, path), work in self._work.items() if not self._has_inner(path)]
            lines = [f"{work.title}{work.doing and ' · ' + work.doing} · {self._age(work)}" for work in inner]
            batches = [batch.line(self._now()) for batch in self._batches.values()]
            return View((*batches, *lines), self._sums())

    def _sums(self) -> str:
        parts = [plural(self.calls, "call"), f"{tokens(self.tokens)} tokens", cost(self.cost_usd)]
        if self.recorded:
            parts.append(f"{self.recorded} from the journal")
        return " · ".join([*parts, seconds(self._now() - self._started)])

    def _take_in(self, event: Event) -> None:
        key, data = (event.run_id, event.path), event.data
        match event.name:
            case "task_started":
                self._work[key] = Work(f"{data['agent']}: {data['task']}", self._now())
            case "method_started":
                self._work[key] = Work(f"{data['method']}()", self._now())
            case "task_finished" | "task_failed" | "task_skipped" | "method_finished" | "method_failed":
                self._work.pop(key, None)
            case "batch_started" | "batch_progress" | "batch_finished":
                self._goes_on(event)
            case name if name in _BUSY:
                self._does(event, _BUSY[name].format_map(data))
            case "retry":
                self._does(event, f"waiting {seconds(data['wait_s'])} to ask {data['model']} again")
            case "model_call_finished":
                self._count(event)
            case name if name in _IDLE:
                self._does(event, "")
            case "reused":
                self.recorded += data.get("kind") == "llm"
            case _:
                pass

    def _goes_on(self, event: Event) -> None:
        data, key = event.data, (event.run_id, event.path, event.data["batch"])
        batch = self._batches.setdefault(key, Batch(data["batch"], self._now(), data["items"]))
        batch.done, batch.failed, batch.running = data["done"], data["failed"], data["running"]
        if event.name == "batch_finished":
            del self._batches[key]

    def _does(self, event: Event, what: str) -> None:
        work = self._around(event)
        if work is not None:
            work.doing = what

    def _count(self, event: Event) -> None:
        self.calls += 1
        self.tokens += event.data["tokens"]
        usd = event.data["cost_usd"]
        self.cost_usd = None if usd is None or self.cost_usd is None else self.cost_usd + usd
        work = self._around(event)
        if work is not None:
            work.calls, work.doing = work.calls + 1, ""

    def _around(self, event: Event) -> Work | None:
        """The nearest task or method around a step."""
        path = event.path
        while path and (event.run_id, path) not in self._work:
            path = parent_of(path)
        return self._work.get((event.run_id, path))

    def _has_inner(self, path: str) -> bool:
        return any(other.startswith(f"{path}/") for _, other in self._work)

    def _age(self, work: Work) -> str:
        return seconds(self._now() - work.since)
