"""What `run PATH` means: which file, module or object. Looks at files and names, imports and executes nothing."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jackstay.cli.outcome import UsageError

FORMS = (
    "a script (main.py), an object (main.py:crew, package.module:crew), a module (package.module), a declared flow "
    "(flow.yaml) or a project folder"
)
DECLARATIONS = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Target:
    """A program that can be started, now or when it is resumed. `script` or `module` is set."""

    script: str | None = None
    """Absolute path of a file: a program, or a declared flow."""
    module: str | None = None
    object: str | None = None
    """A name in it, possibly dotted: a crew, a flow, a flow class, a function without arguments."""
    search: tuple[str, ...] = ()
    """Folders put in front of `sys.path` (Python's own first entry is replaced by the first)."""
    arguments: tuple[str, ...] = ()
    folder: str = ""
    """The working directory."""

    @property
    def name(self) -> str:
        place = Path(self.script).name if self.script else str(self.module)
        return f"{place}:{self.object}" if self.object else place

    @property
    def is_declaration(self) -> bool:
        """A flow in YAML or JSON, in place of a program."""
        return self.script is not None and Path(self.script).suffix in DECLARATIONS

    @property
    def shown(self) -> str:
        """The program as one would type it."""
        place = self.script if self.script else f"-m {self.module}"
        return " ".join([f"{place}:{self.object}" if self.object else str(place), *self.arguments])

    def to_entry(self) -> dict[str, Any]:
        """For the run's row, so that another process can start the program again."""
        entry: dict[str, Any] = {"arguments": list(self.arguments), "folder": self.folder, "search": list(self.search)}
        given = {"script": self.script, "module": self.module, "object": self.object}
        return entry | {name: value for name, value in given.items() if value is not None}

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> Target | None:
        """The program that made a run; None where there was none (a console, a notebook)."""
        script, module = entry.get("script"), entry.get("module")
        if not script and not module:
            return None
        own = (str(Path(script).parent),) if script and not module else (entry.get("folder") or "",)
        return cls(
            script=None if module else script,
            module=module,
            object=entry.get("object"),
            search=tuple(entry.get("search") or own),
            arguments=tuple(entry.get("arguments") or ()),
            folder=entry.get("folder") or "",
        )


def nearest_project(folder: Path) -> str:
    """What is run where no PATH is given: the nearest folder upwards with a pyproject.toml, else this one."""
    return str(next((each for each in (folder, *folder.parents) if (each / "pyproject.toml").is_file()), folder))


def resolve(path: str, arguments: tuple[str, ...], folder: Path) -> Target:
    """The program that PATH names, seen from `folder`. Raises `UsageError` that says what was looked for."""
    place, name = _split(path, folder)
    there = folder / place
    if there.is_dir():
        found = _in_project(there.resolve())
    elif there.is_file():
        found = _script(there.resolve())
    elif _is_module_name(place):
        found = Target(module=place, search=_module_folders(folder))
    else:
        raise UsageError(f"{path}: there is no such file or folder in {folder}; PATH is {FORMS}")
    if name is not None and found.is_declaration:
        raise UsageError(f"{path}: {place} is one flow; leave out what stands behind the colon")
    if name is not None:
        found = replace(found, object=name)
    return replace(found, arguments=arguments, folder=str(folder))


def _split(path: str, folder: Path) -> tuple[str, str | None]:
    """The place and the object's name. A colon in an existing path, or after a drive's letter, separates nothing."""
    place, colon, name = path.rpartition(":")
    if not colon or (folder / path).exists() or (len(place) == 1 and name.startswith(("\\", "/"))):
        return path, None
    if not name:
        raise UsageError(f"{path}: the name of the object is missing after the colon ({place}:crew)")
    return place, name


def _script(file: Path) -> Target:
    if file.suffix not in DECLARATIONS:
        return Target(script=str(file), search=(str(file.parent),))
    # Its code is beside it, or in the project around it.
    folders = (*_module_folders(file.parent), *_module_folders(Path(nearest_project(file.parent))))
    return Target(script=str(file), search=tuple(dict.fromkeys(folders)))


def _is_module_name(place: str) -> bool:
    return not place.endswith(".py") and all(part.isidentifier() for part in place.split("."))


def _module_folders(folder: Path) -> tuple[str, ...]:
    """As `python -m`, with the project's `src` folder where it has one."""
    source = folder / "src"
    return (str(folder), str(source)) if source.is_dir() else (str(folder),)


# --- a project folder ----------------------------------------------------------------------------------------------


def _in_project(project: Path) -> Target:
    """What a project runs, in this order: what its pyproject.toml says, main.py, src/<package>/main.py."""
    named = _named_in_pyproject(project)
    if named is not None and Path(named).suffix in DECLARATIONS:
        if not (project / named).is_file():
            raise UsageError(f"{project / 'pyproject.toml'}: it names the flow {named}, which is not there")
        return _script((project / named).resolve())
    if named is not None:
        module, _, function = named.partition(":")
        return Target(module=module, object=function or None, search=_module_folders(project))
    if (project / "main.py").is_file():
        return _script(project / "main.py")
    mains = sorted(project.glob("src/*/main.py"))
    if len(mains) == 1:
        return Target(module=f"{mains[0].parent.name}.main", search=_module_folders(project))
    if mains:
        listed = ", ".join(str(main.relative_to(project)) for main in mains)
        raise UsageError(f"{project}: there are several programs ({listed}); name one of them")
    raise UsageError(
        f"{project}: nothing to run: it has no main.py, no src/<package>/main.py, and its pyproject.toml names no program "
        '([tool.jackstay] run = "package.module:function", or [project.scripts])'
    )


def _named_in_pyproject(project: Path) -> str | None:
    file = project / "pyproject.toml"
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{file}: {error}; correct it, or name the program's file") from error
    tools = content.get("tool", {})
    named = tools.get("jackstay", {}).get("run")
    if named is not None:
        return str(named)
    declared = tools.get("crewai", {}).get("definition")
    if declared is not None:
        return str(declared)
    scripts = content.get("project", {}).get("scripts", {})
    # The names that CrewAI's project templates give to what `crewai run` starts.
    wanted = ("kickoff",) if tools.get("crewai", {}).get("type") == "flow" else ("run_crew", "run")
    found = next((scripts[name] for name in wanted if name in scripts), None)
    return str(found) if found is not None else None
