"""`show` in its views, `tail`, `runs` and `why`, over runs made in this process."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from jackstay import LLM, Flow, Runtime, start
from jackstay.cli.app import app
from jackstay.cli.masked import mask_of
from jackstay.cli.tailing import follow
from jackstay.core.records import RunFilter
from jackstay.testing import ScriptedModel, tool_call
from jackstay.tools import tool
from tests.unit.crew.building import agent, crew, one_task, task

HOSTILE = "</script><script>alert(1)</script> <img src=x onerror=alert(2)> & \"quoted\" 'too' </pre>"
SECRET = "sk-proj-abcdefghijklmnop1234"
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def runtime(jackstay_runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    monkeypatch.chdir(jackstay_runtime.folder)
    monkeypatch.setenv("VAULT_PASSWORD", PASSWORD)
    return jackstay_runtime


@pytest.fixture
def jackstay(runtime):
    """The command line, on the test's journal."""

    def run(*arguments: str, code: int = 0) -> str:
        ended = CliRunner(env={"JACKSTAY_DATABASE_URL": runtime.journal.url}).invoke(app, list(arguments))
        assert ended.exit_code == code, ended.output
        return ended.stdout if code == 0 else ended.output

    return run


@pytest.fixture
def hostile(runtime) -> str:
    """A run whose every text means to be markup: prompt, answer, a tool's result, and the error that ends it."""

    @tool
    def look(name: str) -> str:
        """Looks it up."""
        return f"found {HOSTILE} {SECRET}"

    model = ScriptedModel(
        [tool_call("look", name=HOSTILE), f"answer {HOSTILE}", ValueError(f"broken {HOSTILE} {SECRET}")]
    )
    worker = agent(model, role=f"Analyst {HOSTILE}", tools=[look])
    with suppress(ValueError):
        crew(task(worker, f"Do {HOSTILE} with {PASSWORD}"), task(worker, "Again")).kickoff()
    return runtime.journal.runs(RunFilter())[0].id


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_html_is_one_masked_file_without_a_script_whatever_stands_in_the_run(runtime, jackstay, hostile):
    jackstay("show", hostile, "--html", "run.html")
    page = (runtime.folder / "run.html").read_text(encoding="utf-8")
    tags = _Tags()
    tags.feed(page)

    assert {tag for tag, _ in tags.found} <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "span", "section", "details", "summary"),
        *("table", "tr", "td", "th", "pre", "ul", "li", "dl", "dt", "dd", "br"),
    }
    assert not any(name.startswith("on") or name in ("src", "href") for _, given in tags.found for name in given)
    assert "default-src 'none'" in page
    assert SECRET not in page
    assert PASSWORD not in page
    assert page.count("&lt;script&gt;alert(1)") >= 5
    for heading in ("Why", "Timeline", "Cost", "Messages"):
        assert f"<h2>{heading}</h2>" in page
    assert "ValueError: broken" in page
    assert f"jackstay show {hostile[:13]}" in page


def test_html_that_cannot_be_written_says_where(jackstay, hostile):
    said = jackstay("show", hostile, "--html", "no/such/folder/run.html", code=2)

    assert "--html no/such/folder/run.html: it cannot be written (No such file or directory)" in said


def test_markdown_keeps_what_was_said_inside_its_fences(runtime, jackstay):
    one_task(ScriptedModel([f"```\n# not a heading {SECRET}\n````"])).kickoff()

    document = jackstay("show", "--markdown")

    assert "\n`````text\n```\n# not a heading <API_KEY>\n````\n`````" in document
    assert re.findall(r"^#+ .*", document, re.MULTILINE)[0] == "# crew crew: succeeded"


def test_messages_show_each_thing_once(jackstay, hostile):
    told = jackstay("show", hostile, "--messages")

    assert told.count(" user ") == 2
    assert told.count("look({") == 1
    assert told.count("tool look") == 1
    assert "✗ ValueError: broken" in told


def test_timeline_is_in_the_order_of_time_and_says_when(jackstay, hostile):
    lines = jackstay("show", hostile, "--timeline").splitlines()
    steps = [line for line in lines if "█" in line]

    assert [re.sub(r".*█ *", "", line).split(" ·")[0] for line in steps[1:4]] == [
        "✓ scripted",
        steps[2][steps[2].index("✓") :].split(" ·")[0],
        "✓ scripted",
    ]
    assert "✓ look(" in steps[2]
    assert all(re.match(r" *\+\d", line) for line in steps)


