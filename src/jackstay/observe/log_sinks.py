"""Where log lines go: JSON or words on stderr, JSON in a file that is rotated. Standard logging's handlers, structlog's forms."""

from __future__ import annotations

import json
import logging
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Protocol, TextIO

import structlog
from pydantic_core import to_json

from jackstay.core.ids import SHORT
from jackstay.observe.figures import printable
from jackstay.observe.log_lines import LEVELS, MASKED, Line

FILE_BYTES, FILES_KEPT = 10_000_000, 5
LOOKS = 100
"""How often the size of a file is looked at until it is full."""
OURS = "jackstay"
"""The name of our logger."""

FIELDS = "jackstay_fields"
"""Attribute of a record: its context."""

CHUNK = 4096
"""Characters that are written at once, at most, if more than one line: what several processes write into one pipe stays whole
lines up to that size (PIPE_BUF)."""

Processed = MutableMapping[str, Any]
Mask = Callable[[Any], Any]
Failed = Callable[[BaseException], None]
Entry = Line | logging.LogRecord
"""A line of ours, or a record of the user's."""

Form = Callable[[Entry], str]
_LEVELS = {level: logging.getLevelName(level).lower() for level in {logging.INFO, *LEVELS.values()}}


def json_formatter(mask: Mask | None = None) -> logging.Formatter:
    """One JSON object per line: `timestamp`, `level`, `logger`, `event`, the context, a record's `extra`."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_before(mask),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # ASCII: a line separator of Unicode inside a value would end the line for some readers.
            structlog.processors.JSONRenderer(),
        ],
    )


def json_form(mask: Mask) -> Form:
    # Lines of ours have their form already: a third of what structlog's processors take for them, and pydantic's encoder
    # takes a third of the standard library's.
    users = json_formatter(mask)

    def form(entry: Entry) -> str:
        if not isinstance(entry, Line):
            return users.format(entry)
        place, own, level = entry.place, entry.own, _LEVELS[entry.level]
        head = f'{{"timestamp":"{_told(entry.at)}","level":"{level}","logger":"{OURS}","event":"{entry.event}"'
        if own.keys().isdisjoint(place.fields):
            if place.form is None:
                place.form = _members(place.fields)
            return f"{head}{place.form}{_members(own)}}}"
        return f"{head}{_members(entry.fields)}}}"

    return form


def _members(fields: Mapping[str, Any]) -> str:
    """As JSON in an object, after others."""
    if not fields:
        return ""
    try:
        return "," + to_json(fields, ensure_ascii=True, fallback=repr)[1:-1].decode("ascii")
    except ValueError:  # half a pair of surrogates, which JSON's escapes can say
        return "," + json.dumps(fields, default=repr)[1:-1]


def console_form(mask: Mask, *, colors: bool) -> Form:
    """One readable line; control characters in what models and users say do nothing to the terminal."""
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_before(mask),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _short,
            structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=20, sort_keys=False),
        ],
    )
    return lambda entry: formatter.format(_record_of(entry) if isinstance(entry, Line) else entry)


class Sink(Protocol):
    def write(self, entries: Sequence[Entry]) -> None:
        """Does not raise: what cannot be written is told to `failed`."""
        ...

    def close(self) -> None: ...


class StreamSink:
    """stderr as it is at the moment of writing: a program may put another one there."""

    def __init__(self, form: Form, failed: Failed) -> None:
        self._form, self._failed = form, failed

    def write(self, entries: Sequence[Entry]) -> None:
        for text in chunks_of(entries, self._form, self._failed):
            try:
                sys.stderr.write(text)
                sys.stderr.flush()
            except Exception as error:  # noqa: BLE001 - a stream of the program's may raise anything
                self._failed(error)

    def close(self) -> None:
        pass


class FileSink(RotatingFileHandler):
    """Made with its folder; a new file every 10 MB, five old ones are kept."""

    def __init__(self, path: Path, form: Form, failed: Failed) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(path, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8", delay=True)
        self._form, self._failed = form, failed
        self._unseen = 0
        """Bytes written since the file was looked at: others may write into it, too."""
        self.is_quick = False
        """It is a file on a disk, as far as is known: neither a pipe nor a device, which may stand still."""

    def write(self, entries: Sequence[Entry]) -> None:
        for text in chunks_of(entries, self._form, self._failed):
            try:
                opened, data = self._opened().fileno(), text.encode()
                self._unseen += len(data)
                while data:
                    data = data[os.write(opened, data) :]
            except Exception as error:  # noqa: BLE001 - a disk that is full, a folder that is gone
                self._failed(error)

    def _opened(self) -> TextIO:
        """By what the file has: logging's own makes each line a second time to know how long it will be."""
        if self.stream is None:
            self.stream = self._open()
        elif self._unseen < self.maxBytes // LOOKS:
            return self.stream
        self._unseen = 0
        of_file = os.fstat(self.stream.fileno())
        self.is_quick = stat.S_ISREG(of_file.st_mode)
        if self.is_quick and of_file.st_size >= self.maxBytes:
            self.doRollover()
            self.stream = self._open()
        return self.stream


