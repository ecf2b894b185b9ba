"""Which crews and flows a program defines as it is now: found out in a process of its own, which kicks nothing off.

The program's module-level code runs there, as at each import; what it prints is thrown away.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from jackstay.cli.environment import read_dotenv
from jackstay.cli.outcome import UsageError
from jackstay.cli.program import load, prepare
from jackstay.cli.target import Target
from jackstay.crew import Crew
from jackstay.errors import KickoffWhileLoading
from jackstay.flow import Flow
from jackstay.project.crew_base import crew_of, is_project

PATIENCE_S = 30.0
"""For one program's imports."""
_NO_JOURNAL = "none://a-program-that-is-only-loaded"
"""A kickoff from a thread of the program's own is not seen to be one while loading: it finds no journal to begin with."""


@dataclass(frozen=True, slots=True)
class Defined:
    """A crew or flow of the program. `outline`: as `core.outlines` knows it."""

    kind: str
    name: str
    fingerprint: str
    outline: Any


@dataclass(frozen=True, slots=True)
class Unloadable:
    """The program cannot be loaded, or does not have the object that it was started by."""

    reason: str


def definitions_of(target: Target, *, timeout_s: float = PATIENCE_S) -> list[Defined] | Unloadable:
    """What its modules define, under any name: not what functions make when they are called. What a module defines
    behind a kickoff at its top level is not found either."""
    if (reason := missing(target)) is not None:
        return Unloadable(reason)
    environ = os.environ | {"JACKSTAY_DATABASE_URL": _NO_JOURNAL}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "jackstay.cli.defined"],
            input=json.dumps(target.to_entry()),
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            env=environ,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Unloadable(f"{target.name} has not been loaded after {timeout_s:.0f} s")
    try:
        body = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        return Unloadable(f"{target.name} ends while it is loaded: {last}")
    return Unloadable(body["reason"]) if "reason" in body else [Defined(**each) for each in body["definitions"]]


def missing(target: Target) -> str | None:
    """Which file or folder of the program is not there any more."""
    if target.script is not None and not Path(target.script).is_file():
        return f"{target.script} is not there any more"
    if target.folder and not Path(target.folder).is_dir():
        return f"the folder {target.folder} is not there any more"
    return None


# --- in the process of its own -------------------------------------------------------------------------------------


def main() -> None:
    """Reads a target from stdin, writes what was found to the stdout of the beginning."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    target = Target.from_entry(json.loads(sys.stdin.read()))
    assert target is not None
    answer.write(json.dumps(_found(target)))
    answer.flush()
    os._exit(0)  # not what the program has registered for its end, nor for threads of its own


def _found(target: Target) -> dict[str, Any]:
    try:
        prepare(target)
        read_dotenv(target.search[:1])
        made = _loaded(target)
        return {"definitions": [asdict(each) for each in _definitions(target, made)]}
    except UsageError as error:
        return {"reason": str(error)}
    except BaseException as error:  # noqa: BLE001 - users' modules may raise anything, `SystemExit` too
        return {"reason": f"{target.name} cannot be loaded: {type(error).__name__}: {error}"}


def _loaded(target: Target) -> Any:
    try:
        return load(target)
    except KickoffWhileLoading as error:
        if target.object is not None:
            return None
        # A script without a main guard: run as a script it kicks off there. What it has defined until then counts.
        for frame in _frames(error):
            if frame.f_code.co_name == "<module>":
                module = ModuleType("a script")
                module.__dict__.update(frame.f_globals)
                sys.modules.setdefault(f"{target.name} until its kickoff", module)
        return None


def _frames(error: BaseException) -> Iterator[Any]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _definitions(target: Target, made: Any) -> list[Defined]:
    found: dict[tuple[str, str], Defined] = {}
    if target.is_declaration:
        found = {(each.name, each.fingerprint): each for each in _defined(made)}
    for module in _own_modules(target):
        for value in list(vars(module).values()):
            for each in _defined(value):
                found.setdefault((each.name, each.fingerprint), each)
    return list(found.values())


def _own_modules(target: Target) -> list[ModuleType]:
    """Those of the program, wherever in it: a flow's crews need not be names of its own module."""
    folders = {str(Path(folder).resolve()) for folder in (*target.search, target.folder) if folder}
    own = []
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or "site-packages" in file:
            continue
        if any(Path(file).resolve().is_relative_to(folder) for folder in folders):
            own.append(module)
    return own


def _defined(value: Any) -> Iterator[Defined]:
    a_flow = isinstance(value, type) and issubclass(value, Flow) and not value.__module__.startswith("jackstay.")
    try:
        if a_flow:
            value = value()
        elif is_project(value):
            value = crew_of(value)
    except Exception:  # noqa: BLE001 - users' `__init__`: it wants arguments, which only the program has
        return
    if isinstance(value, Crew | Flow):
        outline = value.outline()
        yield Defined(str(outline[0]), str(outline[1]), value.fingerprint, outline)


if __name__ == "__main__":
    main()
