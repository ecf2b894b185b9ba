"""`python ARGUMENTS` without its second of imports: in a fork of an interpreter that has made them already.

Most of a short command's time goes into importing what every command imports. What is under test here is what a command
does; that `python -m jackstay` starts from nothing is tested where that is the point (the demo, the kills, the clone). A fork gets the caller's arguments, folder, environment and files, runs the module or script as `__main__`, and
ends as an interpreter does, with its exit handlers.

The interpreter has no thread and runs no program itself. It listens on a socket; for each request it forks a child that
forks the program and reports its pid and its end.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType, TracebackType
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]
PRELOADED = (
    "alembic.command",
    "alembic.runtime.migration",
    "anyio._backends._asyncio",
    "genai_prices.data",
    "jackstay",
    "jackstay.cli.app",
    "jackstay.crew",
    "jackstay.engine.kickoff",
    "jackstay.flow",
    "jackstay.journal",
    "jackstay.models.clients.openai",
    "jackstay.models.transport",
    "jackstay.models.sim",
    "jackstay.models.wire",
    "jackstay.tools",
    "openai.lib.streaming.chat",
    "openai.resources.chat.completions",
    "rich.console",
    "rich.table",
    "sqlalchemy.dialects.sqlite",
)


def run(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout_s: float = 60.0, merged: bool = False
) -> subprocess.CompletedProcess[str]:
    """`python ARGUMENTS` to its end, its input empty. `merged`: what goes to stderr is in `stdout`, in its order."""
    process = Process(arguments, cwd=cwd, env=env, merged=merged)
    out, err = process.communicate(timeout=timeout_s)
    assert process.returncode is not None
    return subprocess.CompletedProcess(list(arguments), process.returncode, out, err)


class Process:
    """`python ARGUMENTS`, begun: of `subprocess.Popen`'s members those that tests use."""

    def __init__(self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], merged: bool = False) -> None:
        self.args = list(arguments)
        self.returncode: int | None = None
        (their_in, our_in), (our_out, their_out), (our_err, their_err) = os.pipe(), os.pipe(), os.pipe()
        self.stdin = os.fdopen(our_in, "w", encoding="utf-8")
        self.stdout: IO[str] | None = os.fdopen(our_out, encoding="utf-8", errors="replace")
        self.stderr = os.fdopen(our_err, encoding="utf-8", errors="replace")
        self._line, self._heard = socket.socket(socket.AF_UNIX), b""
        self._line.connect(_address())
        request = json.dumps({"arguments": self.args, "cwd": str(cwd), "env": dict(env)}).encode()
        files = [their_in, their_out, their_out if merged else their_err]
        socket.send_fds(self._line, [len(request).to_bytes(4, "big")], files)
        self._line.sendall(request)
        for file in (their_in, their_out, their_err):
            os.close(file)
        self.pid = self._number(60.0)

    def _number(self, timeout_s: float | None) -> int:
        self._line.settimeout(timeout_s)
        while b"\n" not in self._heard:
            heard = self._line.recv(64)
            assert heard, "the warm interpreter has gone"
            self._heard += heard
        number, _, self._heard = self._heard.partition(b"\n")
        return int(number)

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0.001)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            try:
                self.returncode = self._number(timeout)
            except TimeoutError:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0) from None
            self._line.close()
        return self.returncode

    def communicate(self, given: str = "", timeout: float | None = None) -> tuple[str, str]:
        """Says that to it, closes its input and waits. A program that takes longer is killed. `stdout` set to None:
        who did that reads it."""
        if not self.stdin.closed:
            self.stdin.write(given)
            self.stdin.close()
        texts = ["", ""]

        def read(index: int, file: IO[str]) -> None:
            with file:
                texts[index] = file.read()

        files = [(index, file) for index, file in enumerate((self.stdout, self.stderr)) if file is not None]
        readers = [threading.Thread(target=read, args=each, daemon=True) for each in files]
        for reader in readers:
            reader.start()
        try:
            self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            for reader in readers:
                reader.join(timeout=10)
        return texts[0], texts[1]

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@cache
def _address() -> str:
    """Of this process's own interpreter, which ends with it."""
    folder = tempfile.TemporaryDirectory(prefix="warm-")
    address = f"{folder.name}/python"
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, __file__, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=kept
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"

    def end() -> None:
        process.kill()
        process.wait()
        folder.cleanup()

    atexit.register(end)
    return address


# --- the interpreter ---------------------------------------------------------------------------------------------------


def serve(address: str) -> dict[str, Any] | None:
    """Only a program's process returns from here, with what it is to run."""
    for name in PRELOADED:
        import_module(name)
    gc.freeze()  # a collection in a child would copy all that it shares with its parent
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    parent = os.getppid()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        listening.settimeout(5.0)
        print("ready", flush=True)
        while os.getppid() == parent:
            try:
                line, _ = listening.accept()
            except TimeoutError:
                continue
            with line:
                line.setblocking(True)
                if os.fork() == 0:
                    listening.close()
                    return _attended(line)
    return None


def _attended(line: socket.socket) -> dict[str, Any]:
    size, files, _, _ = socket.recv_fds(line, 4, 3)
    with line.makefile("rb") as incoming:
        request: dict[str, Any] = json.loads(incoming.read(int.from_bytes(size, "big")))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    if pid := os.fork():
        line.sendall(f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    line.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    # New ones: the old know of their files whether one can seek in them.
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - no paths, never closed
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, "utf-8", "backslashreplace", closefd=False)  # noqa: SIM115
    return request


def execute(request: dict[str, Any]) -> None:
    """As `python ARGUMENTS` would."""
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    first, *rest = request["arguments"]
    try:
        if first == "-m":
            sys.argv, sys.path[0] = rest, request["cwd"]
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        elif first == "-c":
            sys.argv, sys.path[0] = ["-c", *rest[1:]], request["cwd"]
            main = sys.modules["__main__"] = ModuleType("__main__")
            exec(compile(rest[0], "<string>", "exec"), main.__dict__)
        else:
            script = Path(first).absolute()
            sys.argv, sys.path[0] = [first, *rest], str(script.parent)
            main = sys.modules["__main__"] = ModuleType("__main__")
            main.__file__ = str(script)
            exec(compile(script.read_bytes(), script, "exec"), main.__dict__)
    except Exception as error:  # noqa: BLE001 - printed as the interpreter prints it, without the frames in here
        sys.excepthook(type(error), error, _of_program(error.__traceback__))
        sys.exit(1)


def _of_program(trace: TracebackType | None) -> TracebackType | None:
    ours = {__file__, runpy.__file__, "<frozen runpy>"}
    while trace is not None and trace.tb_frame.f_code.co_filename in ours:
        trace = trace.tb_next
    return trace


if __name__ == "__main__":
    wanted = serve(sys.argv[1])
    if wanted is not None:
        execute(wanted)
