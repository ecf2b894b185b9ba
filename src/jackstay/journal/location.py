"""Where the journal's database is, and how durable it has to be. Reads settings from a mapping, never the environment.

In this order: `JACKSTAY_DATABASE_URL`; `.jackstay/jackstay.db` beside the nearest `pyproject.toml` upwards; the same in
the working directory; if neither can be written, the user's state directory, with a notice that names it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from jackstay.errors import ConfigurationError, StorageUnavailable

Durability = Literal["normal", "full", "off"]
Dialect = Literal["sqlite", "postgresql"]

URL_SETTING = "JACKSTAY_DATABASE_URL"
DURABILITY_SETTING = "JACKSTAY_DURABILITY"
FOLDER = ".jackstay"
FILE = "jackstay.db"


@dataclass(frozen=True, slots=True)
class Location:
    """A database that the journal can open."""

    url: URL
    dialect: Dialect
    durability: Durability
    path: Path | None = None
    """The SQLite file; None in memory and on PostgreSQL."""
    notice: str | None = None
    """Something that the user should be told once."""

    @property
    def shown(self) -> str:
        """For messages: the path, or the address without its password."""
        if self.path is not None:
            return str(self.path)
        return "memory" if self.dialect == "sqlite" else self.url.render_as_string(hide_password=True)


def locate(environ: Mapping[str, str], start: Path | None = None) -> Location:
    """Where the journal belongs for a program that runs in `start` (default: the working directory).

    Creates the folder, but not the database. Raises `ConfigurationError` for a setting that cannot be used and
    `StorageUnavailable` when no place can be written.
    """
    durability = _durability(environ)
    if given := environ.get(URL_SETTING, "").strip():
        return from_url(given, durability)
    if durability == "off":
        return _in_memory(durability)
    start = (start or Path.cwd()).resolve()
    project = _project_folder(start)
    tried = [project] if project == start else [project, start]
    for folder in tried:
        if (path := _prepared(folder / FOLDER)) is not None:
            return _file(path, durability)
    state = _state_folder(environ) / _project_slug(project)
    if (path := _prepared(state)) is not None:
        notice = f"{project / FOLDER} cannot be written: the journal is at {path}; set {URL_SETTING} to choose a place"
        return _file(path, durability, notice)
    raise StorageUnavailable(
        f"no place for the journal: neither {project / FOLDER} nor {state} can be written; set "
        f"{URL_SETTING}=sqlite:////a/writable/path.db, or {DURABILITY_SETTING}=off to keep nothing"
    )


def from_url(text: str, durability: Durability = "normal") -> Location:
    """The location that a `sqlite:///…` or `postgresql://…` address names."""
    try:
        url = make_url(text)
    except ArgumentError as exc:
        # The text may hold a password: it is not repeated.
        raise ConfigurationError(
            f"{URL_SETTING} is no database address; write sqlite:////path/to/file.db or postgresql://user@host/database"
        ) from exc
    backend = url.drivername.partition("+")[0]
    if backend in ("postgres", "postgresql"):
        return Location(url.set(drivername="postgresql+psycopg"), "postgresql", durability)
    if backend != "sqlite":
        raise ConfigurationError(f"{URL_SETTING} names {backend!r}; the journal needs sqlite:///… or postgresql://…")
    if durability == "off" or url.database in (None, "", ":memory:"):
        return _in_memory("off")
    path = Path(url.database).expanduser().absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StorageUnavailable(
            f"the folder of the journal cannot be made: {exc}; choose another place with {URL_SETTING}"
        ) from exc
    return Location(url.set(database=str(path)), "sqlite", durability, path)


def _durability(environ: Mapping[str, str]) -> Durability:
    value = environ.get(DURABILITY_SETTING, "").strip().lower() or "normal"
    if value not in ("normal", "full", "off"):
        raise ConfigurationError(f"{DURABILITY_SETTING} is {value!r}; it can be normal, full or off")
    return cast("Durability", value)


def _in_memory(durability: Durability) -> Location:
    return Location(URL.create("sqlite"), "sqlite", durability)


def _file(path: Path, durability: Durability, notice: str | None = None) -> Location:
    return Location(URL.create("sqlite", database=str(path)), "sqlite", durability, path, notice)


def _project_folder(start: Path) -> Path:
    for folder in (start, *start.parents):
        if (folder / "pyproject.toml").is_file():
            return folder
    return start


def _prepared(folder: Path) -> Path | None:
    """The database's path in a folder that exists, is private and ignored by git; None if it cannot be written."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        path = folder / FILE
        return path if os.access(folder, os.W_OK | os.X_OK) else None
    except OSError:
        return None


def _state_folder(environ: Mapping[str, str]) -> Path:
    """Where programs keep a user's state, by the system's custom."""
    home = Path(environ.get("HOME") or Path.home())
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "jackstay"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "jackstay"
    return Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "jackstay"


def _project_slug(project: Path) -> str:
    """A name that a person recognises, and that no other project has."""
    return f"{project.name or 'root'}-{hashlib.sha256(str(project).encode()).hexdigest()[:8]}"
