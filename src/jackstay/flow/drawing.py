"""A flow as a picture: SVG, and Mermaid's text. Colours come from the page's variables, else from those in the SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape

from jackstay.core.flow_graph import FlowGraph, MethodSpec
from jackstay.core.flow_layout import Box, Line, arrows, layout

STYLE = """
.flow { font: 13px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.flow rect { fill: var(--box, #fff); stroke: var(--line, #64748b); stroke-width: 1.5; }
.flow .start rect { stroke: var(--start, #15803d); stroke-width: 2.5; }
.flow .router rect { stroke: var(--router, #b45309); stroke-dasharray: 6 3; stroke-width: 2; }
.flow .name { fill: var(--text, #0f172a); text-anchor: middle; }
.flow .kind { fill: var(--quiet, #64748b); font-size: 10px; text-anchor: middle; }
.flow .succeeded rect { fill: var(--done, #dcfce7); }
.flow .failed rect { fill: var(--failed, #fee2e2); }
.flow .running rect { fill: var(--running, #fef3c7); }
.flow path { fill: none; stroke: var(--line, #64748b); stroke-width: 1.5; }
.flow path.and { stroke-width: 3; }
.flow path.or { stroke-dasharray: 7 4; }
.flow path.label { stroke: var(--router, #b45309); }
.flow .word { fill: var(--router, #b45309); font-size: 11px; text-anchor: middle; paint-order: stroke;
  stroke: var(--page, #f8fafc); stroke-width: 4px; }
.flow marker path { fill: var(--line, #64748b); stroke: none; }
""".strip()


_TIP = """
<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="11" markerHeight="11"
  markerUnits="userSpaceOnUse" orient="auto-start-reverse"><path d="M0 0 10 5 0 10z"/></marker></defs>
""".strip()


@dataclass(frozen=True, slots=True)
class MethodState:
    """How a method fared in a run. `status`: running, succeeded or failed."""

    status: str
    calls: int
    seconds: float


def kind_of(method: MethodSpec) -> str:
    words = [word for word, so in (("start", method.start), ("router", method.router)) if so]
    return " · ".join(words) or "listener"


def svg(graph: FlowGraph, states: Mapping[str, MethodState]) -> str:
    """One SVG element with its own style. Boxes have the method's name in `data-method`."""
    notes = {name: _note(method, states.get(name)) for name, method in graph.methods.items()}
    made = layout(graph, notes)
    size = f"{made.width:.0f}", f"{made.height:.0f}"
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" class="flow" role="img" viewBox="0 0 {" ".join(size)}"'
    parts = [
        f'{opening} width="{size[0]}" height="{size[1]}">',
        f"<style>{STYLE}</style>",
        _TIP,
        *(_path(line) for line in made.lines),
        *(_box(box, graph.methods[box.name], states.get(box.name), notes[box.name]) for box in made.boxes),
        *(_word(line) for line in made.lines if line.arrow.label),
        "</svg>",
    ]
    return "\n".join(parts)


def mermaid(graph: FlowGraph, states: Mapping[str, MethodState]) -> str:
    """A Mermaid flowchart: starts round, routers as rhombs; `or_` dotted, `and_` thick."""
    return "\n".join(["flowchart TD", *_mermaid_lines(graph, states)])


def _mermaid_lines(graph: FlowGraph, states: Mapping[str, MethodState]) -> Iterator[str]:
    node = {name: f"M{number}" for number, name in enumerate(graph.methods, 1)}
    for name, method in graph.methods.items():
        shape = ('(["', '"])') if method.start else ('{"', '"}') if method.router else ('["', '"]')
        yield f"    {node[name]}{shape[0]}{name}{shape[1]}"
    tips = {"or": "-.->", "and": "==>"}
    for arrow in arrows(graph):
        # Mermaid shows labels as HTML.
        label = arrow.label.replace("#", "#35;").replace("&", "#amp;").replace("<", "#lt;").replace('"', "#quot;")
        word = f'|"{label}"|' if label else ""
        yield f"    {node[arrow.begin]} {tips.get(arrow.how, '-->')}{word} {node[arrow.end]}"
    colours = {"succeeded": "#dcfce7", "failed": "#fee2e2", "running": "#fef3c7"}
    for name, state in states.items():
        if name in node:
            yield f"    style {node[name]} fill:{colours[state.status]}"


def _note(method: MethodSpec, state: MethodState | None) -> str:
    if state is None:
        return kind_of(method)
    times = f"{state.calls}× " if state.calls > 1 else ""
    return f"{kind_of(method)} · {times}{state.seconds:.2f} s"


def _box(box: Box, method: MethodSpec, state: MethodState | None, note: str) -> str:
    classes = " ".join(["node", *kind_of(method).split(" · "), *([state.status] if state else [])])
    middle, name = box.x + box.width / 2, escape(box.name)
    return (
        f'<g class="{classes}" data-method="{name}" tabindex="0"><title>{name}</title>'
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="8"/>'
        f'<text class="name" x="{middle:.1f}" y="{box.y + 23:.1f}">{name}</text>'
        f'<text class="kind" x="{middle:.1f}" y="{box.y + 40:.1f}">{escape(note)}</text></g>'
    )


def _path(line: Line) -> str:
    (x, y), *rest = line.points
    steps = [f"M{x:.1f} {y:.1f}"]
    for at, up in rest:
        half = (y + up) / 2
        steps.append(f"C{x:.1f} {half:.1f} {at:.1f} {half:.1f} {at:.1f} {up:.1f}" if x != at else f"L{at:.1f} {up:.1f}")
        x, y = at, up
    ends = f'data-begin="{escape(line.arrow.begin)}" data-end="{escape(line.arrow.end)}"'
    return f'<path class="{line.arrow.how}" {ends} d="{"".join(steps)}" marker-end="url(#tip)"/>'


def _word(line: Line) -> str:
    # Where it leaves the router: one reads on from there, and at the other end many lines may meet.
    (x0, y0), (x1, y1) = line.points[:2]
    return f'<text class="word" x="{(x0 + x1) / 2:.1f}" y="{(y0 + y1) / 2 + 4:.1f}">{escape(line.arrow.label)}</text>'
