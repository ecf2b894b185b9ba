"""`jackstay.toml`: limits, prices, budgets, masking and metrics of a project. Found upwards from the program's folder, or named by
JACKSTAY_CONFIG; read at the first kickoff.

Knows that there are sections, not what they mean: whoever a section belongs to reads it with `section`, and says what is
wrong with `mistake`, so that file and key are named the same way everywhere.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from jackstay.errors import ConfigurationError

FILE = "jackstay.toml"
SETTING = "JACKSTAY_CONFIG"
SECTIONS = ("budgets", "limits", "masking", "metrics", "prices")


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """The file's sections; empty where there is no file."""

    path: Path | None = None
    sections: Mapping[str, Any] = field(default_factory=dict)

    def section(self, name: str) -> Mapping[str, Any]:
        """A section's keys and values; empty if it is not there. Raises `ConfigurationError` if it is no table."""
        value = self.sections.get(name, {})
        if not isinstance(value, Mapping):
            raise self.mistake(name, "is one value; write it as a section, [" + name + "]")
        return value

    def mistake(self, key: str, what: str) -> ConfigurationError:
        """The error for a key (`limits.openai.requests_per_min`) that cannot be used."""
        return ConfigurationError(f"{self.path or FILE}: {key} {what}")


def read_project_file(folder: Path, environ: Mapping[str, str]) -> ProjectFile:
    """The project's file. Raises `ConfigurationError` with file and line for one that cannot be read."""
    named = environ.get(SETTING, "").strip()
    path = Path(named).expanduser() if named else _nearest(folder)
    if path is None:
        return ProjectFile()
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)  # money, exact as written
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror}); correct {SETTING} or the file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is no TOML file: {error}") from error
    found = ProjectFile(path.resolve(), sections)
    for name in sections:
        if name not in SECTIONS:
            raise found.mistake(f"[{name}]", f"is unknown; the sections are {', '.join(SECTIONS)}")
    return found


def _nearest(folder: Path) -> Path | None:
    folder = folder.resolve()
    return next((path for each in (folder, *folder.parents) if (path := each / FILE).is_file()), None)
