"""What the engine gives back: values that the public classes present to users and that the journal stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from jackstay.core.canonical import digest
from jackstay.core.tool_failures import ToolFailureRecord
from jackstay.core.usage import NO_BILL, Bill, Usage

OutputForm = Literal["raw", "pydantic", "json"]


@dataclass(frozen=True, slots=True)
class TaskResult:
    key: str
    name: str | None
    description: str
    expected_output: str
    agent: str
    raw: str
    form: OutputForm = "raw"
    value: Any = None
    """The validated object of a structured output."""
    data: Any = None
    """The same as JSON data."""
    bill: Bill = NO_BILL
    duration_s: float = 0.0
    path: str = ""
    tool_failures: tuple[ToolFailureRecord, ...] = ()
    """Calls of tools that failed on the way, in their order."""
    error: str | None = None
    """There is no result: the task failed, and the crew went on without it."""
    began_at: datetime | None = None
    """By the wall clock; None: of a record that does not say."""
    context: str | None = None
    """What it was told of other tasks; not stored."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a guardrail said of an output: that it passes, or why not; and what is to stand in its place."""

    passed: bool
    error: str = ""
    raw: str | None = None
    """The text from here on. None: the output stays as it is."""
    form: OutputForm | None = None
    """None: `raw` is read as the agent's answer would be. Else the whole output is replaced, its data by `data`."""
    data: Any = None


@dataclass(frozen=True, slots=True)
class Replacement:
    """What a crew's output says from here on, instead of its last task's. `like`: the task whose class the object has."""

    raw: str
    form: OutputForm = "raw"
    data: Any = None
    like: int | None = None
    value: Any = None
    """The object, rebuilt from `data`; not stored."""

    def to_json(self) -> dict[str, Any]:
        return {"raw": self.raw, "form": self.form, "data": self.data, "like": self.like}


@dataclass(frozen=True, slots=True)
class CrewResult:
    tasks: tuple[TaskResult, ...]
    final: int
    """Index of the task whose output is the crew's."""
    replaced: Replacement | None = None
    """What an after-kickoff callback has put in its place."""


def output_hash(result: TaskResult) -> str:
    """Of what user code decides by when it is shown an output. Not the figures, nor the time that it took: these are
    others when a resumed run comes to the same output."""
    seen = [result.name, result.description, result.expected_output, result.agent]
    return digest([*seen, result.raw, result.form, result.data])


def crew_hash(result: CrewResult) -> str:
    """The same of a crew's output."""
    replaced = result.replaced.to_json() if result.replaced is not None else None
    return digest([*(output_hash(task) for task in result.tasks), result.final, replaced])


def bill_to_json(bill: Bill) -> dict[str, Any]:
    usage = bill.usage
    return {
        "tokens": [
            usage.input_tokens,
            usage.cached_tokens,
            usage.cache_write_tokens,
            usage.output_tokens,
            usage.reasoning_tokens,
        ],
        "estimated": usage.estimated,
        "requests": bill.requests,
        "cost_usd": None if bill.cost_usd is None else str(bill.cost_usd),
    }


def bill_from_json(data: Mapping[str, Any]) -> Bill:
    cost = data["cost_usd"]
    tokens, cached, written, output, reasoning = data["tokens"]
    usage = Usage(tokens, cached, written, output, reasoning, estimated=data["estimated"])
    return Bill(usage, data["requests"], None if cost is None else Decimal(cost))


def task_to_json(result: TaskResult) -> dict[str, Any]:
    """For the journal. The object itself is rebuilt from `data` by the definition."""
    body = {
        name: getattr(result, name)
        for name in TaskResult.__slots__
        if name not in ("value", "bill", "tool_failures", "began_at", "context")
    }
    if result.began_at is not None:
        body["began_at"] = result.began_at.isoformat()
    if result.tool_failures:
        # Not the traceback: the call's own row has it.
        body["tool_failures"] = [
            {name: value for name, value in asdict(failure).items() if name != "traceback"}
            for failure in result.tool_failures
        ]
    return body | {"bill": bill_to_json(result.bill)}


def task_from_json(body: Mapping[str, Any], value: Any = None) -> TaskResult:
    known = {name: item for name, item in body.items() if name in TaskResult.__slots__}
    known["bill"] = bill_from_json(body["bill"])
    known["tool_failures"] = tuple(ToolFailureRecord(**each) for each in body.get("tool_failures", ()))
    if "began_at" in body:
        known["began_at"] = datetime.fromisoformat(body["began_at"])
    return TaskResult(**known | {"value": value})
