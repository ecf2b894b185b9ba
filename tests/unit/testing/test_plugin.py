"""The pytest plugin: what a test leaves behind fails it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from jackstay import Flow, Runtime, start
from jackstay.testing.plugin import LeftBehind, leaks, own_runtime

TEST = """
    import threading
    import jackstay
    from jackstay import BaseLLM
    from jackstay.core.records import Lease, Reservation, RunRow, Write
    from datetime import datetime, UTC

    NOW = datetime.now(UTC)

    def test_clean(jackstay_runtime):
        assert jackstay_runtime.journal.path.exists()

    def test_lease(jackstay_runtime):
        jackstay_runtime.journal.create_run(RunRow("r1", "crew", "c", NOW)).result(10)

    def test_reservation(jackstay_runtime):
        journal = jackstay_runtime.journal
        journal.create_run(RunRow("r2", "crew", "c", NOW)).result(10)
        journal.write(Write(Lease("r2", 1), reservations=(Reservation("r2", "llm#1", 1, 1, 1, "m", NOW),))).result(10)

    def test_function(jackstay_runtime):
        jackstay_runtime.pool.submit(threading.Event().wait)
"""


def test_what_a_test_leaves_behind_fails_it(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["jackstay.testing.plugin"]')
    (tmp_path / "test_users.py").write_text(textwrap.dedent(TEST))

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=60", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )

    assert "4 passed, 3 errors" in done.stdout, done.stdout + done.stderr
    for told in (
        "Jackstay was left with the unreleased lease of crew run r1 (running)",
        "the open reservation r2:llm#1 (attempt 1)",
        "1 synchronous function(s) running",
    ):
        assert told in done.stdout


def test_the_plugin_loads_nothing_of_ours_before_a_test_asks() -> None:
    code = "import sys, jackstay.testing.plugin; print([m for m in sys.modules if m.startswith('jackstay')])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "['jackstay', 'jackstay.testing', 'jackstay.testing.plugin']"


def test_a_runtime_that_did_its_work_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Small(Flow):
        @start()
        async def begin(self) -> str:
            return "done"

    monkeypatch.setenv("JACKSTAY_RUN_KEY", "the developer's own")
    with own_runtime(tmp_path) as runtime:
        assert Small().kickoff() == "done"
        assert leaks(runtime) == []
        assert runtime.settings.run_key is None


def test_a_task_on_the_engine_loop_is_found(tmp_path: Path) -> None:
    import asyncio

    async def forgotten() -> None:
        await asyncio.sleep(60)

    with pytest.raises(LeftBehind, match=r"the task .*forgotten"), own_runtime(tmp_path) as runtime:
        leave_running(runtime, forgotten)


def leave_running(runtime: Runtime, work: object) -> None:
    runtime.engine_loop.submit(work)  # type: ignore[arg-type]
