"""`output_log_file`: which task began when and how it ended, for people and for their scripts. The journal knows more; this
is a file of the user's, and what it cannot take is a warning, never a failure."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path

_TAIL = 64
"""Bytes at the end of a JSON file in which its closing bracket is looked for."""


class TaskLog:
    """One file. `.json`: one array that is whole after each entry; `.jsonl`: a line of JSON each; else a line of text.

    Written by one process; its threads take turns.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()

    def write(self, entry: Mapping[str, str]) -> None:
        """Adds an entry. Raises `OSError`, and `ValueError` for a `.json` file that has no array."""
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.suffix == ".json":
                self._add_to_array(json.dumps(entry, ensure_ascii=False, indent=2))
                return
            line = json.dumps(entry, ensure_ascii=False) if self._path.suffix == ".jsonl" else _text(entry)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    def _add_to_array(self, text: str) -> None:
        self._path.touch()
        with self._path.open("r+b") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            tail = file.read().rstrip()
            if not tail:
                file.seek(0)
                file.write(f"[\n{text}\n]\n".encode())
                return
            if not tail.endswith(b"]"):
                raise ValueError(f"{self._path} does not end as an array of JSON does")
            rest = tail[:-1].rstrip()
            file.seek(max(0, size - _TAIL) + len(rest))
            file.truncate()
            file.write(f"{'' if rest.endswith(b'[') else ','}\n{text}\n]\n".encode())


def _text(entry: Mapping[str, str]) -> str:
    said = ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in entry.items() if name != "timestamp"
    )
    return f"{entry['timestamp']}: {said}"
