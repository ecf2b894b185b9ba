"""Flows: `Flow`, `start`, `listen`, `router`, `or_`, `and_`."""

from jackstay.flow.decorators import and_, listen, or_, router, start
from jackstay.flow.flow import Flow
from jackstay.flow.state import FlowState

__all__ = ["Flow", "FlowState", "and_", "listen", "or_", "router", "start"]
