"""Names of people and places: Presidio and spaCy, or a function of the user's, find them; nothing that is told has them, and
nothing is looked at where runs are driven. The model is made here: none is downloaded."""

from __future__ import annotations

import html
import io
import json
import logging
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from jackstay import Runtime
from jackstay.cli.app import app
from jackstay.core.recognition import WITHHELD
from jackstay.core.records import RunFilter
from jackstay.engine.masked import Masked
from jackstay.engine.project_file import read_project_file
from jackstay.engine.recognisers import LoadedOnce
from jackstay.engine.script import script_run
from jackstay.errors import MissingExtraError
from jackstay.logs import json_formatter
from jackstay.testing import ScriptedModel, tool_call
from jackstay.tools import tool
from tests.e2e.tracing.receiver import Receiver
from tests.unit.crew.building import agent, crew, one_task, task

REPORTS = logging.getLogger("tests.recogniser")
SAID = "Ada Lovelace of Lisbon, Portuguese, built the Engine: ada@example.com"
SHOWN = "<PERSON> of <LOCATION>, Portuguese, built the Engine: <EMAIL_ADDRESS>"
"""Nobody asked for NRP; the model has a label that is no entity of ours."""


@tool
def look(topic: str) -> str:
    """Looks it up."""
    REPORTS.warning("asking %s", topic, extra={"whom": topic})
    return SAID


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A spaCy model that finds a few names, saved as users' models are."""
    import spacy  # a second that only these tests shall take

    nlp = spacy.blank("xx")  # of no language: English takes a quarter of a second each time that it is loaded
    names = {"PERSON": "Ada Lovelace", "GPE": "Lisbon", "NORP": "Portuguese", "PRODUCT": "Engine"}
    nlp.add_pipe("entity_ruler").add_patterns([{"label": label, "pattern": name} for label, name in names.items()])  # type: ignore[attr-defined]
    folder: Path = tmp_path_factory.mktemp("models") / "tiny"
    nlp.to_disk(folder)
    return folder


@dataclass
class Told:
    """What was told of two runs, of which one failed, wherever it is told."""

    lines: list[dict[str, Any]]
    texts: dict[str, str]
    stored: bytes

    def named(self, event: str, logger: str = "jackstay") -> list[dict[str, Any]]:
        return [line for line in self.lines if (line["event"], line["logger"]) == (event, logger)]


def telling(folder: Path, receiver: Receiver) -> dict[str, str]:
    """The environment in which all is told that can be."""
    return {
        "HOME": str(folder),
        "JACKSTAY_LOG_FILE": "run.json",
        "JACKSTAY_LOG_CONTENT": "on",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
    }


