"""The disk is full, the database is gone or read-only, all in the middle of a run: it stops, and goes on afterwards."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jackstay.testing import Stub, StubRequest
from tests.chaos.crashes import Books, books, question
from tests.chaos.kills import wait_until_all_is_seen
from tests.chaos.processes import Child, Warm, child_environment
from tests.chaos.troubles import POSTGRES, SQLITE, NoRoom, ServerStopped, Trouble
from tests.postgres import ensure_postgres, own_server

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

KEY = "stubborn"
IN_A_CREW, SIDE_BY_SIDE = 3, 9
"""Numbers of requests: the second of the kickoff that is the first one to be caught; the second of three at once."""


@dataclass
class Breaking:
    """Answers as the simulated model; at request number `at` the trouble begins, before the answer."""

    trouble: Trouble
    at: int
    child: Future[Child] = field(default_factory=Future)

    async def answer(self, request: StubRequest) -> None:
        if request.index == self.at:
            self.trouble.begin(await asyncio.wrap_future(self.child))


@dataclass(frozen=True)
class Normal:
    result: dict[str, Any]
    questions: Counter[str]


@pytest.fixture(scope="session")
def normal(warm, tmp_path_factory) -> Normal:
    folder = tmp_path_factory.mktemp("stubborn")
    with Stub() as stub:
        child = started(warm, stub, folder, f"sqlite:///{folder / 'journal.db'}", {})
        assert child.wait() == 0, child.output
        return Normal(child.result, Counter(map(question, stub.requests)))


@pytest.fixture(params=SQLITE, ids=lambda kind: kind.__name__)
def sqlite_trouble(request, tmp_path) -> Trouble:
    if request.param is NoRoom and not hasattr(resource, "prlimit"):
        pytest.skip("only Linux limits the files of another process")
    made: Trouble = request.param(tmp_path)
    return made


@pytest.fixture(params=POSTGRES, ids=lambda kind: kind.__name__)
def postgres_trouble(request) -> Iterator[Trouble]:
    from jackstay.journal import from_url, upgrade

    ensure_postgres()
    if request.param is ServerStopped:
        with own_server() as server:
            upgrade(from_url(server.url()))
            yield ServerStopped(server, "postgres")
        return
    server = request.getfixturevalue("postgres_server")
    with server.database() as name:
        upgrade(from_url(server.url(name)))
        yield request.param(server, name)


@pytest.mark.parametrize("at", [IN_A_CREW, SIDE_BY_SIDE])
def test_run_on_sqlite_stops_though_its_program_catches_all_and_goes_on_after_the_repair(
    warm, normal, sqlite_trouble, tmp_path, at
):
    check(warm, normal, sqlite_trouble, tmp_path, at)


@pytest.mark.postgres
@pytest.mark.parametrize("at", [IN_A_CREW, SIDE_BY_SIDE])
def test_run_on_postgresql_stops_though_its_program_catches_all_and_goes_on_after_the_repair(
    warm, normal, postgres_trouble, tmp_path, at
):
    check(warm, normal, postgres_trouble, tmp_path, at)


def check(warm: Warm, normal: Normal, trouble: Trouble, folder: Path, at: int) -> None:
    breaking = Breaking(trouble, at)
    with Stub(breaking.answer) as stub:
        child = started(warm, stub, folder / "stopped", trouble.url, trouble.environ)
        breaking.child.set_result(child)
        assert child.wait() == 0, child.output
        wait_until_all_is_seen(stub)
        stopped, before = child.result, len(stub.requests)
        trouble.repair()
        at_repair = books(trouble.url, KEY)

        again = started(warm, stub, folder / "resumed", trouble.url, {})
        assert again.wait() == 0, again.output
        questions = Counter(map(question, stub.requests))

    check_stopped(stopped, before, at)
    check_books(at_repair, books(trouble.url, KEY), before, normal)
    assert again.result == normal.result
    # What no row answers is asked again, and nothing else.
    assert questions.total() == normal.questions.total() + before - at_repair.attempts
    assert not normal.questions - questions


def check_stopped(stopped: dict[str, Any], before: int, at: int) -> None:
    assert stopped["raised"] == "StorageUnavailable", stopped
    assert (
        "jackstay resume" in stopped["text"]
        or "JACKSTAY_DATABASE_URL" in stopped["text"]
        or "put the file back" in (stopped["text"])
    )
    assert set(stopped["told"]) == {"StorageUnavailable"}, "what the program caught"
    assert before == (at + 1 if at == IN_A_CREW else SIDE_BY_SIDE + 2), "requests after the trouble began"


def check_books(at_repair: Books, at_end: Books, before: int, normal: Normal) -> None:
    assert 0 <= before - at_repair.attempts <= at_repair.open
    assert (at_end.attempts, at_end.lost, at_end.open) == (normal.questions.total(), at_repair.open, 0)


def started(warm: Warm, stub: Stub, folder: Path, url: str, environ: dict[str, str]) -> Child:
    return warm.run(
        "stubborn", environ={**stub.environ(), "JACKSTAY_DATABASE_URL": url, **environ}, folder=folder, key=KEY
    )


SCRIPT = """
import resource
import subprocess
import sys
from pathlib import Path
from tests.programs.crew_of_five import crew_of
from jackstay.testing import FaultPoints

crew = crew_of(FaultPoints(), ("Survey",))
print(crew.kickoff({"topic": "tides"}).raw)
if not Path("repaired").exists():
    size = Path(".jackstay/jackstay.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
for number in range(3):
    try:
        print(crew.kickoff({"topic": f"sea {number}"}).raw)
    except Exception as error:
        print("caught", type(error).__name__)
"""


def test_script_that_catches_everything_fails_all_the_same_and_is_resumed(tmp_path):
    (tmp_path / "program.py").write_text(SCRIPT)
    (tmp_path / "pyproject.toml").touch()
    with Stub() as stub:
        environ = child_environment(stub.environ())

        def jackstay(*words: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "jackstay", *words]
            return subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60)

        stopped = jackstay("run", "program.py")
        before = len(stub.requests)
        (tmp_path / "repaired").touch()
        again = jackstay("resume")
        after = len(stub.requests)

    assert (stopped.returncode, stopped.stdout.count("caught StorageUnavailable")) == (5, 3), stopped.stderr
    assert "free space on that disk" in stopped.stderr
    assert (again.returncode, "caught" in again.stdout) == (0, False), again.stderr
    # Two requests in each of the four kickoffs; what the first of those that were caught asked at most, once more.
    assert before in (2, 3)
    assert after in (8, 9)