def stream_sink(style: str, failed: Failed, mask: Mask) -> Sink:
    """`json` or `console`, on stderr."""
    if style == "json":
        return StreamSink(json_form(mask), failed)
    colors = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return StreamSink(console_form(mask, colors=colors), failed)


def file_sink(path: Path, failed: Failed, mask: Mask) -> FileSink:
    return FileSink(path, json_form(mask), failed)


def chunks_of(entries: Sequence[Entry], form: Form, failed: Failed) -> Iterator[str]:
    """The entries as text, line by line where they are long."""
    lines: list[str] = []
    size = 0
    for entry in entries:
        try:
            line = f"{form(entry)}\n"
        except Exception as error:  # noqa: BLE001 - what users log may raise when it is shown
            failed(error)
            continue
        if lines and size + len(line) > CHUNK:
            yield "".join(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield "".join(lines)


# --- processors --------------------------------------------------------------------------------------------------------


def _before(mask: Mask | None) -> list[Any]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.format_exc_info,
        lambda _, __, body: _with_context(body, mask),
    ]


def _with_context(body: Processed, mask: Mask | None) -> Processed:
    """Time first, then where it happened, then what the record has of its own. Lines of ours are masked already."""
    record: logging.LogRecord = body["_record"]
    fields = body.pop(FIELDS, None) or {}
    ours = body.pop(MASKED, False)
    kept = {key: body.pop(key) for key in ("_record", "_from_structlog") if key in body}
    first = {key: body.pop(key) for key in ("level", "logger") if key in body}
    own = body if ours or mask is None else mask(dict(body))
    first |= {key: own.pop(key) for key in ("event",) if key in own}
    return {"timestamp": _at(record), **first, **fields, **own, **kept}


def _at(record: logging.LogRecord) -> str:
    return _told(datetime.fromtimestamp(record.created, UTC))


def _told(at: datetime) -> str:
    """As `isoformat` of a time in UTC, for half of what it takes: the lines of a kickoff are of few seconds."""
    return f"{_second(at.year, at.month, at.day, at.hour, at.minute, at.second)}{at.microsecond:06}+00:00"


@lru_cache(maxsize=64)
def _second(year: int, month: int, day: int, hour: int, minute: int, second: int) -> str:
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}."


def _record_of(line: Line) -> logging.LogRecord:
    body = {"name": OURS, "levelno": line.level, "levelname": logging.getLevelName(line.level), "msg": line.event}
    return logging.makeLogRecord({**body, "created": line.at.timestamp(), FIELDS: line.fields, MASKED: True})


def _short(_: Any, __: str, body: Processed) -> Processed:
    """For people: no ids that are only there to be joined, no figure longer than it has to be, no control characters."""
    for name in ("trace_id", "span_id", "path"):
        body.pop(name, None)
    body["timestamp"] = body["timestamp"][11:23]
    if "run_id" in body:
        body["run_id"] = body["run_id"][:SHORT]
    return {key: printable(value) if isinstance(value, str) else value for key, value in body.items()}