@pytest.fixture(scope="module")
def told(model, tmp_path_factory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(model, folder / "models" / "tiny")
    (folder / "jackstay.toml").write_text(
        "[masking]\nrecogniser = 'presidio'\nmodel = 'models/tiny'\nentities = ['EMAIL_ADDRESS', 'PERSON', 'LOCATION']\n"
    )
    log, out = folder / "run.json", io.StringIO()
    with pytest.MonkeyPatch.context() as patch, Receiver() as receiver:
        patch.chdir(folder)
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        runtime = Runtime(folder=folder, environ=telling(folder, receiver))
        with runtime, redirect_stdout(out):
            answers = ScriptedModel([tool_call("look", topic="Ada Lovelace"), f"In short: {SAID}"])
            asking = task(agent(answers, tools=[look]), "Ask {who}")
            crew(asking, name="Desk", verbose=True).kickoff(inputs={"who": "Ada Lovelace"})
            with suppress(ValueError):
                crew(task(agent(ScriptedModel([ValueError(f"not there: {SAID}")]))), verbose=True).kickoff()
            stored = {path: path.read_bytes() for path in folder.rglob("*.db*")}
            command = CliRunner(env={"JACKSTAY_DATABASE_URL": runtime.journal.url})
            failed, succeeded = (run.id for run in runtime.journal.runs(RunFilter()))
            report = command.invoke(app, ["show", failed, "--markdown"])
            page = command.invoke(app, ["show", succeeded, "--html", "run.html"])
        runtime.close()
        lived = len(receiver.bodies)
        content = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"}
        sent = [command.invoke(app, ["export", "otlp", run_id], env=content) for run_id in (failed, succeeded)]
        for each in (report, page, *sent):
            assert each.exit_code == 0, each.output
        yield Told(
            [json.loads(line) for line in log.read_text().splitlines()],
            {
                "log": log.read_text(),
                "verbose": out.getvalue(),
                "spans": b"".join(receiver.bodies[:lived]).decode(errors="replace"),
                "exported": b"".join(receiver.bodies[lived:]).decode(errors="replace"),
                "markdown": report.stdout.replace("\\", ""),
                "html": html.unescape((folder / "run.html").read_text()),
            },
            b"".join(stored.values()),
        )


@pytest.mark.parametrize("where", ["log", "verbose", "spans", "exported", "markdown", "html"])
def test_names_that_the_model_finds_are_told_nowhere(told, where):
    text = told.texts[where]

    for name in ("Lovelace", "Lisbon", "ada@example.com"):
        assert name not in text
    assert SHOWN in text
    assert ("not there: " in text) is (where != "html")
    assert b"Ada Lovelace of Lisbon" in told.stored


def test_log_has_what_was_said_masked_and_what_things_are_called_as_it_is(told):
    [record] = told.named("asking <PERSON>", "tests.recogniser")
    assert (record["whom"], record["agent"], record["tool"]) == ("<PERSON>", "Analyst", "look")
    [result] = told.named("tool_finished")
    assert result["result"] == SHOWN
    assert told.named("run_failed")[0]["error"] == f"not there: {SHOWN}"
    assert told.named("run_started")[0]["inputs"] == {"who": "<PERSON>"}
    assert not [line for line in told.lines if line["logger"] == "presidio-analyzer"]


FUNCTION = """
import asyncio, logging, re
ASKED = []

def find(text):
    try:
        asyncio.get_running_loop()
        ASKED.append("on a loop")
    except RuntimeError:
        ASKED.append("beside")
    logging.getLogger("tests.function").warning("looking at %s", text)
    if "boom" in text or "has raised" in text:
        raise ValueError(text)
    for match in re.finditer(r"Ada Lovelace|Jib|bob@example.com", text):
        yield *match.span(), {"J": "PROJECT", "b": "EMAIL_ADDRESS"}.get(match[0][0], "PERSON")

async def later(text):
    return []
"""


@pytest.fixture
def project(tmp_path, model, monkeypatch) -> Path:
    """A folder with a model, and a module of functions that nobody has imported yet."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "names_of_staff", raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)  # as of a program that is a script
    (tmp_path / "names_of_staff.py").write_text(FUNCTION)
    shutil.copytree(model, tmp_path / "tiny")
    damaged = shutil.copytree(model, tmp_path / "damaged")
    (damaged / "config.cfg").write_text("[nlp]\nlang = 'none'\n")
    return tmp_path


def test_function_that_fails_withholds_its_texts_with_one_warning_and_never_runs_where_runs_are_driven(
    project, capsys, monkeypatch
):
    section = "recogniser = 'names_of_staff:find'\nentities = ['PERSON']"
    (project / "jackstay.toml").write_text(f"[masking]\n{section}\n")
    said = "Ada Lovelace on Jib: bob@example.com"
    answers = ScriptedModel([tool_call("look", topic="boom Ada Lovelace"), tool_call("look", topic="boom"), said])

    with Receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        runtime = Runtime(folder=project, environ=telling(project, receiver))
        with runtime:
            result = crew(task(agent(answers, tools=[look])), name="Jib", verbose=True).kickoff()
            with suppress(ValueError):
                one_task(ScriptedModel([ValueError("Ada Lovelace")])).kickoff()
        runtime.close()
        assert receiver.spans

    log, printed = (project / "run.json").read_text(), capsys.readouterr().out
    lines = [json.loads(line) for line in log.splitlines()]
    assert result.raw == said
    assert "Lovelace" not in log + printed
    assert [line["result"] for line in lines if line["event"] == "task_finished"] == [
        "<PERSON> on <PROJECT>: bob@example.com"
    ]
    assert [line["whom"] for line in lines if line["logger"] == "tests.recogniser"] == [WITHHELD, WITHHELD]
    [warning] = [line["event"] for line in lines if "masking.recogniser" in line["event"]]
    assert warning.startswith("masking.recogniser has raised ValueError in ")
    assert "names_of_staff.py, line 13; <WITHHELD> stands for" in warning
    assert "boom" not in log
    assert {line["crew"] for line in lines if line["event"] == "task_finished"} == {"Jib"}  # a name stays what it is
    assert "<PERSON> on <PROJECT>" in printed
    assert not [line for line in lines if line["logger"] == "tests.function"]
    assert set(sys.modules["names_of_staff"].ASKED) == {"beside"}


PRESIDIO = "recogniser = 'presidio'"


@pytest.mark.parametrize(
    ("section", "says"),
    [
        (
            "entities = ['PERSON']",
            r"entities has 'PERSON', which no expression can find; set .*pip install 'jackstay\[pii",
        ),
        (
            f"{PRESIDIO}\nentities = ['PERSONS']",
            r"entities has 'PERSONS', .*and with a recogniser PERSON, LOCATION, NRP",
        ),
        (
            f"{PRESIDIO}\nentities = ['URL']",
            r"recogniser is set, and masking\.entities names nothing for it; name PERSON",
        ),
        (PRESIDIO, r"model is missing: which spaCy model looks, such as 'en_core_web_sm'"),
        (f"{PRESIDIO}\nmodel = 'xx_core_none'", r"model is 'xx_core_none'.* python -m spacy download xx_core_none"),
        (f"{PRESIDIO}\nmodel = './none'", r"model is './none', and there is no folder /.*/none"),
        (f"{PRESIDIO}\nmodel = '.'", r"model is '/.*', which is no spaCy model \(.*meta\.json: FileNotFoundError"),
        (f"{PRESIDIO}\nmodel = 'rich'", r"model is 'rich', which is no spaCy model"),
        (f"{PRESIDIO}\nmodel = 'damaged'", r"model is '/.*/damaged', which spaCy cannot load: "),
        (
            f"{PRESIDIO}\nmodel = 'tiny'\nentities = ['PERSON', 'ORGANIZATION']",
            r"model is 'tiny', whose labels \(GPE, NORP, PERSON, PRODUCT\) have none for ORGANIZATION; leave that out",
        ),
        ("model = 'tiny'", r"model is only for masking\.recogniser = 'presidio'"),
        ("recogniser = 'spacy'", r"recogniser is 'spacy'; write 'presidio', or module:function"),
        ("recogniser = 7", r"recogniser is 7; write 'presidio'"),
        ("recogniser = 'no_such_module:find'", r"'no_such_module:find', and cannot be imported: ModuleNotFoundError"),
        ("recogniser = 'names_of_staff:seek'", r"'names_of_staff:seek', and cannot be imported: AttributeError"),
        ("recogniser = 'names_of_staff:later'", r"'names_of_staff:later', which is no plain function"),
        ("recogniser = 'json.decoder:JSONDecoder'", r"'json.decoder:JSONDecoder', which is no plain function"),
        ("recogniser = '__main__:no_such_function'", r"'__main__:no_such_function', and cannot be imported: Attrib"),
    ],
)
def test_recogniser_that_cannot_be_used_is_refused_before_anything_is_spent(project, section, says):
    (project / "jackstay.toml").write_text(f"[masking]\n{section}\n")
    answers = ScriptedModel(["fine"])

    with Runtime(folder=project, environ={"HOME": str(project)}) as runtime:
        with pytest.raises(ValueError, match=says):
            one_task(answers).kickoff()
        with pytest.raises(ValueError, match=says):
            one_task(answers).kickoff_for_each([{}])
        with pytest.raises(ValueError, match=says), script_run(runtime, "main.py", entry={}):
            pass
        assert runtime.journal.runs(RunFilter()) == []

    assert answers.calls == []


def test_without_presidio_or_a_part_of_it_the_error_says_what_to_install(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    (project / "jackstay.toml").write_text(f"[masking]\n{PRESIDIO}\nmodel = 'tiny'\n")

    with pytest.raises(MissingExtraError, match=r"jackstay\.toml: masking\.recogniser .*pip install 'jackstay\[pii\]'"):
        Masked({}, read_project_file(project, {}))

    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "presidio_analyzer.nlp_engine", None)
    with pytest.raises(
        ValueError, match="is 'presidio', which cannot be loaded: ModuleNotFoundError: import of presidio"
    ):
        Masked({}, read_project_file(project, {})).load()


def test_model_may_be_an_installed_package_and_without_entities_all_of_its_labels_count(
    project, model, monkeypatch, caplog
):
    package = project / "site" / "xx_tiny"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from spacy.util import load_model_from_init_py\n\n"
        "def load(**given):\n    return load_model_from_init_py(__file__, **given)\n"
    )
    meta = json.loads((model / "meta.json").read_text()) | {"name": "tiny", "version": "1.0"}
    (package / "meta.json").write_text(json.dumps(meta))
    shutil.copytree(model, package / "xx_tiny-1.0")
    metadata = package.with_name("xx_tiny-1.0.dist-info") / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: xx_tiny\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(project / "site"))
    (project / "jackstay.toml").write_text(f"[masking]\n{PRESIDIO}\nmodel = 'xx_tiny'\n")

    masking = Masked({}, read_project_file(project, {})).now

    assert masking.whole({"Ada Lovelace": [f"{SAID} {'tides ' * 2000}Ada Lovelace", 7, None]}) == {
        "<PERSON>": [
            f"<PERSON> of <LOCATION>, <NRP>, built the Engine: <EMAIL_ADDRESS> {'tides ' * 2000}<PERSON>",
            7,
            None,
        ]
    }
    assert not caplog.records  # of labels that are no entity of ours


def test_formatter_for_hosts_masks_names_but_withholds_where_runs_are_driven(project):
    (project / "jackstay.toml").write_text("[masking]\nrecogniser = 'names_of_staff:find'\n")
    formatter = json_formatter()
    record = logging.makeLogRecord(
        {"name": "host", "levelno": 30, "levelname": "WARNING", "msg": "Ada Lovelace called"}
    )

    async def on_the_loop() -> str:
        return formatter.format(record)

    with Runtime(folder=project, environ={"HOME": str(project)}) as runtime:
        here = json.loads(formatter.format(record))
        there = json.loads(runtime.engine_loop.submit(on_the_loop).future.result(10))

    assert (here["event"], here["level"]) == ("<PERSON> called", "warning")
    assert (there["event"], there["logger"]) == (WITHHELD, "host")


def test_forked_child_does_not_wait_for_a_thread_of_its_parent():
    entered, leave, done = threading.Event(), threading.Event(), list[str]()

    def slow(text: str) -> list[tuple[int, int, str]]:
        if text == "slow":
            entered.set()
            leave.wait(10)
            done.append(text)
        return [(0, len(text), "PERSON")]

    recogniser = LoadedOnce(lambda: slow)
    thread = threading.Thread(target=recogniser, args=["slow"])
    thread.start()
    entered.wait(10)
    recogniser.forget_in_child()

    assert (recogniser("fast"), done) == ([(0, 4, "PERSON")], [])
    leave.set()
    thread.join()
