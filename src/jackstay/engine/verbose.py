"""`verbose=True`: a listener that prints the account of what crews and agents do, on stdout, as it happens."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jackstay.core.events import Event
from jackstay.core.failures import text_of
from jackstay.observe.account import Account, Said, rendered
from jackstay.observe.figures import printable
from jackstay.observe.writing import Job, Writing, one_by_one

if TYPE_CHECKING:
    from jackstay.engine.run import Run
    from jackstay.engine.runtime import Runtime

CAUGHT_UP_S = 2.0
"""How long a kickoff that has ended waits for its account to be written."""
_COLORS: Mapping[str, str] = {
    "bold": "1", "bold cyan": "1;36", "bold red": "1;31", "green": "32", "red": "31", "yellow": "33", "blue": "34",
    "magenta": "35", "dim": "2",
}  # fmt: skip
_PLAIN = str.maketrans(
    {"│": "|", "▶": ">", "●": "*", "✓": "+", "✗": "x", "–": "-", "↻": "~", "↺": "~", "·": "-", "■": "#"}
)
_ARROWS = str.maketrans({"→": ">", "←": "<", "⇒": ">", "⇐": "<", "…": "."})


class Verbose:
    """Of one runtime; made with the first verbose kickoff."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._account = Account()
        self._writing = self._new_writing()
        self._broken = False

    def hear(self, run: Run, event: Event, about: Any) -> None:
        if run.runtime is not self._runtime:
            return
        try:
            # Before it is cut: what is left of a secret would not be known any more.
            masked = replace(event, data=self._runtime.masked.now.data(event.data))
            for said in self._said(run, masked, about):
                self._put(replace(said, tag=self._shown(said.tag), text=self._shown(said.text)))
        except Exception as error:  # noqa: BLE001 - an observer cannot change or fail a run
            self._failed(error)

    def _shown(self, text: str) -> str:
        return printable(self._runtime.masked.now.text(text))

    def _said(self, run: Run, event: Event, about: Any) -> list[Said]:
        match event.name:
            case "kickoff_started":
                return self._account.begin(event, kind=about.kind, name=about.name) if about.verbose else []
            case "kickoff_failed":
                kickoff, error = about
                data = {"kind": kickoff.kind, "name": kickoff.name, "error": text_of(error) or type(error).__name__}
                return self._account.of(replace(event, data=data))
            case "kickoff_finished":
                kickoff, result, _ = about
                answer = result.result.raw if kickoff.kind == "agent" else None
                return self._account.of(replace(event, data={"name": kickoff.name, "answer": answer}))
            case "task_started" if about[0].about.agent.verbose:
                return self._account.begin_task(event, of=about[0].about.crew or run.row.name)
            case _:
                return self._account.of(event)

    async def caught_up(self, run: Run) -> None:
        if run.runtime is self._runtime:
            await self._writing.caught_up(CAUGHT_UP_S)

    def _put(self, said: Said) -> None:
        masking = self._runtime.masked.now  # what it finds is looked for on the thread that prints
        self._writing.put(lambda: _print(replace(said, text=masking.recognised(said.text))))

    def _failed(self, error: Exception) -> None:
        if not self._broken:
            self._broken = True
            logging.getLogger("jackstay").warning("what verbose=True says cannot be printed: %r; runs go on", error)

    def close(self) -> None:
        self._writing.close(CAUGHT_UP_S)

    def forget_in_child(self) -> None:
        """After a fork: the thread is the parent's."""
        self._writing = self._new_writing()

    def _new_writing(self) -> Writing[Job]:
        return Writing("jackstay-verbose", one_by_one(self._failed), self._failed)


def _print(said: Said) -> None:
    """One write for one line, so that nothing comes between; to the stream that is stdout now."""
    stream = sys.stdout
    on_terminal = stream.isatty()
    text = rendered(said, shutil.get_terminal_size().columns if on_terminal else None)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(_PLAIN).translate(_ARROWS).encode(encoding, "replace").decode(encoding)
    color = _COLORS.get(said.style)
    if color and on_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb":
        text = "\n".join(f"\x1b[{color}m{line}\x1b[0m" for line in text.split("\n"))
    stream.write(text + "\n")
    stream.flush()