def test_a_long_error_takes_no_room_from_the_figures(jackstay):
    class Loud(Flow):
        @start()
        def inquire(self):
            LLM("sim/demo").call("Why?")
            raise ValueError("x" * 3000)

    class Around(Flow):
        @start()
        def begin(self):
            Loud(name="long" * 10).kickoff()

    with suppress(ValueError):
        Around().kickoff()

    [line] = [line for line in jackstay("show").splitlines() if "flow longlong" in line]
    assert re.search(r"xx…  +\d+m?s  +\d+  +\$0\.\d+$", line), line
    assert len(line) <= 160


def test_one_step_is_shown_whole_and_one_that_is_not_there_lists_what_is(jackstay, hostile):
    shown = jackstay("show", hostile, "--step", "tool:look#1")
    as_json = json.loads(jackstay("show", hostile, "--step", "again#1/llm#1", "--json"))

    assert "found </script><script>alert(1)" in shown
    assert "tool look · succeeded" in shown
    assert as_json[0]["error"]["message"].startswith("broken")
    assert as_json[0]["messages"][-1]["role"] == "user"
    assert "several steps end so" in jackstay("show", hostile, "--step", "llm#1", code=2)
    assert "has no such step; it has:" in jackstay("show", hostile, "--step", "nowhere#1", code=2)


def test_two_views_at_once_are_refused(jackstay, hostile):
    assert "--timeline and --html: a run is shown in one view" in jackstay(
        "show", hostile, "--timeline", "--html", "x.html", code=2
    )


def test_why_of_the_latest_that_failed_is_text_and_json(jackstay, hostile):
    one_task(ScriptedModel(["fine"])).kickoff()

    told, body = jackstay("why"), json.loads(jackstay("why", "--json"))

    assert hostile in told
    assert "ValueError: broken" in told
    assert body["run"]["id"] == hostile
    assert body["step"] == "again#1/llm#1"
    assert body["chain"][-1]["error"]["type"] == "builtins:ValueError"
    assert any(command["text"].startswith("jackstay show") for command in body["commands"])


def test_why_says_so_when_every_run_has_succeeded(jackstay):
    one_task(ScriptedModel(["fine"])).kickoff()

    assert jackstay("why") == ""


def test_runs_are_found_by_state_crew_and_time_and_sorted_by_cost(runtime, jackstay):
    class Report(Flow):
        @start()
        def write(self):
            return one_task(LLM("sim/demo"), name="writers").kickoff().raw

    one_task(LLM("sim/demo"), "Say 300 words").kickoff()
    with suppress(ValueError):
        one_task(ScriptedModel([ValueError("x")])).kickoff()
    Report().kickoff()

    def found(*arguments: str) -> list[str]:
        return [run["name"] for run in json.loads(jackstay("runs", "--json", *arguments))]

    assert found("--status", "failed") == ["crew"]
    assert found("--status", "failed", "--status", "succeeded", "--since", "1h", "-n", "2") == ["Report", "crew"]
    assert found("--since", "2100-01-01") == []
    assert found("--crew", "writers") == []
    assert found("--crew", "crew") == ["Report", "crew", "crew"]
    assert found("--sort", "cost", "--status", "succeeded") == ["crew", "Report"]
    assert found("--status", "interrupted") == []
    assert "--status odd: a run is queued" in jackstay("runs", "--status", "odd", code=2)
    assert "--sort odd: by newest, cost" in jackstay("runs", "--sort", "odd", code=2)


def test_tail_prints_what_is_recorded_and_stops_with_the_run(runtime, jackstay, capsys):
    one_task(ScriptedModel(["fine"])).kickoff()
    row = runtime.journal.runs(RunFilter())[0]

    assert follow(runtime.journal, row).status == "succeeded"
    printed = capsys.readouterr().out
    assert jackstay("tail").splitlines() == printed.splitlines()
    assert re.search(r"✓ scripted.*\n.*✓ Analyst: do_it.*\nrun succeeded", printed)


def test_masking_knows_secrets_by_value_and_by_form():
    mask = mask_of({"MY_API_KEY": "abc12345xyz", "PATH": "/usr/bin:/bin", "SHORT_KEY": "abc"})

    assert mask("a abc12345xyz b") == "a [secret MY_API_KEY] b"
    assert mask("/usr/bin:/bin abc") == "/usr/bin:/bin abc"
    assert mask("Authorization: Bearer s3cr3t-t0ken, mail jo@example.org") == (
        "Authorization: Bearer <SECRET>, mail <EMAIL_ADDRESS>"
    )
