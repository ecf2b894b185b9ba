"""The two streams: results on stdout, everything about them on stderr."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from contextvars import ContextVar

from rich.console import Console
from rich.table import Table
from rich.text import Text


def prepare_streams() -> None:
    """UTF-8 whatever the locale says, and no character that cannot be written ends a program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = None if os.environ.get("PYTHONIOENCODING") else "utf-8"
            stream.reconfigure(encoding=encoding, errors="replace")


def stdout() -> Console:
    return _console(stderr=False)


def stderr() -> Console:
    return _console(stderr=True)


def is_live() -> bool:
    """Whether progress may be drawn: a person looks at stderr, and the terminal can move its cursor."""
    return sys.stderr.isatty() and not os.environ.get("CI") and os.environ.get("TERM", "") not in ("", "dumb")


hiding: ContextVar[Callable[[str], str]] = ContextVar("jackstay_hiding", default=str)
"""What makes a text one that may be shown: of the runtime that the command has had, also when that is closed."""


def say(text: str, style: str = "") -> None:
    """One line on stderr, without secrets, else as it is: brackets in it are not markup."""
    stderr().print(Text(hiding.get()(text), style=style), soft_wrap=True)


def print_table(table: Table) -> None:
    """On stdout; away from a terminal without the blanks that fill its last column."""
    console = stdout()
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())


def _console(*, stderr: bool) -> Console:
    # Files and pipes get no wrapping at 80 columns: who reads them, reads lines.
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else max(int(os.environ.get("COLUMNS") or 0), 160)
    # Rich itself would still write bold and dim under NO_COLOR.
    plain = bool(os.environ.get("NO_COLOR"))
    return Console(stderr=stderr, highlight=False, width=width, color_system=None if plain else "auto")
