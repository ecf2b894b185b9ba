"""Lines that stay at the bottom of a terminal while a program goes on writing to it.

The program's output is passed on as it is, byte for byte (Rich's own `Live` re-renders it through its console): the lines
are taken away before, and drawn again when the program is at the beginning of a line.
"""

from __future__ import annotations

import builtins
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, TextIO

_CLEAR_LINE = "\r\x1b[2K"
_UP = "\x1b[1A"


class Region:
    """`start` puts it under the program's streams, `stop` takes it away. Thread-safe."""

    def __init__(self, terminal: TextIO, *, before_output: Callable[[], None]) -> None:
        self._terminal = terminal
        self.before_output = before_output
        """Called before each output of the program's: what happened earlier is to stand above it."""
        self._lock = threading.RLock()
        self._lines: list[str] = []
        self._drawn = 0
        self._at_line_start = True
        self._paused = False
        self._undo: list[Callable[[], None]] = []

    def start(self) -> None:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream.isatty():
                self._replace(sys, name, _Passing(stream, self))
        self._replace(builtins, "input", self._asking(builtins.input))

    def stop(self) -> None:
        with self._lock:
            self._erase()
            self._lines = []
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()

    def draw(self, lines: Iterable[str]) -> None:
        """These lines from now on; each has to fit the terminal's width."""
        with self._lock:
            self._lines = list(lines)
            self._show()

    def write(self, stream: TextIO, text: str) -> int:
        """The program's own output, above the lines."""
        with self._lock:
            self._erase()
            written = stream.write(text)
            self._at_line_start = text.endswith("\n")
            stream.flush()
            self._show()
            return written

    def _show(self) -> None:
        if self._paused or not self._at_line_start:
            return
        erase = self._erasing()
        self._terminal.write(erase + "\n".join(self._lines))
        self._terminal.flush()
        self._drawn = len(self._lines)

    def _erase(self) -> None:
        text = self._erasing()
        if text:
            self._terminal.write(text)
            self._terminal.flush()
            self._drawn = 0

    def _erasing(self) -> str:
        return (_CLEAR_LINE + _UP) * (self._drawn - 1) + _CLEAR_LINE if self._drawn else ""

    def _asking(self, ask: Callable[..., str]) -> Callable[..., str]:
        def asked(prompt: object = "", /) -> str:
            # The prompt may be written by the readline library, which knows nothing of our lines.
            with self._lock:
                self._erase()
                self._paused = True
            try:
                return ask(prompt)
            finally:
                self._paused = False

        return asked

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        before = getattr(owner, name)
        setattr(owner, name, value)

        def undo() -> None:
            if getattr(owner, name) is value:  # the program may have put something of its own there
                setattr(owner, name, before)

        self._undo.append(undo)


class _Passing:
    """Stands for a stream of the program's; what is kept of it (a logging handler) goes on working after `stop`."""

    def __init__(self, stream: TextIO, region: Region) -> None:
        self._stream, self._region = stream, region

    def write(self, text: str) -> int:
        if not text:
            return 0
        self._region.before_output()
        return self._region.write(self._stream, text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
