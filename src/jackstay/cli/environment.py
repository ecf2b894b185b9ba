"""What is read before a program starts: `.env`, the model that stands in for every agent's, where the log goes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dotenv import load_dotenv

from jackstay.cli.terminal import say


def read_dotenv(folders: Iterable[Path | str] = ()) -> None:
    """The `.env` of each folder, of the working directory and of its project. What is set already stays as it is."""
    here = Path.cwd()
    project = next((folder for folder in (here, *here.parents) if (folder / "pyproject.toml").is_file()), here)
    for folder in dict.fromkeys([*map(Path, folders), here, project]):
        file = folder / ".env"
        if file.is_file():
            load_dotenv(file, encoding="utf-8-sig")


def choose_model(option: str | None, recorded: str | None = None) -> None:
    """Says in one line which model replaces every agent's, if one does. The option is passed on by JACKSTAY_MODEL, which
    the program's own child processes see too."""
    if option:
        os.environ["JACKSTAY_MODEL"] = option
    model = os.environ.get("JACKSTAY_MODEL") or recorded
    if model:
        source = "--model" if option else "JACKSTAY_MODEL" if os.environ.get("JACKSTAY_MODEL") else "as recorded"
        say(f"model: {model} for every agent ({source})", "dim")


def log_to(file: Path | None) -> None:
    """The option --log-file, passed on by JACKSTAY_LOG_FILE, which the program's own child processes see too."""
    if file is not None:
        os.environ["JACKSTAY_LOG_FILE"] = str(file.absolute())
