"""`jackstay create` and `jackstay flow add-crew`: projects, and parts of them, written from the templates beside this module.

A folder is there as a whole or not at all: it is written under another name first. Nothing that exists is touched.
"""

from __future__ import annotations

import importlib.util
import keyword
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Literal

from jackstay import __version__
from jackstay.cli.outcome import UsageError
from jackstay.cli.target import nearest_project
from jackstay.cli.terminal import say
from jackstay.observe.figures import plural

Kind = Literal["crew", "flow"]

_SUFFIX = ".tmpl"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_ -]*")
_OUR_KEY = "JACKSTAY_MODEL"


@dataclass(frozen=True, slots=True)
class Names:
    """What a project called NAME is called where."""

    package: str
    """Of the folder and of the Python package in it."""
    class_name: str
    title: str

    @classmethod
    def of(cls, name: str, kind: Kind) -> Names:
        """Raises `UsageError` for what can be no package's name."""
        given = name.strip()
        if "/" in given or "\\" in given:
            raise UsageError(f"{name!r} is a path; NAME is one word, and --output-dir says where its folder is made")
        if not _NAME.fullmatch(given):
            raise UsageError(
                f"{name!r} is no name for a project: it begins with a letter, and has only letters (a to z), digits, - and _ "
                f"in it, as {_proposed(given) or 'research_crew'}"
            )
        words = [word for word in re.split(r"[ _-]+", given) if word]
        package = "_".join(words).lower()
        taken = _taken(package)
        if taken:
            raise UsageError(f"{name!r}: {package} is {taken}; take another name, as {package}_{kind}")
        camel = "".join(word[0].upper() + word[1:] for word in words)
        suffix = kind.capitalize()
        class_name = f"My{camel}" if camel == suffix else camel if camel.endswith(suffix) else camel + suffix
        return cls(package, class_name, " ".join(words).capitalize())


def create(kind: Kind, name: str, parent: Path | None) -> int:
    """Writes a project of that name into a new folder of `parent`."""
    names = Names.of(name, kind)
    script = "run_crew" if kind == "crew" else "kickoff"
    words = _words(names) | {"script": script, "project": names.package.replace("_", "-")}
    files = {**_filled("common", words), **_filled(kind, words)}
    if kind == "flow":
        article = Names("article", "ArticleCrew", "Article")
        files |= _below(f"src/{names.package}/crews/article", _filled("part", _words(article)))
        files[f"src/{names.package}/crews/__init__.py"] = ""
    keyed = bool(os.environ.get("OPENAI_API_KEY"))
    files[".env"] = _environment(keyed=keyed)
    folder = (parent or Path()) / names.package
    _write_folder(folder, files)
    say(f"created {folder}: {plural(len(files), 'file')}")
    if not keyed:
        say(f"it asks the simulated model ({_OUR_KEY}=sim/demo in .env); its README says how to ask real ones")
    say("next:")
    print(f"  cd {folder}\n  jackstay run")
    return 0


def add_crew(name: str) -> int:
    """Writes a crew into the project around the working directory, below src/PACKAGE/crews."""
    names = Names.of(name, "crew")
    project = Path(nearest_project(Path.cwd()))
    mains = sorted(project.glob("src/*/main.py"))
    if len(mains) != 1:
        raise UsageError(
            f"{project}: there has to be one src/<package>/main.py, and there {'is none' if not mains else 'are several'}; "
            "go into a project's folder, or make one: jackstay create flow NAME"
        )
    crews = mains[0].parent / "crews"
    _write_folder(crews / names.package, _filled("part", _words(names)))
    if not (crews / "__init__.py").exists():
        (crews / "__init__.py").touch()
    say(f"created {crews / names.package}; in a method of the flow:")
    module = f"{mains[0].parent.name}.crews.{names.package}.crew"
    print(f"  from {module} import {names.class_name}\n  {names.class_name}().crew().kickoff(inputs={{…}})")
    return 0


# --- names -----------------------------------------------------------------------------------------------------------


def _proposed(name: str) -> str:
    """The nearest name that would do; empty if nothing is left."""
    kept = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lstrip("0123456789_").lower()
    return kept if kept and not _taken(kept) else ""


def _taken(package: str) -> str:
    """Why there can be no package of that name; empty if there can."""
    if keyword.iskeyword(package) or keyword.issoftkeyword(package):
        return "a word of Python's own"
    if package in sys.stdlib_module_names:
        return "a module of Python's own library"
    spec = importlib.util.find_spec(package)
    # A folder that happens to lie in the working directory has no file of its own.
    return "a package that is installed here already" if spec is not None and spec.origin is not None else ""


def _words(names: Names) -> dict[str, str]:
    own = {"package": names.package, "class_name": names.class_name, "title": names.title}
    return own | {"version": __version__}


def _environment(*, keyed: bool) -> str:
    """Of the new project's .env: a person without a key sees it run, one with a key asks the models."""
    text = "# Read by `jackstay run`; not in git. .env.example says what may stand here.\n"
    return text + (f"# {_OUR_KEY}=sim/demo\n" if keyed else f"{_OUR_KEY}=sim/demo\n")


# --- files -----------------------------------------------------------------------------------------------------------


def _filled(template: str, words: Mapping[str, str]) -> dict[str, str]:
    """The files of a template by their paths, with the words filled in."""
    root = resources.files("jackstay.cli") / "templates" / template
    files = {}
    for path, text in _files(root, ""):
        place = path.removesuffix(_SUFFIX).replace("__package__", words["package"])
        name = place.rpartition("/")[2]
        if name.startswith("dot."):
            place = place.removesuffix(name) + name.removeprefix("dot")
        files[place] = Template(text).substitute(words)
    return files


def _files(folder: Traversable, above: str) -> Iterator[tuple[str, str]]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _files(each, f"{above}{each.name}/")
        elif each.name.endswith(_SUFFIX):
            yield f"{above}{each.name}", each.read_text(encoding="utf-8")


def _below(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    return {f"{folder}/{path}": text for path, text in files.items()}


def _write_folder(folder: Path, files: Mapping[str, str]) -> None:
    if folder.exists() or folder.is_symlink():
        raise UsageError(
            f"{folder} is there already, and nothing of it was touched; take another name, or move it away"
        )
    made = None
    try:
        folder.parent.mkdir(exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        for place, text in files.items():
            file = made / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
        made.chmod(0o777 & ~_umask())
        made.rename(folder)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror or error}") from error
    finally:
        if made is not None and made.exists():
            shutil.rmtree(made, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
