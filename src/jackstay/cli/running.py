"""`jackstay run`: a program as a run (engine rule 29), and the part of it that `resume` shares."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jackstay.cli.environment import Watched, choose_model, read_dotenv
from jackstay.cli.inputs import read_inputs
from jackstay.cli.interrupts import stopping_in_order
from jackstay.cli.json_lines import speak_json_if_asked
from jackstay.cli.outcome import Terminated, UsageError, code_of
from jackstay.cli.program import Kickoffs, declared, prepare, start
from jackstay.cli.target import DECLARATIONS, Target, nearest_project, resolve
from jackstay.cli.terminal import hiding, is_live, say, stderr
from jackstay.core.budget import Budget, parse_amount
from jackstay.core.content import how_to_go_on
from jackstay.core.deadline import checked_deadline
from jackstay.core.events import Event
from jackstay.core.forgetting import refuse_forgotten
from jackstay.core.ids import SHORT
from jackstay.core.records import RunRow
from jackstay.engine.replaying import Replay
from jackstay.engine.runtime import Runtime
from jackstay.engine.script import script_run
from jackstay.errors import ConfigurationError, RunKeyConflict
from jackstay.observe.progress import Progress


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of `jackstay run`."""

    path: str
    arguments: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    inputs_file: Path | None = None
    model: str | None = None
    run_key: str | None = None
    budget: str | None = None
    """As `core.budget.parse_amount` reads it."""
    deadline_s: float | None = None
    watched: Watched = field(default_factory=Watched)


def named(path: str | None, definition: str | None) -> str:
    """What is run: PATH, or `--definition`, or the project around the working directory."""
    if path is not None and definition is not None:
        raise UsageError(f"{path} and --definition {definition}: name one of them")
    if definition is not None and Path(definition).suffix not in DECLARATIONS:
        raise UsageError(f"--definition {definition}: a declared flow is a file {', '.join(DECLARATIONS)}")
    return path or definition or nearest_project(Path.cwd())


def run(asked: Asked) -> int:
    """Starts the program as a run of its own, or goes on with the run of that key."""
    target = resolve(asked.path, asked.arguments, Path.cwd())
    inputs = read_inputs(asked.pairs, asked.inputs_file)
    read_dotenv(target.search[:1])
    speak_json_if_asked()
    asked.watched.begin()
    key = asked.run_key or os.environ.get("JACKSTAY_RUN_KEY") or None
    choose_model(asked.model)
    limit_s = _checked(asked.deadline_s)
    budget = Budget(**parse_amount(asked.budget)) if asked.budget is not None else None
    with Runtime() as runtime:
        earlier = runtime.journal.run_by_key(runtime.masked.secrets.stored_name(key)) if key else None
        earlier = None if earlier is None else runtime.masked.revealed(earlier)
        if earlier is None:
            return execute(runtime, target, inputs=inputs, run_key=key, budget=budget, deadline_s=limit_s)
        refuse_forgotten(earlier)
        _check_key(earlier, target, inputs)
        if earlier.status == "succeeded":
            say(
                f"run {earlier.id[:SHORT]} with the key {key!r} has finished: nothing is run (jackstay show {earlier.id[:SHORT]})"
            )
            return 0
        say(f"going on with run {earlier.id[:SHORT]} of the key {key!r}; code outside steps runs again")
        limit_s = limit_s or deadline_of(earlier)
        budget = budget or budget_of(earlier)
        return execute(runtime, target, inputs=inputs, resume=earlier, budget=budget, deadline_s=limit_s)


def _checked(deadline_s: float | None) -> float | None:
    try:
        return checked_deadline(deadline_s)
    except ConfigurationError as error:
        raise UsageError(f"--deadline: {error}") from error


def _check_key(earlier: RunRow, target: Target, inputs: Mapping[str, Any]) -> None:
    known = json.loads(earlier.inputs or "{}")
    if (earlier.kind, earlier.name) != ("script", target.name) or known != inputs:
        raise RunKeyConflict(
            f"the run key {earlier.run_key!r} belongs to run {earlier.id[:SHORT]} ({earlier.kind} {earlier.name}, inputs {known}), "
            f"not to {target.name} with the inputs {dict(inputs)}; a key names one run: put what varies into the key"
        )


def execute(
    runtime: Runtime,
    target: Target,
    *,
    inputs: Mapping[str, Any],
    resume: RunRow | None = None,
    replay: Replay | None = None,
    strict: bool = False,
    run_key: str | None = None,
    budget: Budget | None = None,
    deadline_s: float | None = None,
) -> int:
    """The program as that run, with progress on a terminal. Its exceptions are raised on, once the run has ended."""
    prepare(target)
    flow = declared(target)
    kickoffs = Kickoffs()
    run_id = ""
    with stopping_in_order(), told(runtime, kickoffs):
        try:
            with script_run(
                runtime,
                target.name,
                entry=target.to_entry() | _limits(budget, deadline_s),
                budget=budget,
                deadline_s=deadline_s,
                inputs=inputs,
                resume=resume.id if resume is not None else None,
                replay=replay,
                strict=strict,
                run_key=run_key,
            ) as run:
                run_id = run.id
                start(target, kickoffs, flow)
        except KeyboardInterrupt as stop:
            if not run_id:
                raise
            return stopped(stop, how_to_go_on(run.id, run.content))
        if run.stop is not None:
            # The program caught it and ended as if nothing had happened; the run did not (engine rule 21).
            raise run.stop
    return 0


def budget_of(row: RunRow) -> Budget | None:
    """The budget that a script's run was started with."""
    given = json.loads(row.entry or "{}").get("budget")
    return None if given is None else Budget(**given)


def deadline_of(row: RunRow) -> float | None:
    """The time limit that a script's run was started with; it counts anew."""
    given: float | None = json.loads(row.entry or "{}").get("deadline_s")
    return given


def _limits(budget: Budget | None, deadline_s: float | None) -> dict[str, Any]:
    """What a resumed run has again."""
    given = {"budget": _entry_of(budget) if budget is not None else None, "deadline_s": deadline_s}
    return {name: value for name, value in given.items() if value is not None}


def _entry_of(budget: Budget) -> dict[str, Any]:
    given = {"usd": None if budget.usd is None else str(budget.usd), "tokens": budget.tokens, "calls": budget.calls}
    return {name: value for name, value in given.items() if value is not None}


def stopped(stop: KeyboardInterrupt, then: str) -> int:
    """The last line of an interrupted run. `then`: how it goes on, if it can."""
    word = "stopped" if isinstance(stop, Terminated) else "interrupted"
    say(f"{word}: {then}", "yellow")
    return code_of(stop)


@contextmanager
def told(runtime: Runtime, *observers: Any) -> Iterator[None]:
    """Inside the block a person at a terminal sees what goes on; others hear of warnings only. A log on stderr says it
    all itself."""

    def hide(text: str) -> str:
        return runtime.masked.secrets.masked(text)  # of those that are known then

    hiding.set(hide)
    runtime.observers += observers
    if runtime.settings.log != "off":
        runtime.observers.append(_say_nothing)
        yield
        return
    if not is_live():
        runtime.observers.append(_warn)
        yield
        return
    with Progress(stderr(), told=lambda: runtime.is_verbose) as progress:
        runtime.observers.append(progress)
        yield


def _warn(event: Event) -> None:
    if event.name == "warning":
        say(f"warning: {event.data['text']}")


def _say_nothing(_: Event) -> None:
    """An observer, so that a warning is not told a second time."""
