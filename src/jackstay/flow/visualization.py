"""CrewAI's names for a flow's structure and its picture; the picture is `Flow.plot`'s."""

from __future__ import annotations

from typing import Any

from jackstay.flow.definition import FlowDefinition, structure_of
from jackstay.flow.flow import Flow

__all__ = ["build_flow_structure", "visualize_flow_structure"]


def build_flow_structure(flow_or_definition: Flow[Any] | type[Flow[Any]] | FlowDefinition) -> dict[str, Any]:
    """Nodes and edges of a flow as JSON data: `nodes`, `edges`, `start_methods`, `router_methods`."""
    if isinstance(flow_or_definition, FlowDefinition):
        return structure_of(flow_or_definition)
    return structure_of(flow_or_definition.flow_definition())


def visualize_flow_structure(
    flow: Flow[Any] | type[Flow[Any]], filename: str = "crewai_flow.html", show: bool = False
) -> str:
    """Writes the flow's picture as one HTML file, opens it if `show` is set and a terminal is there, and gives back its path.
    (CrewAI's takes what `build_flow_structure` returns, which has no sources to show on a click.)"""
    made = flow() if isinstance(flow, type) else flow
    return made.plot(filename, show=show)
