"""Flows and their methods."""

from __future__ import annotations

from typing import Any

from jackstay.events.base_events import BaseEvent


class FlowEvent(BaseEvent):
    flow_name: str


class FlowCreatedEvent(FlowEvent):
    """A flow object was made."""

    type: str = "flow_created"


class FlowStartedEvent(FlowEvent):
    type: str = "flow_started"
    inputs: dict[str, Any] | None = None


class FlowFinishedEvent(FlowEvent):
    type: str = "flow_finished"
    result: Any = None
    state: Any = None


class FlowFailedEvent(FlowEvent):
    type: str = "flow_failed"
    error: Any


class FlowPausedEvent(FlowEvent):
    """The run waits for a person; `message` says how it goes on."""

    type: str = "flow_paused"
    flow_id: str
    method_name: str = ""
    state: Any = None
    message: str
    emit: list[str] | None = None


class FlowPlotEvent(FlowEvent):
    """A picture of a flow was written."""

    type: str = "flow_plot"


class MethodExecutionStartedEvent(FlowEvent):
    type: str = "method_execution_started"
    method_name: str
    state: Any
    params: dict[str, Any] | None = None


class MethodExecutionFinishedEvent(FlowEvent):
    type: str = "method_execution_finished"
    method_name: str
    result: Any = None
    state: Any


class MethodExecutionFailedEvent(FlowEvent):
    type: str = "method_execution_failed"
    method_name: str
    error: Any


class MethodExecutionPausedEvent(FlowEvent):
    """The method waits for a person; what is beside it goes on."""

    type: str = "method_execution_paused"
    method_name: str
    state: Any
    flow_id: str
    message: str
    emit: list[str] | None = None


class HumanFeedbackRequestedEvent(FlowEvent):
    """A person is asked about what a method has returned. `output`: as the person is shown it; `request_id`: the path of
    the question."""

    type: str = "human_feedback_requested"
    method_name: str
    output: Any
    message: str
    emit: list[str] | None = None
    request_id: str | None = None


class HumanFeedbackReceivedEvent(FlowEvent):
    """The person's word. `outcome`: where the person chose a label instead of writing."""

    type: str = "human_feedback_received"
    method_name: str
    feedback: str
    outcome: str | None = None
    request_id: str | None = None


class FlowInputRequestedEvent(FlowEvent):
    """A method asks a person (`Flow.ask`)."""

    type: str = "flow_input_requested"
    method_name: str
    message: str
    metadata: dict[str, Any] | None = None


class FlowInputReceivedEvent(FlowEvent):
    """The person's text; None: there was none in time."""

    type: str = "flow_input_received"
    method_name: str
    message: str
    response: str | None = None
    metadata: dict[str, Any] | None = None
