"""One row per item of the seed: what it is, the issue that owes it, and the checks that show it.

`make seed` (tools/seed.py) prints them, `test_rows.py` runs them; both take them from here. A row whose issue is still
open may have no program yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.seed import checks_calls as calls
from tests.seed import checks_crowds as crowds
from tests.seed import checks_flows as flows
from tests.seed import checks_replay as replay
from tests.seed import checks_usage as usage
from tests.seed import excerpts

Part = Literal["python", "shell", "diagram", "output", "enterprise", "practice", "pitfall", "bonus"]
Issue = Literal["Foundation", "Model calls", "Replay", "Crews", "Flows", "Observability", "Memory", "Control plane"]
Check = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Row:
    part: Part
    number: int
    """Of its part, from 1, in the seed's order."""
    item: str
    issue: Issue
    program: Check | None = None
    """Plays a program of ours and asserts what the text around the item promises."""
    block: Check | None = None
    """Plays the seed's own block; only where the seed is."""

    @property
    def name(self) -> str:
        return f"{self.part} {self.number}"

    @property
    def checks(self) -> list[Check]:
        """What can be run here; empty without a program, whatever else there is."""
        if self.program is None:
            return []
        return [self.program, self.block] if self.block is not None and excerpts.text() else [self.program]


ROWS: tuple[Row, ...] = (
    Row("python", 1, "robust flow: success and failure", "Foundation", flows.robust_flow, flows.robust_flow_block),
    Row("python", 2, "retry with backoff", "Model calls", calls.retry_with_backoff, calls.retry_block),
    Row("python", 3, "token usage of a run", "Foundation", usage.token_usage, usage.token_usage_block),
    Row("python", 4, "cost estimation", "Model calls", usage.estimate, usage.estimate_block),
    Row("python", 5, "usage per task", "Foundation", usage.per_task_usage, usage.per_task_block),
    Row(
        "python",
        6,
        "observable flow: success, re-raise",
        "Foundation",
        flows.observable_flow,
        flows.observable_flow_block,
    ),
    Row("python", 7, "verbose mode", "Observability"),
    Row("python", 8, "max_iter and max_rpm", "Model calls", calls.calls_paced, calls.paced_block),
    Row("python", 9, "batch with a semaphore", "Crews", crowds.batch_with_semaphore, crowds.batch_block),
    Row("python", 10, "kickoff_for_each", "Crews", crowds.for_each, crowds.for_each_block),
    Row("python", 11, "load_dotenv", "Foundation", calls.load_dotenv, calls.env_block),
    Row("python", 12, "model fallback", "Model calls", calls.model_falls_back, calls.fallback_block),
    Row("python", 13, "exercise: the solution", "Foundation", flows.exercise, flows.exercise_block),
    Row("shell", 1, "log-tasks-outputs and replay", "Replay", replay.both_commands),
    Row("shell", 2, ".env file", "Foundation", calls.env_file, calls.env_block),
    Row("diagram", 1, "replay from the task that failed", "Replay", replay.diagram),
    Row("output", 1, "exercise: the three lines", "Foundation", flows.expected_result),
    Row("enterprise", 1, "crews of several agents", "Crews", usage.several_agents),
    Row("enterprise", 2, "flows", "Flows", flows.flows_orchestrated),
    Row("enterprise", 3, "memory", "Memory"),
    Row("enterprise", 4, "monitoring dashboard", "Control plane"),
    Row("enterprise", 5, "usage analytics", "Control plane"),
    Row("enterprise", 6, "team collaboration", "Control plane"),
    Row("enterprise", 7, "managed deployment", "Control plane"),
    Row("enterprise", 8, "service levels", "Control plane"),
    Row("practice", 1, "kickoff in try/except", "Foundation", calls.program_survives),
    Row("practice", 2, "token usage per run", "Foundation", usage.usage_per_run),
    Row("practice", 3, "structured logs", "Foundation", usage.structured_logs),
    Row("practice", 4, "max_iter on agents", "Model calls", calls.iterations_bounded),
    Row("practice", 5, "@persist", "Flows", flows.persisted),
    Row("practice", 6, "the cheap model first", "Model calls", calls.small_model_first),
    Row("pitfall", 1, "no error handling", "Foundation", calls.failures_logged),
    Row("pitfall", 2, "usage ignored", "Foundation", usage.usage_looked_at),
    Row("pitfall", 3, "verbose in production", "Observability"),
    Row("pitfall", 4, "no retries", "Model calls", calls.outage_outlasted),
    Row("pitfall", 5, "keys in the source", "Foundation", calls.no_key_in_source),
    Row("pitfall", 6, "a loop instead of kickoff_for_each", "Crews", crowds.items_apart),
    Row("bonus", 1, "backoff, three attempts", "Model calls", calls.three_attempts_at_most),
    Row("bonus", 2, "router that retries", "Model calls", flows.router_retry),
    Row("bonus", 3, "log to a JSON file", "Observability"),
)
