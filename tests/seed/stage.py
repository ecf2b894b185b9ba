"""Plays a program as its user would: a process of its own, in a folder of its own, with the stub as its provider.

What came of it (output, request log, stored bytes) is a `Played`. Knows nothing of rows or of the seed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jackstay.core.usage import Usage
from jackstay.testing import Stub, StubRequest
from tests import warm_python

PROGRAMS = Path(__file__).resolve().parent / "programs"
KEPT = ("PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "VIRTUAL_ENV")
"""Variables that a process needs to start; keys, proxies and settings of the person at the machine stay outside."""
TIMEOUT_S = 90.0


@dataclass(frozen=True)
class Played:
    code: int
    out: str
    err: str
    requests: tuple[StubRequest, ...]
    usage: Usage
    """What the stub's answers reported, in all."""
    stored: bytes
    """Everything that the program left in its folder's `.jackstay`."""

    @property
    def told(self) -> Any:
        """The last line of standard output: where our programs say what became of them, as JSON."""
        return json.loads(self.out.rstrip().rpartition("\n")[2])

    def about(self, words: str) -> list[StubRequest]:
        """The requests whose messages have these words in them."""
        return [one for one in self.requests if any(words in message.content for message in one.messages)]


def play(
    program: str,
    *arguments: str,
    stub: Stub,
    blocks: Mapping[int, str] | None = None,
    files: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    command: Sequence[str] = (),
    fails: bool = False,
) -> Played:
    """Runs `programs/<program>.py` with Python, or by the `command` after it (`-m jackstay run`). `blocks` lie beside it as `seed_block_<number>.py`, `files` by their names;
    `environ` instead of the stub's own variables. An exit status that was not expected is an `AssertionError`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for source in (f"{program}.py", "pasting.py"):
            shutil.copy(PROGRAMS / source, folder)
        given = {f"seed_block_{number}.py": text for number, text in (blocks or {}).items()} | dict(files or {})
        for file, text in given.items():
            (folder / file).write_text(text, encoding="utf-8")
        done = run_in(
            folder,
            [*command, f"{program}.py", *arguments],
            stub.environ() if environ is None else environ,
        )
        stored = b"".join(path.read_bytes() for path in sorted(folder.glob(".jackstay/*")) if path.is_file())
    assert (done.returncode != 0) == fails, (
        f"{program}.py ended with status {done.returncode}:\n{done.stdout}{done.stderr}"
    )
    return Played(done.returncode, done.stdout, done.stderr, tuple(stub.requests), stub.total_usage(), stored)


def run_in(folder: Path, arguments: Sequence[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """`python ARGUMENTS` in a folder, without the environment of the person at the machine."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return warm_python.run(arguments, cwd=folder, env={**kept, "HOME": str(folder), **environ}, timeout_s=TIMEOUT_S)


def once(scene: Callable[[], Played]) -> Callable[[], Played]:
    """A scene that several rows look at is played once in a process, however many ask at a time."""
    lock, kept = threading.Lock(), list[Played]()

    def played() -> Played:
        with lock:
            if not kept:
                kept.append(scene())
            return kept[0]

    return played
