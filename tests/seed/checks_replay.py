"""Rows on replay: the seed's two commands, and its diagram."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jackstay.testing import Stub
from tests.seed import excerpts
from tests.seed.stage import PROGRAMS, run_in

MISTAKE = '        raise OSError("the archive is closed")\n'
PLACES = ("first", "second", "third", "fourth")
_LISTED = re.compile(r"^(✅|❌|–) +(task_\d) .*? (\S+/task_\d#1)", re.MULTILINE)


@dataclass(frozen=True)
class Shell:
    """A folder with the program in it; every command is a process of its own, as in a new shell."""

    folder: Path
    stub: Stub

    def type(self, line: str, *, fails: bool = False) -> subprocess.CompletedProcess[str]:
        command, *arguments = line.split()
        programs = {"jackstay": ["-m", "jackstay"], "python": []}
        done = run_in(self.folder, [*programs[command], *arguments], self.stub.environ())
        assert (done.returncode != 0) == fails, f"{line}: status {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def repair(self) -> None:
        program = self.folder / "four_tasks.py"
        program.write_text(program.read_text().replace(MISTAKE, "        return\n"))

    def asked(self, since: int = 0) -> list[str]:
        """Which reports requests were made for."""
        said = [request.messages[-1].content for request in self.stub.requests[since:]]
        return [next(place for place in PLACES if f"the {place} report" in text) for text in said]


@contextmanager
def _shell() -> Iterator[Shell]:
    with Stub() as stub, tempfile.TemporaryDirectory() as name:
        shutil.copy(PROGRAMS / "four_tasks.py", name)
        yield Shell(Path(name), stub)


def _commands() -> list[str]:
    """The seed's two, by our name."""
    block = next(block for block in excerpts.fenced("bash") if "log-tasks-outputs" in block)
    lines = [line for line in block.splitlines() if line and not line.startswith("#")]
    return [line.replace("crewai", "jackstay") for line in lines]


def both_commands() -> None:
    """They list the latest runs' tasks, and run the program again from the one that is named."""
    log, replay = _commands() if excerpts.text() else ("jackstay log-tasks-outputs", "jackstay replay -t <task_id>")
    with _shell() as shell:
        shell.repair()
        shell.type("jackstay run four_tasks.py")
        listed = _LISTED.findall(shell.type(log).stdout)

        replayed = shell.type(replay.replace("<task_id>", listed[1][2]))

    assert [mark for mark, _, _ in listed] == ["✅"] * 4
    assert shell.asked(4) == ["second", "third", "fourth"]
    assert "runs again: task_2, task_3, task_4 (3 calls" in replayed.stderr
    assert "as foreseen: task_2, task_3, task_4 ran again, 3 calls" in replayed.stderr


def diagram() -> None:
    """✅ ✅ ❌ –; after the repair tasks 3 and 4 are asked, twice in a row; the run is drawn as in the seed."""
    with _shell() as shell:
        shell.type("python four_tasks.py", fails=True)
        listed = _LISTED.findall(shell.type("jackstay log-tasks-outputs").stdout)
        third = listed[2][2]
        shell.repair()

        answers = [shell.type(f"jackstay replay -t {third}").stdout for _ in range(2)]
        drawn = shell.type(f"jackstay show {third.partition('/')[0]} --mermaid").stdout

    assert [mark for mark, _, _ in listed] == ["✅", "✅", "❌", "–"]
    assert len({task for _, _, task in listed}) == 4
    assert shell.asked() == ["first", "second", "third", *["third", "fourth"] * 2]
    assert answers[0] == answers[1] != ""
    assert drawn.startswith("flowchart LR\n")
    for line in (
        'T1["task_1 ✅"]',
        'T3["task_3 ❌"]',
        "T1 --> T2",
        "T2 --> T3",
        "T3 -.->|",
        "task_3 🔄",
        "#f44336",
        "#FF9800",
    ):
        assert line in drawn, line
