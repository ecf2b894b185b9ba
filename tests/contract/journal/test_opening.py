"""Opening a database: made, migrated, refused."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect

from jackstay.errors import ConfigurationError, DatabaseTooNew, MigrationNeeded, MissingExtraError, StorageUnavailable
from jackstay.journal import Journal, from_url, locate, open_journal, upgrade
from jackstay.journal.database import Database, _refuse_orphaned_log
from jackstay.journal.schema import SCHEMA_VERSION
from tests.contract.journal.programs import in_processes, open_and_write
from tests.contract.journal.rows import TIMEOUT_S, Place, a_run, write_step
from tests.postgres import Server


def test_a_new_database_and_a_migrated_one_have_the_same_tables(sqlite_place: Place, tmp_path: Path) -> None:
    migrated = from_url(f"sqlite:///{tmp_path / 'migrated.db'}")
    upgrade(migrated)
    sqlite_place.open().close()

    assert _tables(sqlite_place.url) == _tables(str(migrated.url.render_as_string()))


# SQLite's expression indexes cannot be read back; the test above compares their SQL.
@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_migrations_make_the_tables_that_the_code_knows(place: Place) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from jackstay.journal.migrations import config
    from jackstay.journal.schema import VERSION_TABLE, metadata

    place.open().close()
    database = Database(from_url(place.url), busy_timeout_s=TIMEOUT_S)
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        differences = compare_metadata(context, metadata)
    database.close()

    assert [each for each in differences if "run_by_key" not in str(each)] == []
    assert ScriptDirectory.from_config(config()).get_current_head() == SCHEMA_VERSION


def test_an_old_sqlite_file_is_migrated_where_it_is_opened(sqlite_place: Place) -> None:
    # Before the first version, as Alembic says it. A later migration adds a file of the version before to this test.
    sqlite_place.execute("create table jackstay_version (version_num varchar(32) not null primary key)")

    with closing(sqlite_place.open()) as journal:
        journal.create_run(a_run()).result(TIMEOUT_S)

    assert sqlite_place.execute("select version_num from jackstay_version") == [(SCHEMA_VERSION,)]


def test_postgresql_is_migrated_only_when_asked(postgres_server: Server) -> None:
    with postgres_server.database() as name:
        location = from_url(postgres_server.url(name))
        with pytest.raises(MigrationNeeded, match=r"no tables of Jackstay yet.*`jackstay db upgrade`"):
            open_journal(location)

        assert upgrade(location) == (None, SCHEMA_VERSION)
        assert upgrade(location) == (SCHEMA_VERSION, SCHEMA_VERSION)
        open_journal(location).close()

        postgres_server.execute("update jackstay_version set version_num = '0000'", name)
        with pytest.raises(MigrationNeeded, match=f"version 0000, this Jackstay needs version {SCHEMA_VERSION}"):
            open_journal(location)


def test_a_newer_database_is_refused_and_both_versions_are_named(place: Place) -> None:
    place.open().close()
    place.execute("update jackstay_version set version_num = '9999'")

    for refused in (place.open, lambda: upgrade(from_url(place.url))):
        with pytest.raises(DatabaseTooNew, match=f"version 9999, .* up to {SCHEMA_VERSION}"):
            refused()


def test_eight_processes_open_a_new_database_at_once(place: Place) -> None:
    in_processes(open_and_write, [(place.url, number) for number in range(8)])

    with closing(place.open()) as journal:
        assert len(journal.find_runs("run-")) == 8


def test_the_file_and_its_folder_are_private_and_ignored_by_git(tmp_path: Path) -> None:
    journal = open_journal(locate({}, tmp_path))
    journal.create_run(a_run()).result(TIMEOUT_S)
    folder = tmp_path / ".jackstay"

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}

    journal.close()
    assert modes.pop(".gitignore")
    assert modes == {".jackstay": 0o700, "jackstay.db": 0o600, "jackstay.db-wal": 0o600, "jackstay.db-shm": 0o600}
    assert (folder / ".gitignore").read_text() == "*\n"


def test_durability_is_what_was_asked_for(sqlite_place: Place) -> None:
    found = {}
    for durability in ("normal", "full"):
        database = Database(from_url(sqlite_place.url, durability), busy_timeout_s=TIMEOUT_S)  # type: ignore[arg-type]
        with closing(database.write_connection()) as connection:
            found[durability] = connection.execute("pragma synchronous").fetchone()[0]
        database.close()

    assert found == {"normal": 1, "full": 2}


def test_in_memory_only_when_durability_is_off(tmp_path: Path) -> None:
    with closing(open_journal(locate({"JACKSTAY_DURABILITY": "off"}, tmp_path))) as journal:
        _write_and_read(journal)
        with closing(open_journal(locate({"JACKSTAY_DURABILITY": "off"}, tmp_path))) as other:
            assert other.run("run-1") is None

    assert (journal.path, journal.durability) == (None, "off")
    assert list(tmp_path.iterdir()) == []


def test_opening_a_sqlite_file_does_not_load_alembic(sqlite_place: Place) -> None:
    program = (
        "import sys; from jackstay.journal import from_url, open_journal\n"
        "for _ in range(2): open_journal(from_url(sys.argv[1])).close()\n"
        "print([name for name in ('alembic', 'psycopg') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", program, sqlite_place.url], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_a_file_system_without_wal_is_refused_with_the_remedy(sqlite_place: Place) -> None:
    with pytest.raises(StorageUnavailable, match=r"write-ahead log.*network drive.*JACKSTAY_DATABASE_URL"):
        open_journal(from_url(sqlite_place.url + "?vfs=unix-dotfile"))


def test_what_is_no_database_is_refused_with_path_and_remedy(sqlite_place: Place) -> None:
    sqlite_place.path.write_text("These are my notes, and no database.\n" * 100)

    with pytest.raises(StorageUnavailable, match=r"journal\.db cannot be used: file is not a database; .*move it away"):
        sqlite_place.open()

    assert sqlite_place.path.read_text().startswith("These are my notes")


def test_a_corrupt_database_is_refused_with_path_and_remedy(sqlite_place: Place) -> None:
    sqlite_place.open().close()
    content = bytearray(sqlite_place.path.read_bytes())
    content[100:4096] = b"\xff" * 3996
    sqlite_place.path.write_bytes(content)

    with pytest.raises(StorageUnavailable, match=r"journal\.db cannot be used: .*malformed.*\.recover"):
        sqlite_place.open()


def test_a_locked_database_is_refused_with_path_and_remedy(sqlite_place: Place) -> None:
    sqlite_place.execute("create table mine (id)")
    with closing(sqlite3.connect(sqlite_place.path, isolation_level=None)) as connection:
        connection.execute("begin exclusive")

        with pytest.raises(StorageUnavailable, match=r"journal\.db cannot be used: .*locked; another program"):
            sqlite_place.open(busy_timeout_s=0.05)


def test_a_read_only_database_is_refused_with_path_and_remedy(sqlite_place: Place) -> None:
    sqlite_place.open().close()

    with closing(open_journal(from_url(sqlite_place.url + "?mode=ro"))) as journal:
        assert journal.find_runs("run") == []
        with pytest.raises(StorageUnavailable, match=r"journal\.db cannot be used: .*readonly.*writable for this user"):
            journal.create_run(a_run()).result(TIMEOUT_S)


def test_another_programs_tables_are_not_touched(sqlite_place: Place) -> None:
    sqlite_place.execute("create table run (distance_km)")

    with pytest.raises(StorageUnavailable, match="table run already exists"):
        sqlite_place.open()

    assert sqlite_place.execute("select name from sqlite_master") == [("run",)]


def test_a_missing_driver_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'jackstay\[postgres\]'"):
        open_journal(from_url("postgresql://localhost/runs"))


def test_a_password_is_never_shown(postgres_server: Server) -> None:
    location = from_url("postgres://someone:hunter22@127.0.0.1:1/nowhere")

    with pytest.raises(StorageUnavailable) as caught:
        open_journal(location)

    text = str(caught.value)
    assert "someone:***@127.0.0.1:1/nowhere" in text
    assert "check that PostgreSQL is running" in text
    assert "hunter22" not in text + repr(caught.value.__cause__)


def test_a_database_that_is_no_database_of_ours_is_a_configuration_error() -> None:
    for address in ("mysql://host/db", "not an address", ""):
        with pytest.raises(ConfigurationError, match="JACKSTAY_DATABASE_URL"):
            from_url(address)


@pytest.fixture(autouse=True)
def _no_ci_umask() -> Iterator[None]:
    """Modes are promised under the most generous umask, too."""
    before = os.umask(0)
    yield
    os.umask(before)


def _write_and_read(journal: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    write_step(journal, lease, "a#1")
    assert [step.path for step in journal.steps("run-1")] == ["a#1"]


def _tables(url: str) -> dict[str, object]:
    """What SQLite has, without the layout of the SQL that made it."""
    database = Database(from_url(url), busy_timeout_s=TIMEOUT_S)
    with database.reading() as connection:
        shape = inspect(connection)
        columns = {
            table: [(c["name"], str(c["type"]), c["nullable"]) for c in shape.get_columns(table)]
            for table in shape.get_table_names()
        }
        rows = connection.exec_driver_sql("select name, sql from sqlite_master").all()
    database.close()
    return {
        "columns": columns,
        "sql": {name: "".join((sql or "").lower().replace('"', "").split()) for name, sql in rows},
    }


def test_a_log_that_its_last_process_deletes_meanwhile_is_no_failure(tmp_path: Path) -> None:
    path, log, over = tmp_path / "journal.db", tmp_path / "journal.db-wal", threading.Event()
    path.touch()

    def open_and_close() -> None:
        while not over.is_set():
            log.write_bytes(b"commits")
            log.unlink()

    other, usual_s = threading.Thread(target=open_and_close), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # the two take turns after every look
    other.start()
    try:
        for _ in range(5_000):
            _refuse_orphaned_log(path)
    finally:
        sys.setswitchinterval(usual_s)
        over.set()
        other.join()
