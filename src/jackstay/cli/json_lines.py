"""With JACKSTAY_LOG=json every line that a running command writes is a JSON object: what the program prints as well, so that
whoever collects the streams can read all of them."""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TextIO

from jackstay.cli.terminal import hiding


def speak_json_if_asked() -> None:
    """From now on, if the environment says so; a second time it does nothing."""
    if os.environ.get("JACKSTAY_LOG", "").strip().lower() != "json" or isinstance(sys.stdout, _JsonLines):
        return
    sys.stdout, sys.stderr = _JsonLines(sys.stdout, "stdout"), _JsonLines(sys.stderr, "stderr")
    # Registered last, so called first: what the interpreter flushes afterwards is written as it is.
    atexit.register(_end)


def _end() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, _JsonLines):
            stream.end()


class _JsonLines:
    """Stands for a stream. A line that is a JSON object already passes as it is."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream, self._name = stream, name
        self._lock = threading.RLock()
        self._begun = ""

    def write(self, text: str) -> int:
        with self._lock:
            *whole, self._begun = (self._begun + text).split("\n")
            said = "".join(f"{self._line(line)}\n" for line in whole if line.strip())
            if said:
                self._stream.write(said)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def end(self) -> None:
        """Writes a line that was not finished."""
        with self._lock:
            if self._begun.strip():
                self.write("\n")
            self._begun = ""
            self._stream.flush()

    def isatty(self) -> bool:
        return False

    def _line(self, line: str) -> str:
        if line.startswith("{"):
            try:
                json.loads(line)
            except ValueError:
                pass
            else:
                return line
        from jackstay.engine.context import context_here  # the engine: not before there is a line
        from jackstay.engine.runtime import runtime_if_any

        runtime = runtime_if_any()
        # What a program prints is its own: personal data may be what was asked for, a key never is.
        said = hiding.get()(line) if runtime is None else runtime.masked.secrets.masked(line)
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        return json.dumps({"timestamp": at, "level": "info", "logger": self._name, "event": said, **context_here()})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
