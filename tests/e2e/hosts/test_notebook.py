"""A notebook, executed by a real kernel: sync and awaited kickoffs, an interrupted cell, a class defined again."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from jackstay.testing import Stub
from tests.chaos.processes import ROOT
from tests.e2e.hosts.crews import answer

SETUP = """
import asyncio, os, warnings
warnings.simplefilter("ignore", RuntimeWarning)
from jackstay import Flow, start, listen
from jackstay.tools import tool
from tests.e2e.hosts.crews import crew_of
crew = crew_of(name="nb")
print(os.getpid())
"""

FLOW = """
class Greeting(Flow):
    @start()
    async def begin(self):
        return (await crew.akickoff({"topic": "%s"})).raw

    @listen(begin)
    def end(self, said):
        return said + "!"
print(Greeting().kickoff(), await Greeting().akickoff())
"""


# (ipykernel 7 does not pass an interrupt on to an awaiting cell, not even to one that awaits `asyncio.sleep`.)
CANCEL = """
task.cancel()
try:
    await task
except asyncio.CancelledError:
    print("cancelled")
"""


class Notebook:
    """Cells, executed one after the other in one kernel."""

    def __init__(self, client: NotebookClient) -> None:
        self._client = client

    def run(self, source: str) -> Any:
        """The cell after its execution."""
        cell = nbformat.v4.new_code_cell(source)
        self._client.nb.cells.append(cell)
        return self._client.execute_cell(cell, len(self._client.nb.cells) - 1)

    def printed(self, source: str) -> str:
        outputs = self.run(source).outputs
        assert not [one for one in outputs if one.output_type == "error"], outputs
        return "".join(one.text for one in outputs if one.output_type == "stream" and one.name == "stdout").strip()


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub(answer) as running:
        yield running


@pytest.fixture
def notebook(stub, tmp_path, monkeypatch) -> Iterator[Notebook]:
    for name, value in {
        **stub.environ(),
        "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }.items():
        monkeypatch.setenv(name, value)
    client = NotebookClient(
        nbformat.v4.new_notebook(),
        timeout=60,
        kernel_name="python3",
        allow_errors=True,
        resources={"metadata": {"path": str(tmp_path)}},
    )
    with client.setup_kernel():
        yield Notebook(client)


def test_notebook_runs_crews_and_flows_and_goes_on_after_an_interrupt(notebook, stub):
    pid = int(notebook.printed(SETUP))

    assert notebook.printed('print(crew.kickoff({"topic": "one"}).raw)') == "one"
    assert notebook.printed('print((await crew.akickoff({"topic": "two"})).raw)') == "two"
    assert notebook.printed(FLOW % "three") == "three! three!"
    assert notebook.printed(FLOW % "four") == "four! four!"  # the class defined again

    _interrupted(notebook, stub, pid, 'crew.kickoff({"topic": "held"})')
    assert notebook.printed('print(crew.kickoff({"topic": "five"}).raw)') == "five"
    assert notebook.printed('print((await crew.akickoff({"topic": "six"})).raw)') == "six"

    with stub.held():
        notebook.run('task = asyncio.ensure_future(crew.akickoff({"topic": "held"}))')
        stub.wait_for(lambda s: s.in_flight == 1)
        assert notebook.printed(CANCEL) == "cancelled"
    assert notebook.printed('print(crew.kickoff({"topic": "seven"}).raw)') == "seven"

    kept = (
        "from jackstay.engine.runtime import current_runtime as runtime\nfrom jackstay.core.records import RunFilter\n"
    )
    assert (
        notebook.printed(kept + "print([r.status for r in runtime().journal.runs(RunFilter())].count('cancelled'))")
        == "2"
    )


def _interrupted(notebook: Notebook, stub: Stub, pid: int, kick_off: str) -> None:
    """The cell is interrupted while its model call is in flight."""

    def interrupt() -> None:
        stub.wait_for(lambda s: s.in_flight == 1, timeout_s=30)
        os.kill(pid, signal.SIGINT)

    stub.hold()
    watcher = threading.Thread(target=interrupt, daemon=True)
    watcher.start()
    cell = notebook.run(kick_off)
    watcher.join(30)
    stub.wait_for(lambda s: s.in_flight == 0, timeout_s=5)
    stub.release()
    assert [one.ename for one in cell.outputs if one.output_type == "error"] == ["KeyboardInterrupt"]
