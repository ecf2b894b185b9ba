"""The log of this process's runs: a listener that hands lines to the sinks, and the context of users' own records.

The host's logging configuration stays as it is. Only where the root logger has no handler at all does ours go there, so
that users' own records are logged as well; and a log file that was asked for has one there in any case.
"""

from __future__ import annotations

import contextlib
import copy
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jackstay.core.events import Event
from jackstay.core.masking import Masking
from jackstay.core.recognition import is_recognising
from jackstay.engine.context import context_here
from jackstay.engine.telling import TOLD
from jackstay.observe.log_lines import UNTOLD, Heard, LogLines
from jackstay.observe.log_sinks import FIELDS, OURS, Entry, file_sink, stream_sink
from jackstay.observe.writing import LINGER_S, Writing

if TYPE_CHECKING:
    from jackstay.engine.run import Run
    from jackstay.engine.runtime import Runtime

CAUGHT_UP_S = 2.0
"""How long a kickoff waits for its lines to be written when it has ended."""
FILE_LINGER_S = 0.1
"""How long a line waits for others that are written with it, where it only goes into a file."""


class _Record(NamedTuple):
    """Of the user's."""

    taken: logging.LogRecord
    stream: bool
    """Goes on stderr as well, as every line of ours does."""


class Logs:
    """Of one runtime; made if its settings ask for a log."""

    def __init__(self, runtime: Runtime, masking: Callable[[], Masking]) -> None:
        self._runtime, self._masking, settings = runtime, masking, runtime.settings
        self.lines = LogLines(masking, content=settings.log_content, level=settings.log_level)
        self._level, self._content = settings.log_level, settings.log_content
        self._writing = self._new_writing()
        self._broken = self._failing = False
        """The last line could not be written; said once until it can again."""
        mask = lambda value: masking().whole(value)  # noqa: E731 - one line, used twice
        self._stream = stream_sink(settings.log, self._failed, mask) if settings.log != "off" else None
        path = Path(runtime.folder, settings.log_file) if settings.log_file is not None else None
        self._file = file_sink(path, self._failed, mask) if path is not None else None
        self._root: _Forwarding | None = None

    # --- from the engine -----------------------------------------------------------------------------------------------

    def hear(self, run: Run, event: Event, about: Any) -> None:
        if event.name in UNTOLD or run.runtime is not self._runtime:
            return
        try:
            if self._root is None:
                self._claim_root(event)
            if event.name == "kickoff_started":  # which only listeners are told: what it is called
                if not event.path:
                    return  # as its run, which has said it
                event = Event(event.name, event.run_id, event.path, event.at, {"kind": about.kind, "name": about.name})
            content = _content(event, about) if self._content else None
            self._writing.put(self.lines.hear(event, run.span_ids, content))
        except Exception as error:  # noqa: BLE001 - an observer cannot change or fail a run
            self._failed(error)

    async def caught_up(self, run: Run) -> None:
        if run.runtime is self._runtime:
            await self._writing.caught_up(CAUGHT_UP_S)

    # --- users' own records --------------------------------------------------------------------------------------------

    def forward(self, record: logging.LogRecord, *, stream: bool) -> None:
        """On the thread that logs: what the record says and where it comes from is taken down now, and written later."""
        # What a recogniser says while it looks at a line would be the next line that it looks at.
        if record.levelno < self._level or getattr(record, TOLD, False) or is_recognising():
            return
        taken = copy.copy(record)
        taken.msg, taken.args = record.getMessage(), None
        setattr(taken, FIELDS, context_here(self.lines.where))
        if self._file is not None or (stream and self._stream is not None):
            self._writing.put(_Record(taken, stream))

    def _claim_root(self, event: Event) -> None:
        """With the first kickoff. For the stream earlier, with the script that is run: its own configuration would only
        write the same records in another form."""
        if self._stream is None and _is_script(event):
            return
        root = logging.getLogger()
        unconfigured = not root.handlers
        if not unconfigured and self._file is None:
            return
        self._root = _Forwarding(self, stream=unconfigured and self._stream is not None)
        if unconfigured and root.level == logging.WARNING:
            self._root.level_before = root.level
            root.setLevel(self._level)
        root.addHandler(self._root)

    # --- writing -------------------------------------------------------------------------------------------------------

    def _write(self, waiting: Sequence[Heard | _Record]) -> None:
        failed_before, self._failing = self._broken, False
        is_recognising = self._masking().recognition is not None
        told: list[Entry] = []
        """All, for the file."""
        streamed: list[Entry] = []
        for each in waiting:
            entries = self._lines(each, is_recognising=is_recognising) if isinstance(each, Heard) else [each.taken]
            told += entries
            if self._stream is not None and (isinstance(each, Heard) or each.stream):
                streamed += entries
        if self._stream is not None:
            self._stream.write(streamed)
        if self._file is not None:
            self._file.write(told)
        if failed_before and not self._failing:
            self._broken = False

    def _lines(self, heard: Heard, *, is_recognising: bool) -> Sequence[Entry]:
        try:
            lines = self.lines.made(heard)
        except Exception as error:  # noqa: BLE001 - an observer cannot change or fail a run
            self._failed(error)
            return []
        if not is_recognising:  # records of users are looked at when they get their form
            return lines
        return [self.lines.recognised(line) for line in lines]

    def _quick(self) -> type[Heard] | None:
        """Only into a file that is one, and only lines of ours. A terminal may stand still; what was said may be long; and a
        recogniser, or showing what is in a user's record, is code that has no place on the engine loop."""
        if self._file is None or self._stream is not None or self._content:
            return None
        return Heard if self._file.is_quick and self._masking().recognition is None else None

    def _failed(self, error: BaseException) -> None:
        """A recorded warning, and nothing else; not for every line of a disk that is full."""
        self._failing = True
        if not self._broken:
            self._broken = True
            text = f"the log cannot be written: {type(error).__name__}: {error}; runs go on without it"
            logging.getLogger(OURS).warning("%s", text)

    # --- life ----------------------------------------------------------------------------------------------------------

    def close(self, timeout_s: float = 2.0) -> None:
        root = logging.getLogger()
        if self._root is not None:
            root.removeHandler(self._root)
            if self._root.level_before is not None:
                root.setLevel(self._root.level_before)
            self._root = None
        self._writing.close(timeout_s)
        if self._file is not None:
            with contextlib.suppress(OSError):  # what the disk had no room for: it was said when it happened
                self._file.close()

    def forget_in_child(self) -> None:
        """After a fork: the thread is the parent's."""
        self._writing = self._new_writing()

    def _new_writing(self) -> Writing[Heard | _Record]:
        # Nobody sees a line of a file appear between two of the program's own; each time the thread wakes costs.
        linger_s = FILE_LINGER_S if self._runtime.settings.log == "off" else LINGER_S
        return Writing("jackstay-log", self._write, self._failed, quick=self._quick, linger_s=linger_s)


class _Forwarding(logging.Handler):
    """On the root logger: users' own records."""

    def __init__(self, logs: Logs, *, stream: bool) -> None:
        super().__init__()
        self._logs, self._stream = logs, stream
        self.level_before: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self._logs.forward(record, stream=self._stream)
        last = logging.lastResort
        # Without us nobody would have configured anything, and Python would have said it.
        unheard = not self._stream and logging.getLogger().handlers == [self]
        if unheard and last is not None and record.levelno >= last.level:
            last.handle(record)


def _is_script(event: Event) -> bool:
    return event.name.startswith("run_") and event.data.get("kind") == "script"


def _content(event: Event, about: Any) -> Mapping[str, Any] | None:
    """What a model was asked and has answered."""
    match event.name:
        case "model_call_started":
            return {"prompt": [{"role": m.role, "content": m.content} for m in about[1].question.conversation.new]}
        case "model_call_finished":
            answer = about[2]
            calls = [{"tool": call.name, "arguments": call.arguments} for call in answer.tool_calls]
            return {"answer": answer.text, **({"tool_calls": calls} if calls else {})}
        case "task_finished":
            return {"result": about[2].raw}
        case _:
            return None
