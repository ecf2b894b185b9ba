"""`jackstay flow plot`: loads a flow, kicks nothing off, draws it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast, get_args

from jackstay.cli.outcome import UsageError
from jackstay.cli.program import definitions, load, prepare
from jackstay.cli.stored import NoRunsYet, chosen, existing_journal, top_runs
from jackstay.cli.target import resolve
from jackstay.cli.terminal import say
from jackstay.core.paths import parent_of
from jackstay.core.records import RunFilter, RunRow, StepRow
from jackstay.core.replay import KICKOFF
from jackstay.flow import Flow
from jackstay.flow.drawing import MethodState
from jackstay.flow.plotting import Format, form_of, states_in, text_of, write

LOOKED_THROUGH = 50
"""Runs, the latest first, in which a flow is looked for."""


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
    name = re.sub(r"[^\w-]+", "_", flow._name)
    say(f"written: {write(text, output or name, form)}")
    return 0


def _form(output: Path | None, given: str | None) -> Format:
    if given is None:
        return form_of(output)
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
    """How its methods fared in that run, or in its latest one where there is any: a run of its own, or a program's that has
    kicked it off."""
    try:
        with existing_journal() as journal:
            latest = RunFilter(kind=("flow", "script"), limit=LOOKED_THROUGH)
            for row in [chosen(journal, wanted)] if wanted is not None else top_runs(journal, latest):
                rows = journal.steps(row.id)
                scope = _scope_of(flow, row, rows)
                if scope is not None:
                    return states_in(rows, flow._graph(), scope), row.id
            if wanted is not None:
                raise UsageError(f"--run {wanted}: no flow {flow._name} was kicked off in it; jackstay runs lists runs")
    except NoRunsYet:
        if wanted is not None:
            raise
    return {}, None


def _scope_of(flow: Flow[Any], run: RunRow, rows: Sequence[StepRow]) -> str | None:
    """The path of its last kickoff in the run."""
    if run.kind == "flow":
        return "" if run.name == flow._name else None
    kickoffs = [row for row in sorted(rows, key=lambda row: -row.seq) if row.path.endswith(f"/{KICKOFF}")]
    return next((parent_of(row.path) for row in kickoffs if _is_of(flow, row)), None)


def _is_of(flow: Flow[Any], kickoff: StepRow) -> bool:
    told = json.loads(kickoff.request or "{}")
    return (told.get("kind"), told.get("name")) == ("flow", flow._name)
