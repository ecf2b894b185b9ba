"""Secrets in every place that can hold one, in one real run: looked for by their bytes in all that is left of it and all that
is shown of it."""

from __future__ import annotations

import base64
import json
import os
import re
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from typer.testing import CliRunner

from jackstay.cli.app import app
from jackstay.journal import from_url, upgrade
from jackstay.testing import Fault, Reply, Stub, StubRequest, tool_call
from tests import warm_python
from tests.e2e.tracing.receiver import Receiver

PROGRAM = Path(__file__).parents[1] / "programs" / "canaries.py"
CANARIES = {
    "NAMED_SECRET": "canary-Named/7f3a91bc",
    "VAULT_TOKEN": 'canary"Vault\\8e2b é',
    "CANARY_OF_KEY": "canary-Model-5d1c77",
    "CANARY_OF_HEADER": "canary-Header-66aa01",
    "CANARY_OF_WIRE": "canary-Wire-0192fe",
    "CANARY_OF_MCP": "canary-Stdio-44d0b2",
}
EXPORT, PASSWORD = "canary-Export-31ff00", "canary-Base-77c0de"
ALL = (*CANARIES.values(), EXPORT, PASSWORD)


def traces_of(canary: str) -> Iterator[bytes]:
    """A canary in all the ways in which it might be written, and its beginning in case that it was cut."""
    data = canary.encode()
    yield from (data, json.dumps(canary)[1:-1].encode(), quote(canary, safe="").encode(), canary.encode("utf-16-le"))
    yield re.sub(rb"[^a-z0-9]+", b"_", data.lower()).strip(b"_")
    yield re.sub("[^A-Za-z0-9]", lambda found: f"%{ord(found[0]):02X}", canary).encode()
    yield data[:11]
    for before in range(3):
        plain = base64.b64encode(bytes(before) + data)[-(-8 * before // 6) :][: len(data)]
        yield from (plain, plain.translate(bytes.maketrans(b"+/", b"-_")), plain.hex().encode())
    yield data.hex().encode()


def found_in(texts: Mapping[str, bytes]) -> list[str]:
    """Where a canary is, and what stands around it."""
    return [
        f"{place}: …{text[max(0, at - 90) : at + 60]!r}"
        for place, text in texts.items()
        for canary in ALL
        for form in traces_of(canary)
        if (at := text.lower().find(form.lower()) if form.isalnum() else text.find(form)) >= 0
    ]


def answer(request: StubRequest) -> Any:
    """A model that repeats what it should not, and does what its agent's tools allow."""
    if request.model == "gpt-4o-wrong":
        return Fault.http(401, f"Incorrect API key provided: {CANARIES['CANARY_OF_KEY']}")
    turn = sum(message.get("role") == "assistant" for message in request.body["messages"])
    steps = [
        tool_call("vault", code=CANARIES["VAULT_TOKEN"]),
        tool_call("jammed", code="1"),
        tool_call("note", text=CANARIES["CANARY_OF_HEADER"]),
    ]
    said = f"again: {CANARIES['CANARY_OF_KEY']} {CANARIES['CANARY_OF_HEADER']}"
    said = f"{said} {'.' * (62 - len(said))}{CANARIES['VAULT_TOKEN']}"  # where a summary is cut
    return steps[turn] if turn < len(steps) and request.body.get("tools") else Reply(said if turn > 3 else "no")


class Scene(SimpleNamespace):
    folder: Path
    environ: dict[str, str]
    receiver: Receiver

    def here(self, *arguments: str) -> bytes:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            ended = CliRunner(env=self.environ).invoke(app, list(arguments))
        assert ended.exit_code in (0, 1, 2), (arguments, ended.output)
        return ended.output.encode()

    def files(self) -> dict[str, bytes]:
        """Every file of the folder but the program's own `.env`."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file() and path.name != ".env"
        }


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("canaries")
    (folder / "jackstay.toml").write_text("[masking]\nentities = []\n")
    with Stub(answer) as stub, Receiver() as receiver:
        environ = {
            **{name: os.environ[name] for name in ("PATH", "VIRTUAL_ENV") if name in os.environ},
            **stub.environ(), **CANARIES, "HOME": str(folder), "OPENAI_API_KEY": "", "NOBODY": "http://127.0.0.1:9/",
            "JACKSTAY_LOG": "console", "JACKSTAY_LOG_FILE": "log.json", "JACKSTAY_LOG_CONTENT": "on", "JACKSTAY_LOG_LEVEL": "debug",
            "JACKSTAY_CONSOLE": "off", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{EXPORT}",
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true", "SOME_DATABASE_URL": f"postgresql://me:{PASSWORD}@h/d",
        }  # fmt: skip
        ended = warm_python.run([str(PROGRAM)], cwd=folder, env=environ)
        yield Scene(folder=folder, environ=environ, receiver=receiver, stub=stub, ended=ended)


def test_files_of_a_run_have_no_secret_while_it_writes_and_afterwards(scene):
    assert scene.ended.returncode == 0, scene.ended.stderr
    files = scene.files()

    assert "while it runs/jackstay.db-wal" in files
    assert found_in(files) == []


def test_rows_and_blobs_have_no_secret(scene):
    rows = dict(rows_of(scene.folder / ".jackstay" / "jackstay.db"))

    assert {"run", "step", "wait", "limiter", "reservation"} <= {place.partition(" ")[0] for place in rows}
    assert found_in(rows) == []


def test_streams_and_spans_have_no_secret(scene):
    spans = {f"span {span.name}": repr(span).encode() for span in scene.receiver.spans}

    assert len(spans) > 10
    assert "vault" in repr(list(spans))
    assert found_in({"stdout": scene.ended.stdout.encode(), "stderr": scene.ended.stderr.encode(), **spans}) == []
    assert found_in({str(at): body for at, body in enumerate(scene.receiver.bodies)}) == []


def test_nothing_that_is_shown_has_a_secret(scene):
    runs = json.loads(scene.here("runs", "--json"))
    flow = next(run["id"] for run in runs if run["kind"] == "flow" and run["state"] == "failed")
    shown = {
        " ".join(command): scene.here(*command)
        for command in [
            ["runs"], ["runs", "--json"], ["usage", "--by", "agent"], ["usage", "--by", "task", "--csv"], ["waits", "--json"],
            ["log-tasks-outputs"], ["log-tasks-outputs", "--json"], ["limits", "--json"], ["checkpoint", "list"],
            *([view, flow, *how] for view, how in VIEWS), ["export", "otlp", flow], ["replay", f"{flow}/nothing"],
        ]
    }  # fmt: skip

    assert (scene.folder / "run.html").stat().st_size > 10_000
    assert found_in({**shown, **scene.files()}) == []
    assert found_in({str(at): body for at, body in enumerate(scene.receiver.bodies)}) == []


VIEWS = [
    ("why", ()), ("why", ("--json",)), ("show", ("--html", "run.html")),
    *(("show", (how,)) for how in ("--tree", "--timeline", "--messages", "--json", "--mermaid", "--markdown")),
]  # fmt: skip


def rows_of(database: Path) -> Iterator[tuple[str, bytes]]:
    """Every value of every table; blobs as they are when they are read."""
    with sqlite3.connect(database) as connection:
        for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
            for number, row in enumerate(connection.execute(f"select * from {table}")):
                yield f"{table} {number}", b"|".join(map(_bytes, row))


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        return str(value).encode("utf-8", "surrogatepass")
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value


@pytest.mark.postgres
def test_postgresql_has_no_secret(scene, postgres_database, postgres_server):
    upgrade(from_url(postgres_database))
    ended = warm_python.run(
        [str(PROGRAM)], cwd=scene.folder, env={**scene.environ, "JACKSTAY_DATABASE_URL": postgres_database}
    )
    database = postgres_database.partition("?")[0].rpartition("/")[2]
    tables = postgres_server.execute("select tablename from pg_tables where schemaname = 'public'", database)
    rows = {
        f"{table} {number}": b"|".join(map(_bytes, row))
        for (table,) in tables
        for number, row in enumerate(postgres_server.execute(f"select * from {table}", database))
    }

    assert ended.returncode == 0, ended.stderr
    assert any(place.startswith("wait ") for place in rows)
    assert found_in(rows) == []
