"""`jackstay checkpoint list`, `info`, `resume`: points of recorded runs (what they are: `engine.checkpoints`)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from rich.table import Table
from rich.text import Text

from jackstay.cli import resuming
from jackstay.cli.environment import choose_model, read_dotenv
from jackstay.cli.listing import when
from jackstay.cli.replaying import Begun, Options, amounts, perform
from jackstay.cli.stored import NoRunsYet, existing_journal, existing_runtime
from jackstay.cli.tasks import ListedRun, addressable, listed_runs, name_of, names_of, said_of
from jackstay.cli.terminal import print_table, say, stdout
from jackstay.core.contents import Contents, contents_of, has_completed, output_of
from jackstay.core.ids import SHORT
from jackstay.core.replay import Unit
from jackstay.core.usage import from_pico
from jackstay.engine.addressing import Addressed, unit_id
from jackstay.engine.checkpoints import Checkpoint, find_checkpoint
from jackstay.engine.replaying import read_record
from jackstay.engine.runtime import Runtime
from jackstay.observe.runs import STYLES, State, state_of

_WIDTH = 100


def list_checkpoints(wanted: str | None, *, limit: int, as_json: bool) -> int:
    """Those of a run, or of the latest runs: newest first."""
    read_dotenv()
    try:
        with existing_journal() as journal:
            listed = list(listed_runs(journal, wanted, limit))
    except NoRunsYet as nothing:
        if wanted is not None:
            raise
        listed = []
        say(str(nothing))
    if as_json:
        print(json.dumps([_listed_json(run) for run in listed], indent=2))
        return 0
    for number, run in enumerate(listed):
        if number:
            print()
        _print(run)
    return 0


def _newest_first(run: ListedRun) -> list[Unit]:
    ended = [(unit.row.seq, unit) for unit in run.units if unit.row is not None and has_completed(unit)]
    return [unit for _, unit in sorted(ended, key=lambda pair: pair[0], reverse=True)]


def _print(run: ListedRun) -> None:
    row = run.row
    head = Text.assemble(f"{run.name}  ", (run.state, STYLES[run.state]), f"  {row.kind} {row.name}")
    head.append(f" · {when(row.created_at)}")
    stdout().print(head, soft_wrap=True)
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(4):
        table.add_column(no_wrap=True)
    units = _newest_first(run)
    for unit in units:
        assert unit.row is not None
        said = Text(said_of(unit.row), style="dim")
        table.add_row(unit_id(run.name, unit.path), name_of(unit), when(unit.row.finished_at), said)
    if units:
        print_table(table)


def _listed_json(run: ListedRun) -> dict[str, Any]:
    row = run.row
    return {
        "id": row.id,
        "kind": row.kind,
        "name": row.name,
        "state": run.state,
        "created_at": row.created_at.isoformat(),
        "checkpoints": [_unit_json(row.id, unit) for unit in _newest_first(run)],
    }


def _unit_json(run_id: str, unit: Unit) -> dict[str, Any]:
    assert unit.row is not None
    return {
        "id": unit_id(run_id, unit.path),
        "kind": unit.kind,
        "name": unit.label,
        "agent": unit.agent or None,
        "completed_at": unit.row.finished_at.isoformat(),
        "output": output_of(unit.row),
    }


# --- one of them ---------------------------------------------------------------------------------------------------


def show_checkpoint(wanted: str, *, as_json: bool) -> int:
    read_dotenv()
    with existing_journal() as journal:
        found = find_checkpoint(journal, wanted)
        contents = contents_of(found.record, found.unit.path if found.unit else "")
        state = state_of(found.run, journal.lease(found.run.id))
        name = addressable(journal, found.run.id)
    if as_json:
        print(json.dumps(_info_json(found, contents, state), indent=2))
        return 0
    console = stdout()
    for line in _info(found, contents, state, name):
        console.print(line, soft_wrap=True)
    return 0


def _info(found: Checkpoint, contents: Contents, state: State, name: str) -> Iterator[Text]:
    row, unit = found.run, found.unit
    shown = name if unit is None else unit_id(name, unit.path)
    yield Text.assemble(f"checkpoint {shown}  run ", (state, STYLES[state]))
    if unit is not None and unit.row is not None:
        yield Text(f"  behind {name_of(unit)}, completed {when(unit.row.finished_at)}")
    yield Text(f"  {row.kind} {row.name} · {when(row.created_at)} · {amounts(contents.used)} so far")
    for each in contents.completed:
        yield Text(f"{name_of(each)}: {cut(output_of(each.row)) if each.row else ''}")
    for flow, fields in contents.states.items():
        yield Text(f"state of {flow}:")
        for field, value in fields.items():
            yield Text(f"  {field}: {cut(json.dumps(value, ensure_ascii=False))}")
    yield Text(f"would run: {_what_would_run(found, contents)}")
    yield Text(f"go on from there: jackstay checkpoint resume {shown}")


def _what_would_run(found: Checkpoint, contents: Contents) -> str:
    has_flow = any(kickoff.kind in ("flow", "script") for kickoff in found.record.kickoffs)
    if not has_flow:
        return names_of(contents.left)
    # What has not run yet is the program's to decide, and not on record.
    return f"{names_of(contents.left)}; and what the program comes to" if contents.left else "what the program comes to"


def _info_json(found: Checkpoint, contents: Contents, state: str) -> dict[str, Any]:
    cost = from_pico(contents.used.cost_pico)
    return {
        "id": found.id,
        "run": found.run.id,
        "state": state,
        "completed": [_unit_json(found.run.id, unit) for unit in contents.completed],
        "flow_states": contents.states,
        "usage": {
            "calls": contents.used.calls,
            "tokens": contents.used.tokens,
            "cost_usd": None if cost is None else float(cost),
        },
        "would_run": [unit.label for unit in contents.left],
    }


def cut(text: str) -> str:
    """One line of it."""
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"


# --- going on ------------------------------------------------------------------------------------------------------


def resume_from(wanted: str | None) -> int:
    """`RUN`: goes on with the run. `RUN/PATH`: a new run of the program that begins behind that task or method."""
    read_dotenv()
    with existing_journal() as journal:
        found = None if wanted is None or "/" not in wanted else find_checkpoint(journal, wanted)
    if found is None or found.unit is None:
        return resuming.resume(found.run.id if found is not None else wanted)
    with existing_runtime() as runtime:
        read_record(runtime.journal, found.run)  # refused while somebody drives the run
        return _resume_behind(runtime, Addressed(found.record, found.unit))


def _resume_behind(runtime: Runtime, found: Addressed) -> int:
    row = found.run
    instead = (
        f'begin there: kickoff(from_checkpoint=CheckpointConfig(restore_from="{unit_id(row.id, found.unit.path)}"))'
    )
    target = resuming.program_of(row, instead)
    contents = contents_of(found.record, found.unit.path)
    say(
        f"a new run from behind {found.unit.label} of run {row.id[:SHORT]}: starts {target.shown} again in {target.folder}; "
        "code outside steps runs again"
    )
    say(f"reused: {names_of(contents.completed)} ({amounts(contents.used)})")
    read_dotenv(target.search[:1])
    choose_model(None, row.model_override)
    begun = Begun()
    runtime.observers.append(begun)
    code = perform(runtime, found, target, Options({}), after=True)
    made = begun.replay_of(runtime.journal, row)
    if made is not None:
        sys.stdout.flush()  # what the program has printed stands above it, also where both go into one file
        say(f"run {made.id[:SHORT]} {made.status} (jackstay show {made.id[:SHORT]})")
    return code
