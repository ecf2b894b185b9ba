"""What `Flow.plot` and `jackstay flow plot` write: a picture of the flow, with how its methods fared in a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, get_args

from jackstay.core.flow_graph import FlowGraph
from jackstay.core.paths import parent_of
from jackstay.core.records import StepRow
from jackstay.engine.runtime import current_runtime
from jackstay.errors import ConfigurationError, DefinitionError
from jackstay.flow.drawing import MethodState, mermaid, svg
from jackstay.flow.page import page

Format = Literal["html", "svg", "mermaid"]
_SUFFIX: Mapping[Format, str] = {"html": ".html", "svg": ".svg", "mermaid": ".mmd"}
_BY_SUFFIX: Mapping[str, Format] = {".html": "html", ".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid"}


def form_of(filename: str | Path | None) -> Format:
    """What a file of that name is to be: as its suffix says."""
    return _BY_SUFFIX.get(Path(filename or "").suffix, "html")


def states_in(rows: Iterable[StepRow], graph: FlowGraph, scope: str = "") -> dict[str, MethodState]:
    """How the methods of a kickoff fared, from its run's rows. `scope`: the kickoff's path in the run."""
    found: dict[str, MethodState] = {}
    for row in sorted(rows, key=lambda row: row.seq):
        if row.kind != "method" or row.name not in graph.methods or parent_of(row.path) != scope:
            continue
        before = found.get(row.name) or MethodState("", 0, 0.0)
        status = "failed" if row.status == "failed" else "succeeded"
        found[row.name] = MethodState(status, before.calls + 1, before.seconds + row.duration_us / 1e6)
    return found


def text_of(name: str, graph: FlowGraph, form: Format, states: Mapping[str, MethodState], run: str | None) -> str:
    if form not in get_args(Format):
        raise DefinitionError(f"plot: format is one of {', '.join(get_args(Format))}, not {form!r}")
    text = (
        page(name, graph, states, run) if form == "html" else (svg if form == "svg" else mermaid)(graph, states) + "\n"
    )
    # A method's source may have a key in it, and the page is for others.
    return current_runtime().masked.secrets.masked(text)


def write(text: str, filename: str | Path, form: Format) -> Path:
    """The file, whose name gets the form's suffix if it has none; its absolute path."""
    try:
        path = Path(filename)
        path = (path if path.suffix else path.with_suffix(_SUFFIX[form])).absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:  # a name may be none at all
        raise ConfigurationError(f"the picture of the flow cannot be written to {filename}: {error}") from error
    return path
