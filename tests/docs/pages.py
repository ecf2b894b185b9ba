"""A page of the documentation as something that can be run: its Python blocks, its console examples.

The Python blocks of a page are one program, in the page's order and with the page's line numbers, so that a traceback
points into the page. A block is left out only under a line that says why: `*Not run here: <reason>.*`. A block whose
first line is `# name.py` is also a file of that name for the console examples of the page.
"""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from tests import warm_python

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^ *```\s*$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"\*Not run here: .+\.\*\s*\Z")
_FILE = re.compile(r"\A# (?P<name>[\w.-]+\.py)\n")


@dataclass(frozen=True, slots=True)
class Block:
    language: str
    body: str
    line: int
    """Of the block's first line, from 1."""
    is_run: bool

    @property
    def file(self) -> str | None:
        found = _FILE.match(self.body)
        return found["name"] if found else None


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 2
        is_run = not _NOT_RUN.search(text[: match.start()].rstrip())
        found.append(Block(match["language"], textwrap.dedent(match["body"]), line, is_run))
    return found


def program(page: Path) -> str:
    """The page's Python, each block on the lines where it stands in the page."""
    lines: list[str] = []
    for block in blocks(page):
        if block.language == "python" and block.is_run:
            lines += [""] * (block.line - 1 - len(lines))
            lines += block.body.splitlines()
    return "\n".join(lines) + "\n" if lines else ""


def write_files(page: Path, folder: Path) -> None:
    for block in blocks(page):
        if block.language == "python" and block.file is not None:
            (folder / block.file).write_text(block.body, encoding="utf-8")


def environment(folder: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A user's environment without keys and settings of whoever runs the tests, wide enough for whole lines."""
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "COLUMNS": "120",
        **(extra or {}),
    }


# --- console examples ----------------------------------------------------------------------------------------------

# They set the clone up, which the tests that install it in a container of its own do.
_SET_UP = ("make", "pip", "git", "cd", "python3", ".", "source")


@dataclass(frozen=True, slots=True)
class Example:
    """A command and what the page says that it prints."""

    command: str
    expected: str
    line: int


def examples(page: Path) -> Iterator[Example]:
    """The console examples of a page that are run, in its order."""
    for block in blocks(page):
        if block.language != "console" or not block.is_run:
            continue
        for number, part in enumerate(re.split(r"^\$ ", block.body, flags=re.MULTILINE)):
            if number == 0:
                continue
            command, _, expected = part.partition("\n")
            while command.endswith("\\"):
                more, _, expected = expected.partition("\n")
                command = command[:-1] + more
            if shlex.split(command, comments=True)[0] not in _SET_UP:
                yield Example(command, expected, block.line)


def play(command: str, folder: Path, environ: Mapping[str, str]) -> str:
    """What a person sees of the command in a terminal that has no colours."""
    if (arguments := _plain_command(command)) is not None:
        return warm_python.run(arguments, cwd=folder, env=environ, timeout_s=100, merged=True).stdout
    killed = _KILLED.fullmatch(command)
    process = subprocess.Popen(
        ["bash", "-c", f"exec {killed['command']}" if killed else command],
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if killed:
        _wait_for_third_call(process, folder / ".jackstay" / "jackstay.db")
        process.kill()
    printed, _ = process.communicate(timeout=100)
    return printed + ("Killed\n" if killed else "")


def _plain_command(command: str) -> list[str] | None:
    """What `python` is to be given for a command that is not the shell's business."""
    words = shlex.split(re.sub(r"\s#.*", "", command))
    if _SHELL.search(command) or words[0] not in ("jackstay", "python"):
        return None
    return ["-m", *words] if words[0] == "jackstay" else words[1:]


_SHELL = re.compile(r"[|&;<>$*`]")
_KILLED = re.compile(r"timeout -s KILL \d+ (?P<command>.+)")


def _wait_for_third_call(process: subprocess.Popen[str], journal: Path) -> None:
    """Seconds say too little on a busy machine: the pages' examples are killed in the third call of the latest run."""
    latest = "run_id = (select max(id) from run)"
    recorded = f"select count(*) from step where kind = 'llm' and {latest}"
    in_flight = f"select count(*) from reservation where state = 'open' and {latest}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as database:
            counts = database.execute(f"select ({recorded}), ({in_flight})").fetchone()
            if counts == (2, 1):
                return
        time.sleep(0.02)
    raise AssertionError("the example never came to its third model call")


_VOLATILE = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}(?:-[0-9a-f]{1,4}){0,2}(?:-[0-9a-f]{1,12})?\b"), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b"), "<when>"),
    (re.compile(r"\b(?:\d+m )?\d+(?:\.\d+)?m?s\b"), "<time>"),
    (re.compile(r"\$0\.\d+"), "<cost>"),
    (re.compile(r"[─━]+"), "-"),
    (re.compile(r"[ \t]+"), " "),
)


def plain(text: str) -> str:
    """Without what differs from run to run: ids, times, widths."""
    for pattern, word in _VOLATILE:
        text = pattern.sub(word, text)
    return "\n".join(line.strip() for line in text.strip().splitlines())


def agrees(expected: str, printed: str) -> bool:
    """`…` stands for any text in a line, a line of `…` alone for any lines. Nothing expected: any output will do."""
    if not expected.strip():
        return True
    wanted = [
        r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + r"\n"
        for line in plain(expected).splitlines()
    ]
    return re.fullmatch("".join(wanted), plain(printed) + "\n") is not None
