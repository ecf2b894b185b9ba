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
from tests.seed import checks_usage as usage
from tests.seed import excerpts

Part = Literal["python", "shell", "diagram", "output", "enterprise", "practice", "pitfall", "bonus"]
Issue = Literal[
    "Foundation", "Model calls", "Replay", "Crews", "Flows", "Observability", "Memory", "Control plane"
]  # fmt: skip
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


def _part(part: Part, *rows: tuple[object, ...]) -> list[Row]:
    return [Row(part, number, *row) for number, row in enumerate(rows, 1)]  # type: ignore[arg-type]


ROWS: tuple[Row, ...] = (
    *_part(
        "python",
        ("robust flow: success and failure", "Foundation", flows.robust_flow, flows.robust_flow_block),
        ("retry with backoff", "Model calls", calls.retry_with_backoff, calls.retry_block),
        ("token usage of a run", "Foundation", usage.token_usage, usage.token_usage_block),
        ("cost estimation", "Model calls", None, usage.estimate_block),
        ("usage per task", "Foundation", usage.per_task_usage, usage.per_task_block),
        ("observable flow: success, failure raised", "Foundation", flows.observable_flow, flows.observable_flow_block),
        ("verbose mode", "Observability"),
        ("max_iter and max_rpm", "Model calls"),
        ("batch with a semaphore", "Crews", crowds.batch_with_semaphore, crowds.batch_block),
        ("kickoff_for_each", "Crews", crowds.for_each, crowds.for_each_block),
        ("load_dotenv", "Foundation", calls.load_dotenv, calls.env_block),
        ("model fallback", "Model calls"),
        ("exercise: the solution", "Foundation", flows.exercise, flows.exercise_block),
    ),
    *_part(
        "shell",
        ("log-tasks-outputs and replay", "Replay"),
        (".env file", "Foundation", calls.env_file, calls.env_block),
    ),
    *_part("diagram", ("replay from the task that failed", "Replay")),
    *_part("output", ("exercise: the three lines", "Foundation", flows.expected_result)),
    *_part(
        "enterprise",
        ("crews of several agents", "Crews", usage.several_agents),
        ("flows", "Flows"),
        ("memory", "Memory"),
        ("monitoring dashboard", "Control plane"),
        ("usage analytics", "Control plane"),
        ("team collaboration", "Control plane"),
        ("managed deployment", "Control plane"),
        ("service levels", "Control plane"),
    ),
    *_part(
        "practice",
        ("kickoff in try/except", "Foundation", calls.program_survives),
        ("token usage per run", "Foundation", usage.usage_per_run),
        ("structured logs", "Foundation", usage.structured_logs),
        ("max_iter on agents", "Model calls", calls.iterations_bounded),
        ("@persist", "Flows"),
        ("the cheap model first", "Model calls", calls.small_model_first),
    ),
    *_part(
        "pitfall",
        ("no error handling", "Foundation", calls.failures_logged),
        ("usage ignored", "Foundation", usage.usage_looked_at),
        ("verbose in production", "Observability"),
        ("no retries", "Model calls", calls.outage_outlasted),
        ("keys in the source", "Foundation", calls.no_key_in_source),
        ("a loop instead of kickoff_for_each", "Crews", crowds.items_apart),
    ),
    *_part(
        "bonus",
        ("backoff, three attempts", "Model calls", calls.three_attempts_at_most, calls.retry_block),
        ("router that retries", "Model calls", flows.router_retry),
        ("log to a JSON file", "Observability"),
    ),
)
