"""Where log lines go: JSON or words on stderr, JSON in a file that is rotated. Standard logging's handlers, structlog's forms."""

from __future__ import annotations

import json
import logging
import os
import stat
import sys
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO

import structlog

from jackstay.core.ids import SHORT
from jackstay.observe.figures import printable

FILE_BYTES, FILES_KEPT = 10_000_000, 5
FIELDS = "jackstay_fields"
"""Attribute of a record: its context."""

MASKED = "jackstay_masked"
"""Attribute of a record: there is nothing in it that must not be shown."""

Processed = MutableMapping[str, Any]
Mask = Callable[[Any], Any]
Failed = Callable[[BaseException], None]


def record_of(name: str, level: int, event: str, at_s: float, fields: Mapping[str, Any]) -> logging.LogRecord:
    """A line of ours as a record of standard logging."""
    body = {"name": name, "levelno": level, "levelname": logging.getLevelName(level), "msg": event, "args": ()}
    return logging.makeLogRecord({**body, "created": at_s, FIELDS: fields, MASKED: True})


def json_formatter(mask: Mask | None = None) -> logging.Formatter:
    """One JSON object per line: `timestamp`, `level`, `logger`, `event`, the context, a record's `extra`."""
    return _JsonLines(
        foreign_pre_chain=_before(mask),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # ASCII: a line separator of Unicode inside a value would end the line for some readers.
            structlog.processors.JSONRenderer(),
        ],
    )


def console_formatter(mask: Mask | None = None, *, colors: bool) -> logging.Formatter:
    """One readable line; control characters in what models and users say do nothing to the terminal."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_before(mask),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _short,
            structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=20, sort_keys=False),
        ],
    )


class StreamSink(logging.StreamHandler[TextIO]):
    """stderr as it is at the moment of writing: a program may put another one there."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(sys.stderr)
        self._failed = failed

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        pass

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        self._failed(sys.exc_info()[1] or RuntimeError("the log line could not be written"))


class FileSink(RotatingFileHandler):
    """Made with its folder; a new file every 10 MB, five old ones are kept."""

    def __init__(self, path: Path, failed: Failed) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(path, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8", delay=True)
        self._failed = failed

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - logging's name
        """By what the file has: logging's own makes each line a second time to know how long it will be."""
        if self.stream is None:
            self.stream = self._open()
        of_file = os.fstat(self.stream.fileno())
        return stat.S_ISREG(of_file.st_mode) and of_file.st_size >= self.maxBytes

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        self._failed(sys.exc_info()[1] or RuntimeError("the log line could not be written"))


def stream_sink(style: str, failed: Failed, mask: Mask) -> logging.Handler:
    """`json` or `console`, on stderr."""
    sink = StreamSink(failed)
    colors = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    sink.setFormatter(json_formatter(mask) if style == "json" else console_formatter(mask, colors=colors))
    return sink


def file_sink(path: Path, failed: Failed, mask: Mask) -> logging.Handler:
    sink = FileSink(path, failed)
    sink.setFormatter(json_formatter(mask))
    return sink


class _JsonLines(structlog.stdlib.ProcessorFormatter):
    """Lines of ours have their form already: a third of what structlog's processors take for them."""

    def format(self, record: logging.LogRecord) -> str:
        if not getattr(record, MASKED, False):
            return super().format(record)
        said = {"level": record.levelname.lower(), "logger": record.name, "event": record.getMessage()}
        return json.dumps({"timestamp": _at(record), **said, **getattr(record, FIELDS, {})}, default=repr)


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
    """Time first, then what the record has of its own, then where it happened. Lines of ours are masked already."""
    record: logging.LogRecord = body["_record"]
    fields = body.pop(FIELDS, None) or {}
    ours = body.pop(MASKED, False)
    kept = {key: body.pop(key) for key in ("_record", "_from_structlog") if key in body}
    own = body if ours or mask is None else mask(dict(body))
    first = {key: own.pop(key) for key in ("level", "logger", "event") if key in own}
    return {"timestamp": _at(record), **first, **fields, **own, **kept}


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")


def _short(_: Any, __: str, body: Processed) -> Processed:
    """For people: no ids that are only there to be joined, no figure longer than it has to be, no control characters."""
    for name in ("trace_id", "span_id", "path"):
        body.pop(name, None)
    body["timestamp"] = body["timestamp"][11:23]
    if "run_id" in body:
        body["run_id"] = body["run_id"][:SHORT]
    return {key: printable(value) if isinstance(value, str) else value for key, value in body.items()}
