"""Flows: `Flow`, `start`, `listen`, `router`, `or_`, `and_`, `persist`; people in them: `human_feedback`, `flow_config`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jackstay.flow.decorators import and_, listen, or_, router, start
from jackstay.flow.flow import Flow
from jackstay.flow.flow_config import flow_config
from jackstay.flow.human_feedback import HumanFeedbackResult, human_feedback
from jackstay.flow.persistence import FlowPersistence, SQLiteFlowPersistence, persist, set_flow_persistence_factory
from jackstay.flow.state import FlowState

if TYPE_CHECKING:
    from jackstay.flow.streaming import AsyncStreamSession, StreamFrame, StreamSession

__all__ = [
    "AsyncStreamSession",
    "Flow",
    "FlowPersistence",
    "FlowState",
    "HumanFeedbackResult",
    "SQLiteFlowPersistence",
    "StreamFrame",
    "StreamSession",
    "and_",
    "flow_config",
    "human_feedback",
    "listen",
    "or_",
    "persist",
    "router",
    "set_flow_persistence_factory",
    "start",
]

_STREAMING = ("AsyncStreamSession", "StreamFrame", "StreamSession")


def __getattr__(name: str) -> Any:
    if name not in _STREAMING:
        raise AttributeError(f"module 'jackstay.flow' has no attribute {name!r}")
    # When it is wanted: with it come the classes of all events.
    from jackstay.flow import streaming

    return getattr(streaming, name)
