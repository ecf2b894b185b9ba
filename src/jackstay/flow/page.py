"""`Flow.plot()`: one HTML file that needs no network. Pan, zoom, a method's source on a click."""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Mapping
from html import escape
from typing import Any

from jackstay.core.flow_graph import AllOf, AnyOf, Condition, FlowGraph, Trigger
from jackstay.flow.drawing import MethodState, kind_of, svg

# Nothing may be loaded: what the page needs is in it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
_STYLE = """
:root { color-scheme: light dark; --page: #f8fafc; --text: #0f172a; --quiet: #64748b; --box: #fff; --line: #64748b; }
@media (prefers-color-scheme: dark) { :root { --page: #0f172a; --text: #f1f5f9; --quiet: #94a3b8; --box: #1e293b;
  --line: #94a3b8; --start: #4ade80; --router: #fbbf24; --done: #14532d; --failed: #7f1d1d; --running: #713f12; } }
* { box-sizing: border-box; }
body { margin: 0; height: 100vh; display: flex; flex-direction: column; background: var(--page); color: var(--text);
  font: 14px system-ui, sans-serif; }
header { padding: 10px 16px; display: flex; gap: 16px; align-items: baseline; border-bottom: 1px solid var(--line); }
h1 { font-size: 16px; margin: 0; }
header span { color: var(--quiet); }
header button { margin-left: auto; font: inherit; white-space: nowrap; }
main { flex: 1; display: flex; min-height: 0; }
#stage { flex: 1; overflow: hidden; cursor: grab; touch-action: none; }
#stage svg { width: 100%; height: 100%; }
.node { cursor: pointer; }
.node:focus { outline: none; }
.node:focus rect, .node.chosen rect { stroke-width: 4; }
aside { width: min(520px, 45vw); overflow: auto; padding: 12px 16px; border-left: 1px solid var(--line); }
aside[hidden] { display: none; }
aside h2 { font: 600 15px ui-monospace, monospace; margin: 4px 0; }
aside p { color: var(--quiet); margin: 4px 0; white-space: pre-wrap; }
pre { font: 12px/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; overflow-x: auto; }
"""
_SCRIPT = """
const methods = JSON.parse(document.getElementById("methods").textContent);
const stage = document.getElementById("stage"), svg = stage.querySelector("svg"), aside = document.querySelector("aside");
const whole = svg.viewBox.baseVal, home = [whole.x, whole.y, whole.width, whole.height];
let view = home.slice(), held = null, moved = false;
const show = () => svg.setAttribute("viewBox", view.join(" "));
const scale = () => 1 / svg.getScreenCTM().a;
const at = event => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
svg.removeAttribute("width"); svg.removeAttribute("height");
stage.addEventListener("wheel", event => {
  event.preventDefault();
  const by = Math.exp(event.deltaY * 0.0015), point = at(event);
  const width = view[2] * by;
  if (width < 60 || width > home[2] * 20) return;
  view = [point.x - (point.x - view[0]) * by, point.y - (point.y - view[1]) * by, width, view[3] * by];
  show();
}, { passive: false });
stage.addEventListener("pointerdown", event => { held = [event.clientX, event.clientY]; moved = false; });
addEventListener("pointermove", event => {
  if (!held) return;
  const [x, y] = [event.clientX - held[0], event.clientY - held[1]];
  if (!moved && Math.hypot(x, y) < 4) return;
  moved = true;
  const by = scale();
  view[0] -= x * by; view[1] -= y * by; held = [event.clientX, event.clientY];
  show();
});
addEventListener("pointerup", () => { held = null; });
const choose = node => {
  document.querySelectorAll(".chosen").forEach(other => other.classList.remove("chosen"));
  aside.hidden = !node;
  if (!node) return;
  node.classList.add("chosen");
  const method = methods[node.dataset.method];
  aside.querySelector("h2").textContent = node.dataset.method;
  aside.querySelector("p").textContent = method.about;
  aside.querySelector("pre").textContent = method.source;
};
stage.addEventListener("click", event => { if (!moved) choose(event.target.closest(".node")); });
addEventListener("keydown", event => {
  if (event.key === "Escape") choose(null);
  if (event.key === "Enter") choose(document.activeElement.closest(".node"));
});
document.querySelector("button").addEventListener("click", () => { view = home.slice(); show(); });
"""


def page(name: str, graph: FlowGraph, states: Mapping[str, MethodState], run: str | None) -> str:
    """`run`: the id of the run whose states are shown."""
    methods = {
        each.name: {"about": _about(graph, each.name, states), "source": _source(each.call)}
        for each in graph.methods.values()
    }
    # In a script element nothing is escaped, but nothing may look like its end either.
    data = json.dumps(methods, ensure_ascii=False).replace("<", "\\u003c")
    told = f"{len(graph.methods)} methods" + (f" · run {run[:13]}" if run else "")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<link rel="icon" href="data:,">
<title>{escape(name)}</title>
<style>{_STYLE}</style>
</head>
<body>
<header><h1>{escape(name)}</h1><span>{escape(told)}</span><span>green frame: start · dashed frame: router · dashed line: or_ · thick line: and_</span><button>Whole picture</button></header>
<main><div id="stage">{svg(graph, states)}</div><aside hidden><h2></h2><p></p><pre></pre></aside></main>
<script type="application/json" id="methods">{data}</script>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _about(graph: FlowGraph, name: str, states: Mapping[str, MethodState]) -> str:
    method = graph.methods[name]
    said = [kind_of(method)]
    if method.condition is not None:
        said.append(f"listens to {condition_text(method.condition)}")
    if method.emits:
        said.append(f"returns {', '.join(method.emits)}")
    if name in states:
        state = states[name]
        said.append(f"{state.status}, {state.calls} calls, {state.seconds:.3f} s")
    doc = inspect.getdoc(method.call)
    return "\n".join([*said, *([doc] if doc else [])])


def condition_text(condition: Condition) -> str:
    """As it is written: `and_(a, or_(b, c))`."""
    match condition:
        case Trigger(name):
            return name
        case AnyOf(parts):
            return f"or_({', '.join(map(condition_text, parts))})"
        case AllOf(parts):
            return f"and_({', '.join(map(condition_text, parts))})"


def _source(function: Any) -> str:
    if (declared := getattr(function, "__declared__", None)) is not None:
        return str(declared)
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):  # made in an interactive session, or by code that is not there any more
        return "the source is not at hand"
