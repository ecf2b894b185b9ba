"""Processes that tests kill: forked from a warm one (`tests/programs/warm.py`), each in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """What a program needs of this process's environment, and nothing that would point it at a real provider."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    return {**kept, "PYTHONPATH": str(ROOT), **extra}


@dataclass
class Child:
    """A running program. `wait` returns how it ended: 0, its exit code, or minus the signal."""

    pid: int
    folder: Path
    _warm: Warm

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def wait_for_stop(self) -> bool:
        """Returns when it has stopped; False if it has ended instead, and must not be waited for again."""
        return "stopped" in self._warm.ask({"wait": self.pid, "or_stop": True})

    def wait(self) -> int:
        return int(self._warm.ask({"wait": self.pid})["status"])

    @property
    def last_hit_s(self) -> float:
        """When it last passed one of its FAULT_POINTS: of a process that killed itself, when it did."""
        return float((self.folder / "hit").read_text())

    @property
    def points(self) -> list[str]:
        """The fault points that it passed, in order, if it came to its end."""
        read: list[str] = json.loads((self.folder / "points.json").read_text())
        return read

    @property
    def raised(self) -> str:
        """The class of the exception that ended it."""
        return (self.folder / "raised").read_text()

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text(errors="replace")

    @property
    def result(self) -> dict[str, Any]:
        """What the program gave back."""
        read: dict[str, Any] = json.loads((self.folder / "result.json").read_text())
        return read


class Warm:
    """The warm process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, program: str, *, environ: Mapping[str, str], folder: Path, key: str | None) -> Child:
        folder.mkdir(parents=True, exist_ok=True)
        wish = {"program": program, "environ": child_environment(environ), "folder": str(folder), "key": key}
        return Child(int(self.ask(wish)["pid"]), folder, self)

    def ask(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wish) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def warm_process() -> Iterator[Warm]:
    """A warm process for the block; it ends when its input does, even if this process is killed."""
    command = [sys.executable, "-m", "tests.programs.warm"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=child_environment({})
    ) as process:
        try:
            yield Warm(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=30)
