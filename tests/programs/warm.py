"""A process that has imported everything and started nothing: it forks children that run programs (engine rule 42).

One line of JSON each way: `{"program", "environ", "folder", "key"}` starts a child, answered with `{"pid"}`;
`{"wait": pid}` is answered with `{"status"}` (negative: the signal that ended it), or, with `"or_stop"`, with `{"stopped"}`. A fork costs milliseconds where a
fresh process costs more than a second.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import signal
import sys
import threading
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from jackstay.testing import FaultPoints

PRELOADED = (
    "anyio._backends._asyncio",
    "genai_prices.data",
    "jackstay.crew",
    "jackstay.engine.kickoff",
    "jackstay.journal",
    "jackstay.models.clients.openai",
    "jackstay.models.transport",
    "jackstay.models.wire",
    "openai.lib.streaming.chat",
    "openai.resources.chat.completions",
    "psycopg",
    "tests.programs.crew_of_five",
    "tests.programs.flow_at_once",
    "tests.programs.flow_of_five",
    "tests.programs.generated",
    "tests.programs.spenders",
    "tests.programs.stubborn",
    "tests.programs.limited_crews",
    "tests.programs.mixed_runs",
    "tests.programs.paying_crew",
    "tests.programs.reviewed_flow",
    "tests.programs.random_flow",
)


def main() -> None:
    for name in PRELOADED:
        import_module(name)
    gc.freeze()  # a collection in a child would copy all that it shares with its parent
    for line in sys.stdin:
        wish = json.loads(line)
        if "wait" in wish:
            _, status = os.waitpid(wish["wait"], os.WUNTRACED if wish.get("or_stop") else 0)
            stopped = os.WIFSTOPPED(status)
            answer = {"stopped": True} if stopped else {"status": os.waitstatus_to_exitcode(status)}
        else:
            assert threading.active_count() == 1, "a fork of a process with threads proves nothing"
            answer = {"pid": _fork(wish)}
        print(json.dumps(answer), flush=True)


def _fork(wish: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        _child(wish)
    except BaseException as error:  # noqa: BLE001 - the child of a fork must not return
        Path("raised").write_text(type(error).__name__)
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _child(wish: dict[str, Any]) -> None:
    folder = Path(wish["folder"])
    output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(wish["environ"])
    os.chdir(folder)
    result = run_program(wish["program"], wish["key"])
    (folder / "result.json").write_text(json.dumps(result))


class StampedPoints(FaultPoints):
    """Notes the time of every hit of a point that is named in FAULT_POINTS: the last one is the kill's.

    At hit number SIGNAL_AT of the points whose names begin with SIGNAL_IN, of all if that is not given, the process gets
    the signal SIGNAL: it is killed, or stopped.
    """

    def __init__(self) -> None:
        super().__init__()
        self._left = int(os.environ.get("SIGNAL_AT", "-1")) + 1
        self._counting = threading.Lock()

    def hit(self, name: str) -> None:
        if f"{name}:" in os.environ.get("FAULT_POINTS", ""):
            Path("hit").write_text(repr(time.time()))
        with self._counting:
            self._left -= name.startswith(os.environ.get("SIGNAL_IN", ""))
            if self._left == 0:
                self._left = -1
                # To this thread: it must not come any further before the process stops.
                signal.pthread_kill(threading.get_ident(), signal.Signals[os.environ.get("SIGNAL", "SIGKILL")])
        super().hit(name)


def run_program(name: str, key: str | None) -> dict[str, Any]:
    """Runs `tests.programs.NAME` in a runtime whose events, commits and tools are fault points."""
    from jackstay import Runtime

    points = StampedPoints.from_environ(os.environ)
    if "FAIL_COMMIT" in os.environ:
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        points.raise_at("journal.commit", full, skip=int(os.environ["FAIL_COMMIT"]))
    with Runtime(observers=(lambda event: points.hit(event.name),), fault_point=points.hit):
        result: dict[str, Any] = import_module(f"tests.programs.{name}").run(points, key)
    Path("points.json").write_text(json.dumps(points.hits))
    return result


if __name__ == "__main__":
    main()
