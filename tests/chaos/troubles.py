"""What can happen to a journal's database while a run goes on, for real as far as a test may, and its repair."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import ClassVar, Protocol

from tests.chaos.processes import Child
from tests.postgres import OwnServer, Server


class Trouble(Protocol):
    url: str
    environ: ClassVar[dict[str, str]]
    """What the program has to know of it."""

    def begin(self, child: Child) -> None: ...

    def repair(self) -> None: ...


class SqliteTrouble:
    """The journal is alone in a folder."""

    environ: ClassVar[dict[str, str]] = {}

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "storage"
        self.folder.mkdir()
        self.url = f"sqlite:///{self.folder / 'journal.db'}"


class NoRoom(SqliteTrouble):
    """The write-ahead log cannot grow: the operating system refuses to make a file of this process longer."""

    def begin(self, child: Child) -> None:
        size = (self.folder / "journal.db-wal").stat().st_size
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def repair(self) -> None:
        """It ended with the process."""


class FolderAway(SqliteTrouble):
    """A drive that was unplugged."""

    def begin(self, child: Child) -> None:
        self.folder.rename(self.folder.with_name("elsewhere"))

    def repair(self) -> None:
        self.folder.with_name("elsewhere").rename(self.folder)


class FilesAway(SqliteTrouble):
    """Somebody moves the files; the folder is still there, and writable."""

    def begin(self, child: Child) -> None:
        elsewhere = self.folder.with_name("elsewhere")
        elsewhere.mkdir()
        for file in self.folder.iterdir():
            file.rename(elsewhere / file.name)

    def repair(self) -> None:
        for file in self.folder.iterdir():
            file.unlink()
        for file in self.folder.with_name("elsewhere").iterdir():
            file.rename(self.folder / file.name)


class FileAway(SqliteTrouble):
    """Of the three files only the one that has the name is moved."""

    def begin(self, child: Child) -> None:
        (self.folder / "journal.db").rename(self.folder.with_name("journal.db"))

    def repair(self) -> None:
        self.folder.with_name("journal.db").rename(self.folder / "journal.db")


class ReadOnlyFiles(SqliteTrouble):
    """Permissions are taken away; the program notices when it opens the files anew."""

    environ: ClassVar[dict[str, str]] = {"FORKS": "yes", "POWERLESS": "yes"}

    def begin(self, child: Child) -> None:
        for file in self.folder.iterdir():
            file.chmod(0o400)
        self.folder.chmod(0o500)

    def repair(self) -> None:
        self.folder.chmod(0o700)
        for file in self.folder.iterdir():
            file.chmod(0o600)


class PostgresTrouble:
    environ: ClassVar[dict[str, str]] = {}

    def __init__(self, server: Server, database: str) -> None:
        self.server, self.database = server, database
        self.url = server.url(database)


class ServerStopped(PostgresTrouble):
    """Stopped as by a crash, with every connection."""

    def begin(self, child: Child) -> None:
        assert isinstance(self.server, OwnServer)
        self.server.stop()

    def repair(self) -> None:
        assert isinstance(self.server, OwnServer)
        self.server.start()


class ReadOnlyDatabase(PostgresTrouble):
    """As after a failover to a standby: connections are ended, new ones may only read."""

    def begin(self, child: Child) -> None:
        self.server.execute(f"alter database {self.database} set default_transaction_read_only = on")
        self.server.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{self.database}'")

    def repair(self) -> None:
        self.server.execute(f"alter database {self.database} reset default_transaction_read_only")


class FullDatabase(PostgresTrouble):
    """Every new row is refused as PostgreSQL refuses it on a full disk (which a test cannot have)."""

    def begin(self, child: Child) -> None:
        self.server.execute(
            "create function no_room() returns trigger language plpgsql as "
            "$$ begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$",
            self.database,
        )
        for table in ("step", "reservation"):
            self.server.execute(
                f"create trigger no_room before insert on {table} execute function no_room()", self.database
            )

    def repair(self) -> None:
        self.server.execute("drop function no_room cascade", self.database)


SQLITE = (NoRoom, FolderAway, FilesAway, FileAway, ReadOnlyFiles)
POSTGRES = (ServerStopped, ReadOnlyDatabase, FullDatabase)
