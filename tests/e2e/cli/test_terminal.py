"""What a person at a terminal sees: progress that moves, and the program's own output untouched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jackstay.testing import Stub
from tests.e2e.cli.conftest import KICKOFF, PROGRAM, Folder
from tests.unit.observe.screen import Screen

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")


def _typed(folder: Folder, *arguments: str, **environ: str) -> str:
    """All that `jackstay ARGUMENTS` writes to a terminal of 100 columns."""
    import pty  # not on Windows

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "jackstay", *arguments]
    environ = {"TERM": "xterm-256color", "COLUMNS": "100", **folder.environ, **environ}
    process = subprocess.Popen(command, cwd=folder.path, env=environ, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    written = bytearray()
    try:
        while piece := os.read(ours, 65536):
            written += piece
    except OSError:  # Linux says so when the last writer has closed it
        pass
    os.close(ours)
    assert process.wait(timeout=60) == 0, written.decode()
    return written.decode()


def _slow_crew(folder: Folder, stub: Stub) -> Path:
    folder.ask(stub)
    return folder.write("crews.py", PROGRAM, "print('[half]', end=' ')\n", KICKOFF)


def test_terminal_shows_task_agent_calls_tokens_cost_and_leaves_the_programs_output_as_it_is(folder):
    # Long enough for the line to be drawn a few times.
    with Stub(latency_s=0.4) as stub:
        _slow_crew(folder, stub)
        written = _typed(folder, "run", "crews.py")
        answer = stub.requests[-1]

    seen = Screen.of(written).lines
    assert "⠋ Analyst: research · asking sim/demo · " in Screen.plain(written)
    assert " 1 call · " in Screen.plain(written)
    assert seen[0] == "model: sim/demo for every agent (JACKSTAY_MODEL)"
    assert seen[1] == "[half] begin"
    assert seen[2].startswith("✓ Analyst: research · ")
    assert seen[3].startswith("✓ Writer: write · ")
    assert seen[4].startswith("answer: ")
    assert seen[-1].startswith("3 calls · ")
    assert " tokens · $0.0" in seen[-1]
    assert answer.status == 200


@pytest.mark.parametrize("why", [{"TERM": "dumb"}, {"CI": "1", "NO_COLOR": "1"}], ids=["dumb", "ci"])
def test_terminal_that_cannot_or_should_not_move_gets_plain_lines(folder, why):
    folder.write("crews.py", PROGRAM, KICKOFF)

    written = _typed(folder, "run", "crews.py", **why)

    assert "\x1b[" not in written
    assert "⠋" not in written
    assert written.splitlines()[1] == "begin"
