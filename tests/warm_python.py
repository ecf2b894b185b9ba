"""`python ARGUMENTS` without its second of imports: in a fork of an interpreter that has made them already.

Most of a short command's time goes into importing what every command imports. What is under test here is what a command
does; that `python -m jackstay` starts from nothing is tested where that is the point (`Folder.start`, the demo, the
clone). A fork gets the caller's arguments, folder, environment and files, runs the module or script as `__main__`, and
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
from collections.abc import Mapping, Sequence
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
    "jackstay.models.pools",
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
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, Path(os.devnull).open("rb") as nothing:
        code = _ask(arguments, cwd, env, (nothing, out, out if merged else err), timeout_s)
        return subprocess.CompletedProcess(list(arguments), code, _text(out), _text(err))


def _ask(
    arguments: Sequence[str], cwd: Path, env: Mapping[str, str], files: tuple[IO[bytes], ...], timeout_s: float
) -> int:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(_address())
        request = json.dumps({"arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}).encode()
        socket.send_fds(line, [len(request).to_bytes(4, "big")], [file.fileno() for file in files])
        line.sendall(request)
        answers = line.makefile()
        pid = int(answers.readline())
        line.settimeout(timeout_s)
        try:
            return int(answers.readline())
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(arguments), timeout_s, _text(files[1]), _text(files[2])) from None


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", errors="replace").replace("\r\n", "\n")


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
    if pid := os.fork():
        line.sendall(f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    line.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
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
