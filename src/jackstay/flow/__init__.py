"""Flows: `Flow`, `start`, `listen`, `router`, `or_`, `and_`, `persist`."""

from jackstay.flow.decorators import and_, listen, or_, router, start
from jackstay.flow.flow import Flow
from jackstay.flow.persistence import FlowPersistence, SQLiteFlowPersistence, persist, set_flow_persistence_factory
from jackstay.flow.state import FlowState

__all__ = [
    "Flow",
    "FlowPersistence",
    "FlowState",
    "SQLiteFlowPersistence",
    "and_",
    "listen",
    "or_",
    "persist",
    "router",
    "set_flow_persistence_factory",
    "start",
]
