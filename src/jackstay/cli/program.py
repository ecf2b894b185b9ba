"""Starts a user's program in this process, as Python would: `__main__`, `sys.argv`, `sys.path`."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import io
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from jackstay.cli.outcome import UsageError
from jackstay.cli.target import Target
from jackstay.cli.terminal import say
from jackstay.core.events import Event
from jackstay.engine.entry import loading

STARTERS = ("run", "kickoff", "main")
"""Functions that a program without a kickoff of its own is started by: CrewAI's templates have them in main.py."""


class Kickoffs:
    """An observer that notices whether the program has kicked anything off."""

    def __init__(self, *, seen: bool = False) -> None:
        self.seen = seen

    def __call__(self, event: Event) -> None:
        # A script's own beginning is `run_started` without a path; everything else comes from a kickoff or a call.
        self.seen = self.seen or not (event.name.startswith("run_") and event.data.get("kind") == "script")


def prepare(target: Target) -> None:
    """Makes this process the program's: folder, path, arguments. Raises `UsageError` for a module that does not exist,
    before there is a run."""
    if target.folder:
        os.chdir(target.folder)
    # Python has put the folder of `jackstay` itself there, which is nothing to this program.
    first = 0 if sys.flags.safe_path else 1
    sys.path[:first] = list(target.search)
    sys.argv = [target.script or target.name, *target.arguments]
    if target.module is not None:
        _spec_of(target.module)


def declared(target: Target) -> Any:
    """The declared flow that is to be started, if it is one: made before there is a run, so that its mistakes leave none.
    Raises `DefinitionError`."""
    return load(target) if target.is_declaration else None


def start(target: Target, kickoffs: Kickoffs, flow: Any = None) -> None:
    """Executes the program, once prepared; if it names an object, or defines something and kicks nothing off, kicks that
    off. `flow`: what `declared` has made."""
    with _waiting_for_threads():
        if flow is not None or target.object is not None:
            _present(_kick_off(flow if flow is not None else load(target), target.name))
            return
        module = _execute_script(target) if target.script is not None else _execute_module(target)
    if not kickoffs.seen:
        with _waiting_for_threads():
            _start_definition(module, target)


@contextmanager
def _waiting_for_threads() -> Iterator[None]:
    """As the interpreter does before it exits: what the program's threads kick off belongs to the run, too. Not when the
    program fails or is interrupted: the run stops their kickoffs then."""
    before = set(threading.enumerate())
    leaving: SystemExit | None = None
    try:
        yield
    except SystemExit as error:
        if error.code not in (None, 0):
            raise
        leaving = error
    while started := [t for t in threading.enumerate() if t not in before and not t.daemon]:
        started[0].join()
    if leaving is not None:
        raise leaving


def _execute_script(target: Target) -> ModuleType:
    assert target.script is not None
    with io.open_code(target.script) as file:
        source = file.read()
    module = _main_module(target.script, None)
    exec(compile(source, target.script, "exec"), module.__dict__)  # noqa: S102 - the user's program, as asked
    return module


def _execute_module(target: Target) -> ModuleType:
    spec = _spec_of(str(target.module))
    if spec.submodule_search_locations is not None:
        spec = _spec_of(f"{target.module}.__main__", package=str(target.module))
    loader = spec.loader
    code = loader.get_code(spec.name) if isinstance(loader, SourceFileLoader) else None
    if code is None:
        raise UsageError(f"{target.module}: it is not a Python source file, which is what can be run")
    sys.argv[0] = str(spec.origin)
    module = _main_module(str(spec.origin), spec)
    exec(code, module.__dict__)  # noqa: S102 - as above
    return module


def _spec_of(name: str, *, package: str = "") -> ModuleSpec:
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        spec = None if error.name and name.startswith(error.name) else _reraise(error)
    if spec is not None:
        return spec
    if package:
        raise UsageError(f"{package} is a package without a __main__.py; name a module of it, as {package}.main")
    raise UsageError(
        f"{name}: there is no such file, folder or module; looked in {', '.join(sys.path[:2])} and the rest of sys.path"
    )


def _reraise(error: ModuleNotFoundError) -> ModuleSpec:
    raise error


def _main_module(file: str, spec: ModuleSpec | None) -> ModuleType:
    """A fresh `__main__` that stays for the rest of the process: classes are looked up in it, threads use it."""
    module = ModuleType("__main__")
    module.__file__, module.__spec__ = file, spec
    module.__package__ = spec.parent if spec is not None else None
    module.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = module
    return module


