"""What is read before a program starts: `.env`, the model that stands in for every agent's, where the log and the metrics go."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dotenv import load_dotenv

from jackstay.cli.outcome import UsageError
from jackstay.cli.terminal import say
from jackstay.engine.metering import HOST, LOOPBACK, PORT


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


@dataclass(frozen=True, slots=True)
class Watched:
    """How a program is watched while it runs: --log-file and --metrics-port. Passed on by the environment, which the
    program's own child processes see too."""

    log_file: Path | None = None
    metrics_port: int | None = None

    def begin(self) -> None:
        """Before anything runs: a port that was asked for by name is refused if it cannot be had."""
        if self.log_file is not None:
            os.environ["JACKSTAY_LOG_FILE"] = str(self.log_file.absolute())
        if self.metrics_port is not None:
            _try(os.environ.get(HOST, "").strip() or LOOPBACK, self.metrics_port)
            os.environ[PORT] = str(self.metrics_port)


def _try(host: str, port: int) -> None:
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
    except (OSError, OverflowError) as error:
        raise UsageError(f"--metrics-port {port}: {host} does not have it ({error}); nothing was run") from error
