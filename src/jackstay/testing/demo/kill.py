"""The second half: the same flow in a process that is killed in the middle of a task, and resumed in another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jackstay.core.records import RunFilter
from jackstay.core.usage import Bill
from jackstay.engine.runtime import Runtime
from jackstay.errors import JackstayError
from jackstay.journal import BillOfRun
from jackstay.testing.stub import Stub

PROGRAM = Path(__file__).with_name("production_flow.py")
KILL_AT = 5
"""The request that is in flight at the kill: the second one of the second task."""
PATIENCE_S = 60.0


class DemoFailed(JackstayError):
    """Something of the demo did not go as it should."""

    code = "demo"


@dataclass(frozen=True, slots=True)
class Seen:
    """A run as the stub saw it and as the journal has it."""

    requests: int
    in_flight: int
    """Requests that were being answered when the process was killed."""
    bill: BillOfRun
    run_id: str
    said: str

    @property
    def recorded(self) -> Bill:
        return self.bill.recorded


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the programs run: their folder, their environment, the stub that answers them."""

    folder: Path
    environ: Mapping[str, str]
    stub: Stub
    topic: str

    def run_through(self) -> str:
        """Starts the program and lets it finish. The run's id."""
        self.stub.reset()
        process = self._started(str(PROGRAM), self.topic)
        said, _ = process.communicate(timeout=PATIENCE_S)
        if process.returncode != 0:
            raise DemoFailed(f"the program failed at the stub (exit code {process.returncode}):\n{said}")
        return self._latest_run()

    def run_and_kill(self) -> tuple[str, str, int]:
        """Starts the program, kills it with a call in flight. The run's id, what it said, the calls in flight."""
        self.stub.reset()
        process = self._started(str(PROGRAM), self.topic)
        try:
            self.stub.wait_for(lambda stub: len(stub.requests) >= KILL_AT or process.poll() is not None, PATIENCE_S)
        except TimeoutError:
            pass  # said below, with what the program printed
        in_flight = self.stub.in_flight
        process.kill()
        said, _ = process.communicate(timeout=PATIENCE_S)
        if process.returncode != -_sigkill() or len(self.stub.requests) < KILL_AT:
            raise DemoFailed(f"the program was to be killed at its request {KILL_AT}, but it ended by itself:\n{said}")
        return self._latest_run(), said, in_flight

    def resume(self, run_id: str, in_flight: int) -> Seen:
        process = self._started("-m", "jackstay", "resume", run_id)
        said, _ = process.communicate(timeout=PATIENCE_S)
        if process.returncode != 0:
            raise DemoFailed(f"the run could not be resumed (exit code {process.returncode}):\n{said}")
        return self.seen(run_id, said, in_flight)

    def seen(self, run_id: str, said: str = "", in_flight: int = 0) -> Seen:
        with Runtime(environ=self.environ, folder=self.folder) as runtime:
            bill = runtime.journal.bill(run_id)
        return Seen(len(self.stub.requests), in_flight, bill, run_id, said)

    def _latest_run(self) -> str:
        with Runtime(environ=self.environ, folder=self.folder) as runtime:
            rows = runtime.journal.runs(RunFilter(kind=("flow",), limit=1))
        if not rows:
            raise DemoFailed("the killed program has left no run in the journal")
        return rows[0].id

    def _started(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**self.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )


def _sigkill() -> int:
    return int(getattr(signal, "SIGKILL", -1)) if os.name != "nt" else -1
