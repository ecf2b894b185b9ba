"""What a kickoff gives back: `CrewOutput`, `TaskOutput`, `UsageMetrics`. CrewAI's names; figures from the journal."""

from __future__ import annotations

import json
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

from jackstay.core.results import CrewResult, TaskResult
from jackstay.core.tool_failures import ToolFailureRecord
from jackstay.core.usage import Bill
from jackstay.engine.kickoff import Outcome


class OutputFormat(StrEnum):
    JSON = "json"
    PYDANTIC = "pydantic"
    RAW = "raw"


class UsageMetrics(BaseModel):
    """Tokens of a run, task or flow: sums over its model calls. `prompt_tokens` includes cached ones."""

    total_tokens: int = 0
    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cache_creation_tokens: int = 0
    successful_requests: int = 0

    @classmethod
    def of(cls, bill: Bill) -> UsageMetrics:
        usage = bill.usage
        return cls(
            total_tokens=usage.total_tokens,
            prompt_tokens=usage.input_tokens,
            cached_prompt_tokens=usage.cached_tokens,
            completion_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cache_creation_tokens=usage.cache_write_tokens,
            successful_requests=bill.requests,
        )

    def add_usage_metrics(self, other: UsageMetrics) -> None:
        for name in UsageMetrics.model_fields:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class _Output(BaseModel):
    """What task and crew outputs have in common."""

    raw: str = ""
    pydantic: BaseModel | None = None
    json_dict: dict[str, Any] | None = None
    token_usage: UsageMetrics = Field(default_factory=UsageMetrics)
    cost_usd: Decimal | None = None
    """US dollars; None: the price of a call is unknown."""
    duration_s: float = 0.0
    tool_failures: list[ToolFailureRecord] = Field(default_factory=list)
    """Calls of tools that failed on the way, in their order."""

    @property
    def has_tool_failures(self) -> bool:
        return bool(self.tool_failures)

    def to_dict(self) -> dict[str, Any]:
        if self.json_dict is not None:
            return dict(self.json_dict)
        return self.pydantic.model_dump() if self.pydantic is not None else {}

    def __str__(self) -> str:
        if self.pydantic is not None:
            return str(self.pydantic)
        return str(self.json_dict) if self.json_dict is not None else self.raw


class TaskOutput(_Output):
    description: str
    name: str | None = None
    expected_output: str | None = None
    summary: str | None = None
    """The first ten words of the description."""
    agent: str = ""
    ok: bool = True
    """False: the task failed and the crew went on without it (`on_error="skip"`); `error` says how, `raw` is empty."""
    error: str | None = None
    output_format: OutputFormat = OutputFormat.RAW

    @property
    def json(self) -> str:  # type: ignore[override]
        """The JSON text of a task with `output_json`. `ValueError` for any other."""
        if self.output_format is not OutputFormat.JSON:
            raise ValueError("the task has no JSON output; give it output_json=…, or use .raw")
        return json.dumps(self.json_dict, ensure_ascii=False)

    @classmethod
    def of(cls, result: TaskResult) -> TaskOutput:
        words = result.description.split()
        return cls(
            raw=result.raw,
            pydantic=result.value if result.form == "pydantic" else None,
            json_dict=result.data if result.form == "json" else None,
            token_usage=UsageMetrics.of(result.bill),
            cost_usd=result.bill.cost_usd,
            duration_s=result.duration_s,
            description=result.description,
            name=result.name or result.description,
            expected_output=result.expected_output,
            summary=" ".join(words[:10]) + "...",
            agent=result.agent,
            ok=result.error is None,
            error=result.error,
            output_format=OutputFormat(result.form),
            tool_failures=list(result.tool_failures),
        )


class CrewOutput(_Output):
    tasks_output: list[TaskOutput] = Field(default_factory=list)
    reused_usage: UsageMetrics = Field(default_factory=UsageMetrics)
    """What a replay took from another run's record: paid there, and no part of `token_usage`."""
    run_id: str = ""
    path: str = ""
    """The crew's scope inside the run; empty when the crew is the run."""
    ok: bool = True
    """False: this item of a batch failed; `error` says how, `raw` is empty."""
    error: str | None = None

    @property
    def json(self) -> str:  # type: ignore[override]
        """The JSON text of the last task's `output_json`. `ValueError` if it has none."""
        if not self.tasks_output or self.tasks_output[-1].output_format is not OutputFormat.JSON:
            raise ValueError("the last task has no JSON output; give it output_json=…, or use .raw")
        return json.dumps(self.json_dict, ensure_ascii=False)

    @property
    def usage_metrics(self) -> dict[str, Any]:
        return self.token_usage.model_dump()

    def __getitem__(self, key: str) -> Any:
        if self.pydantic is not None and hasattr(self.pydantic, key):
            return getattr(self.pydantic, key)
        if self.json_dict is not None and key in self.json_dict:
            return self.json_dict[key]
        raise KeyError(f"the output has no field {key!r}")

    def summary(self) -> dict[str, Any]:
        """The run in a few plain values, for one's own logs: `json.dumps(result.summary())`."""
        return {
            "run_id": self.run_id,
            "path": self.path,
            "ok": self.ok,
            "error": self.error,
            "tasks": [
                {
                    "name": task.name,
                    "agent": task.agent,
                    "total_tokens": task.token_usage.total_tokens,
                    "cost_usd": _plain(task.cost_usd),
                    "duration_s": round(task.duration_s, 3),
                }
                for task in self.tasks_output
            ],
            "output_length": len(self.raw),
            "total_tokens": self.token_usage.total_tokens,
            "successful_requests": self.token_usage.successful_requests,
            "cost_usd": _plain(self.cost_usd),
            "duration_s": round(self.duration_s, 3),
        }

    @classmethod
    def of(cls, outcome: Outcome) -> CrewOutput:
        result: CrewResult = outcome.result
        final = result.replaced or result.tasks[result.final]
        return cls(
            raw=final.raw,
            pydantic=final.value if final.form == "pydantic" else None,
            json_dict=final.data if final.form == "json" else None,
            token_usage=UsageMetrics.of(outcome.bill),
            reused_usage=UsageMetrics.of(outcome.reused),
            cost_usd=outcome.bill.cost_usd,
            duration_s=outcome.duration_s,
            tool_failures=[failure for task in result.tasks for failure in task.tool_failures],
            tasks_output=[TaskOutput.of(task) for task in result.tasks],
            run_id=outcome.run_id,
            path=outcome.path,
        )


def _plain(cost_usd: Decimal | None) -> float | None:
    return None if cost_usd is None else float(cost_usd)
