"""Files and folders for agents to read: below one folder only, in pieces of a bounded size."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import Field

from jackstay.errors import ToolFailure
from jackstay.tools.base_tool import BaseTool

MAX_LINES = 2000
MAX_CHARS = 50_000
MAX_ENTRIES = 500
_SAMPLE = 8192


class FileReadTool(BaseTool):
    """Reads text files below `root`, a piece at a time: `limit` lines from line `offset` on, and never more than
    `max_chars`. `file_path`: the one that is read when none is named. What leads out of `root`, through links too, what is
    no text and what is not there is a `ToolFailure`."""

    name: str = "Read a file"
    description: str = (
        "Reads a text file: 'limit' lines after the first 'offset' ones. The last line of the result says how to go on."
    )
    side_effect: bool | None = False
    root: str = "."
    file_path: str | None = None
    max_chars: int = Field(default=MAX_CHARS, ge=1)

    def _run(self, file_path: str | None = None, offset: int = 0, limit: int = MAX_LINES) -> str:
        named = file_path or self.file_path
        if not named:
            raise ToolFailure("no file_path was given", reason="invalid_input")
        path = inside(self.root, named)
        if not path.is_file():
            raise ToolFailure(f"there is no file {named!r}", reason="not_found")
        try:
            return self._piece(path, named, max(0, offset), max(1, limit))
        except UnicodeDecodeError as error:
            raise _binary(named) from error
        except OSError as error:
            raise ToolFailure(f"{named!r} cannot be read: {error.strerror}", reason="unreadable") from error

    def _piece(self, path: Path, named: str, offset: int, limit: int) -> str:
        with path.open("rb") as raw:
            if b"\0" in raw.read(_SAMPLE):
                raise _binary(named)
        with path.open(encoding="utf-8") as file:
            for _ in _lines(file, offset, self.max_chars):
                pass
            said: list[str] = []
            size, number = 0, offset
            # One line more than is asked for: whether there is one decides what is said at the end.
            for line in _lines(file, limit + 1, self.max_chars):
                if number - offset == limit or (said and size + len(line) > self.max_chars):
                    said.append(f"[more follows: go on with offset={number}]")
                    break
                said.append(
                    line
                    if line.endswith("\n") or len(line) < self.max_chars
                    else f"{line}\n[the rest of this line is left out]\n"
                )
                size, number = size + len(line), number + 1
        return "".join(said) or f"[nothing after line {offset}]"


class DirectoryReadTool(BaseTool):
    """Lists the files below `root`, folders within folders too, `limit` at a time. `directory`: the folder that is listed
    when none is named. Links to folders are not followed; what leads out of `root` is a `ToolFailure`."""

    name: str = "List files"
    description: str = "Lists all files below a folder: 'limit' of them after the first 'offset' ones. The last line says how to go on."
    side_effect: bool | None = False
    root: str = "."
    directory: str | None = None

    def _run(self, directory: str | None = None, offset: int = 0, limit: int = MAX_ENTRIES) -> str:
        named = directory or self.directory or "."
        folder = inside(self.root, named)
        if not folder.is_dir():
            raise ToolFailure(f"there is no folder {named!r}", reason="not_found")
        root, start, most = Path(self.root).resolve(), max(0, offset), min(max(1, limit), MAX_ENTRIES)
        found = list(islice(_files_below(folder), start, start + most + 1))
        listed = [file.relative_to(root).as_posix() for file in found[:most]]
        if len(found) > most:
            listed.append(f"[more follow: go on with offset={start + most}]")
        return "\n".join(listed) or "[no files]"


def inside(root: str, named: str) -> Path:
    """The path below the root that is meant. Raises `ToolFailure` for one that is not below it."""
    top = Path(root).resolve()
    try:
        path = (top / named).resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a NUL in it, links in a circle
        raise ToolFailure(f"{named!r} is no path that can be read", reason="invalid_input") from error
    if not path.is_relative_to(top):
        raise ToolFailure(f"{named!r} is outside the folder that may be read", reason="refused")
    return path


def _lines(file: Any, most: int, max_chars: int) -> Iterator[str]:
    """Lines as far as `max_chars`; what a longer one has beyond that is passed over, never held."""
    for _ in range(most):
        line = file.readline(max_chars)
        if not line:
            return
        rest = line
        while rest and not rest.endswith("\n"):
            rest = file.readline(max_chars)
        yield line


def _files_below(folder: Path) -> Iterator[Path]:
    """In the order of their names, each folder as a whole."""
    for at, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(at) / name for name in sorted(files))


def _binary(named: str) -> ToolFailure:
    return ToolFailure(f"{named!r} is no text (UTF-8), and is not read", reason="binary")
