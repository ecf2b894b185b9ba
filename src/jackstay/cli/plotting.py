"""`jackstay flow plot`: loads a flow, kicks nothing off, draws it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast, get_args

from jackstay.cli.outcome import UsageError
from jackstay.cli.program import definitions, load, prepare
from jackstay.cli.stored import NoRunsYet, chosen, existing_journal, top_runs
from jackstay.cli.target import resolve
from jackstay.cli.terminal import say
from jackstay.core.records import RunFilter
from jackstay.flow import Flow
from jackstay.flow.drawing import MethodState
from jackstay.flow.plotting import Format, states_in, text_of, write

_BY_SUFFIX: dict[str, Format] = {".html": "html", ".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid"}


def plot_flow(path: str, output: Path | None, given: str | None, run: str | None) -> int:
    form = _form(output, given)
    target = resolve(path, (), Path.cwd())
    prepare(target)
    flow = _flow_in(load(target), path)
    states, run_id = _fared(flow, run)
    text = text_of(flow._name, flow._graph(), form, states, run_id)
    if str(output) == "-":
        sys.stdout.write(text)
        return 0
    say(f"written: {write(text, output or Path(flow._name), form)}")
    return 0


def _form(output: Path | None, given: str | None) -> Format:
    if given is None:
        return _BY_SUFFIX.get(output.suffix, "html") if output else "html"
    if given not in get_args(Format):
        raise UsageError(f"--format {given}: it is one of {', '.join(get_args(Format))}")
    return cast("Format", given)


def _flow_in(found: Any, path: str) -> Flow[Any]:
    if isinstance(found, type) and issubclass(found, Flow):
        return found()
    if isinstance(found, Flow):
        return found
    flows = {n: each for n, each in definitions(found).items() if _is_flow(each)} if hasattr(found, "__dict__") else {}
    if len(flows) == 1:
        return _flow_in(next(iter(flows.values())), path)
    place = path.partition(":")[0]
    named = " or ".join(f"{place}:{name}" for name in flows)
    raise UsageError(f"{path} is no flow; " + (f"say which: {named}" if flows else f"name one, as {place}:MyFlow"))


def _is_flow(value: Any) -> bool:
    return isinstance(value, Flow) or (isinstance(value, type) and issubclass(value, Flow))


def _fared(flow: Flow[Any], wanted: str | None) -> tuple[dict[str, MethodState], str | None]:
    """How its methods fared in that run, or in its latest one where there is any."""
    try:
        with existing_journal() as journal:
            latest = RunFilter(kind=("flow",), name=flow._name, limit=1)
            for row in [chosen(journal, wanted)] if wanted is not None else top_runs(journal, latest):
                return states_in(journal.steps(row.id), flow._graph()), row.id
    except NoRunsYet:
        if wanted is not None:
            raise
    return {}, None
