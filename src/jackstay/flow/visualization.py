"""CrewAI's names for a flow's structure and its picture; the picture is `Flow.plot`'s."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jackstay.core.flow_graph import AllOf, AnyOf, FlowGraph, MethodSpec, Trigger
from jackstay.errors import DefinitionError
from jackstay.flow.definition import FlowDefinition, structure_of
from jackstay.flow.flow import Flow
from jackstay.flow.plotting import text_of, write

__all__ = ["build_flow_structure", "visualize_flow_structure"]

AnyFlow = Flow[Any] | type[Flow[Any]] | FlowDefinition


def build_flow_structure(flow_or_definition: AnyFlow) -> dict[str, Any]:
    """Nodes and edges of a flow as JSON data: `nodes`, `edges`, `start_methods`, `router_methods`."""
    if isinstance(flow_or_definition, FlowDefinition):
        return structure_of(flow_or_definition)
    return structure_of(flow_or_definition.flow_definition())


def visualize_flow_structure(
    flow_structure: Mapping[str, Any] | AnyFlow, filename: str | Path = "crewai_flow.html", show: bool = False
) -> str:
    """Writes the flow's picture as one HTML file, opens it if `show` is set and a terminal is there, and gives back its path.

    A flow, or its class, is drawn as `Flow.plot` does it; what `build_flow_structure` has returned has no sources to show.
    Raises `ConfigurationError` where it cannot be written, `DefinitionError` for what is no structure.
    """
    if isinstance(flow_structure, Flow | type):
        made = flow_structure() if isinstance(flow_structure, type) else flow_structure
        return made.plot(filename, show)
    given = flow_structure if isinstance(flow_structure, Mapping) else build_flow_structure(flow_structure)
    graph = _graph_of(given)
    name = next((str(node["class_name"]) for node in given["nodes"].values() if "class_name" in node), "flow")
    path = write(text_of(name, graph, "html", {}, None), filename, "html")
    if show and sys.stdout.isatty():
        webbrowser.open(path.as_uri())
    return str(path)


def _graph_of(structure: Mapping[str, Any]) -> FlowGraph:
    try:
        starts = set(structure["start_methods"])
        return FlowGraph({name: _method(name, node, name in starts) for name, node in structure["nodes"].items()})
    except (AttributeError, KeyError, TypeError) as error:
        raise DefinitionError(
            f"visualize_flow_structure: this is no structure of a flow ({error!r}); pass what build_flow_structure returns"
        ) from error


def _method(name: str, node: Mapping[str, Any], start: bool) -> MethodSpec:
    def absent() -> None: ...

    absent.__declared__ = "a structure has no sources; Flow.plot shows them"  # type: ignore[attr-defined]
    triggers = tuple(Trigger(str(each)) for each in node.get("trigger_methods", ()))
    # A structure says of nested conditions only what their outermost word is.
    several = AllOf(triggers) if node.get("condition_type") == "AND" else AnyOf(triggers)
    condition = None if not triggers else triggers[0] if len(triggers) == 1 else several
    emits = node.get("router_events")
    return MethodSpec(
        name,
        absent,
        start=start,
        condition=condition,
        router=bool(node.get("is_router")),
        emits=None if emits is None else tuple(emits),
    )
