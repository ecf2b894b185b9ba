"""Flows: `Flow`, `start`, `listen`, `router`, `or_`, `and_`, `persist`; people in them: `human_feedback`, `flow_config`."""

from jackstay.flow.decorators import and_, listen, or_, router, start
from jackstay.flow.flow import Flow
from jackstay.flow.flow_config import flow_config
from jackstay.flow.human_feedback import HumanFeedbackResult, human_feedback
from jackstay.flow.persistence import FlowPersistence, SQLiteFlowPersistence, persist, set_flow_persistence_factory
from jackstay.flow.state import FlowState

__all__ = [
    "Flow",
    "FlowPersistence",
    "FlowState",
    "HumanFeedbackResult",
    "SQLiteFlowPersistence",
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