# --- kicking off what it defines -----------------------------------------------------------------------------------


def load(target: Target) -> Any:
    """The object that the target names, else its module; nothing is kicked off. Raises `KickoffWhileLoading`."""
    return _named_object(target) if target.object is not None else _loaded_module(target)


def _loaded_module(target: Target) -> Any:
    if target.is_declaration:
        return _declared_flow(Path(str(target.script)))
    with loading(target.name):
        return _import_file(target.script) if target.script is not None else importlib.import_module(str(target.module))


def _declared_flow(file: Path) -> Any:
    from jackstay.flow import Flow  # programs that are none load what they need themselves

    here = Path.cwd()
    # A declaration has no line of Python that a warning could point to.
    with warnings.catch_warnings(record=True) as told:
        made = Flow.from_declaration(file.relative_to(here) if file.is_relative_to(here) else file)
    for each in told:
        say(f"warning: {each.message}", "yellow")
    return made


def _named_object(target: Target) -> Any:
    assert target.object is not None
    # Only the object was asked for: a kickoff that the module makes by itself would be paid for beside it.
    module = found = _loaded_module(target)
    for name in target.object.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            offered = ", ".join(definitions(module)) or "no crew and no flow"
            raise UsageError(f"{target.name}: there is no {name!r}; the module defines {offered}") from None
    return found


def _import_file(script: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(script).stem, script)
    if spec is None or spec.loader is None:
        raise UsageError(f"{script} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _start_definition(module: ModuleType, target: Target) -> None:
    found = definitions(module)
    if not found:
        say(f"{target.name} has ended; it kicked nothing off")
        return
    if len(found) > 1:
        examples = " or ".join(f"jackstay run {target.script or target.module}:{name}" for name in found)
        raise UsageError(f"{target.name} kicks nothing off and defines {', '.join(found)}; say which: {examples}")
    [(name, value)] = found.items()
    say(f"{target.name} kicks nothing off by itself: starting {name}")
    _present(_kick_off(value, f"{target.name}:{name}"))


def definitions(module: ModuleType) -> dict[str, Any]:
    """What a program defines and one may mean by running it: its flows; else its crews; else a function that starts."""
    from jackstay.crew import Crew  # the program has loaded it, unless it defines neither
    from jackstay.flow import Flow
    from jackstay.project.crew_base import is_project

    named = {id(value): (name, value) for name, value in vars(module).items() if not name.startswith("_")}
    values = dict(named.values())
    flows: dict[str, Any] = {name: value for name, value in values.items() if isinstance(value, Flow)}
    made = {type(flow) for flow in flows.values()}
    flows |= {
        name: value
        for name, value in values.items()
        if isinstance(value, type)
        and issubclass(value, Flow)
        and value.__module__ == module.__name__
        and value not in made
    }
    crews: dict[str, Any] = {name: value for name, value in values.items() if isinstance(value, Crew)}
    crews |= {
        name: value
        for name, value in values.items()
        if isinstance(value, type) and value.__module__ == module.__name__ and is_project(value)
    }
    functions = {
        name: values[name]
        for name in STARTERS
        if inspect.isfunction(values.get(name)) and values[name].__module__ == module.__name__
    }
    return flows or crews or dict(list(functions.items())[:1])


def _kick_off(value: Any, name: str) -> Any:
    """The result of a crew, flow or project's class, or what a function returns; a crew or flow that it returns is kicked
    off too."""
    from jackstay.project.crew_base import crew_of, is_project  # the program has loaded what it needs

    if is_project(value):
        return crew_of(value).kickoff()
    if isinstance(value, type) and hasattr(value, "kickoff"):
        return value().kickoff()
    if hasattr(value, "kickoff"):
        return value.kickoff()
    if not callable(value) or isinstance(value, type):
        raise UsageError(f"{name} is no crew, flow or function, but {value!r:.80}")
    try:
        inspect.signature(value).bind()
    except TypeError as error:
        raise UsageError(f"{name} cannot be started: {error}; a function that is run takes no arguments") from error
    made = value()
    if inspect.iscoroutine(made):
        made = asyncio.run(made)  # noqa: TID251 - the program's own main function, as its script would start it
    return _kick_off(made, name) if hasattr(made, "kickoff") else None


def _present(result: Any) -> None:
    if result is not None:
        print(result)
