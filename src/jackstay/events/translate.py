"""From what the engine tells to the public events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jackstay.core.events import Event
from jackstay.engine.run import Run
from jackstay.events import of_calls, of_kickoffs, of_waits
from jackstay.events.base_events import BaseEvent
from jackstay.events.news import Made, News


@dataclass(frozen=True, slots=True)
class Source:
    """Where an event of a run comes from: what handlers are given as `source`."""

    run_id: str
    path: str
    name: str
    """Of the run: its crew, flow or script."""


def translate(
    run: Run, event: Event, about: Any, wanted: Callable[[type[BaseEvent]], bool]
) -> Sequence[tuple[Source, BaseEvent]]:
    """The public events; those that nobody wants are not made."""
    maker = _TABLE.get(event.name)
    if maker is None or about is None:
        return ()
    source = Source(run.id, event.path, run.row.name)
    where = {"timestamp": event.at, "run_id": run.id, "path": event.path}
    made = maker(News(run, event, about))
    return [(source, cls(**where, **fields())) for cls, fields in made if wanted(cls)]


_TABLE: Mapping[str, Callable[[News], Iterator[Made]]] = {
    "kickoff_started": of_kickoffs.kickoff_started,
    "kickoff_finished": of_kickoffs.kickoff_finished,
    "kickoff_failed": of_kickoffs.kickoff_failed,
    "task_started": of_kickoffs.task_started,
    "task_finished": of_kickoffs.task_finished,
    "task_skipped": of_kickoffs.task_finished,
    "task_failed": of_kickoffs.task_failed,
    "model_call_started": of_calls.model_started,
    "model_call_finished": of_calls.model_finished,
    "model_call_failed": of_calls.model_failed,
    "model_piece": of_calls.piece,
    "tool_started": of_calls.tool_started,
    "tool_finished": of_calls.tool_finished,
    "tool_failed": of_calls.tool_failed,
    "tool_failure": of_calls.tool_failure,
    "guardrail_started": of_calls.guardrail_started,
    "guardrail_passed": of_calls.guardrail_ended,
    "guardrail_rejected": of_calls.guardrail_ended,
    "method_started": of_kickoffs.method_started,
    "method_finished": of_kickoffs.method_finished,
    "method_failed": of_kickoffs.method_failed,
    "method_paused": of_waits.method_paused,
    "wait_asked": of_waits.wait_asked,
    "wait_answered": of_waits.wait_answered,
}
