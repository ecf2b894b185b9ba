"""What the bus hears of runs that ask people."""

from __future__ import annotations

from typing import Any

import pytest

from jackstay import Flow, human_feedback, listen, start
from jackstay.errors import HumanFeedbackPending
from jackstay.events import (
    FlowInputReceivedEvent,
    FlowInputRequestedEvent,
    FlowPausedEvent,
    HumanFeedbackReceivedEvent,
    HumanFeedbackRequestedEvent,
    MethodExecutionPausedEvent,
    event_bus,
)
from jackstay.testing import ScriptedModel


class Says:
    def request_input(self, message: str, flow: Any, metadata: Any = None) -> str:
        return "Ann"


class Asks(Flow):  # type: ignore[type-arg]
    @start()
    def greet(self) -> str | None:
        return self.ask("Who?", metadata={"of": "greet"})

    @listen(greet)
    @human_feedback("ok?", emit=["yes", "no"], llm=ScriptedModel())
    def draft(self, name: str) -> str:
        return f"Dear {name}"


@pytest.mark.promise("around.event_names.people")
def test_questions_answers_and_pauses_are_told_with_crewais_fields() -> None:
    events: list[Any] = []
    for cls in (
        FlowInputRequestedEvent,
        FlowInputReceivedEvent,
        HumanFeedbackRequestedEvent,
        HumanFeedbackReceivedEvent,
        MethodExecutionPausedEvent,
        FlowPausedEvent,
    ):
        event_bus.register_handler(cls, lambda source, event: events.append(event))
    flow = Asks(input_provider=Says())

    assert isinstance(flow.kickoff(), HumanFeedbackPending)
    flow.resume("yes")

    assert [event.type for event in events] == [
        "flow_input_requested",
        "flow_input_received",
        "human_feedback_requested",
        "method_execution_paused",
        "flow_paused",
        "human_feedback_received",
    ]
    asked, said, requested, paused, ended, received = events
    assert (asked.flow_name, asked.method_name, asked.message, asked.metadata) == (
        "Asks",
        "greet",
        "Who?",
        {"of": "greet"},
    )
    assert (said.response, said.message) == ("Ann", "Who?")
    assert (requested.method_name, requested.output, requested.emit) == ("draft", "Dear Ann", ["yes", "no"])
    assert (paused.method_name, paused.flow_id, ended.flow_id) == ("draft", flow.run_id, flow.run_id)
    assert (received.feedback, received.outcome, received.request_id) == ("yes", None, requested.request_id)
