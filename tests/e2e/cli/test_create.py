"""`jackstay create crew`, `jackstay create flow`, `jackstay flow add-crew`: what they write runs at once."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from jackstay.cli.creating import Names
from jackstay.cli.outcome import UsageError


@pytest.fixture
def folder(folder, monkeypatch):
    """As a person has it who has just installed Jackstay: no model is chosen."""
    del folder.environ["JACKSTAY_MODEL"]
    # What a command in this process reads from the project's .env is taken back at the end.
    monkeypatch.setenv("JACKSTAY_MODEL", "")
    monkeypatch.delenv("JACKSTAY_MODEL")
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] in ("boat_news", "tides")]:
        del sys.modules[name]


def own_tests_of(project: Path, name: str, monkeypatch):
    """The created project's own test, to be called."""
    monkeypatch.syspath_prepend(str(project / "src"))
    importlib.invalidate_caches()
    spec = importlib.util.spec_from_file_location(name, project / "tests" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.promise("cli.create.crew")
def test_a_created_crew_runs_and_can_be_replayed_with_its_two_commands(
    folder, jackstay_make_runtime, monkeypatch, tmp_path
):
    created = folder.here("create", "crew", "boat-news")
    project = folder.path / "boat_news"
    folder.path = project

    ended = folder.run("run", "-i", "topic=kites")
    monkeypatch.chdir(project)
    tasks = json.loads(folder.here("log-tasks-outputs", "--json").stdout)
    replayed = folder.run("replay", "-t", "article")

    assert (created.exit_code, created.stdout) == (0, "  cd boat_news\n  jackstay run\n")
    assert (ended.returncode, ended.stderr) == (0, "model: sim/demo for every agent (JACKSTAY_MODEL)\n")
    assert "kites" in ended.stdout
    assert (project / "output" / "article.md").read_text(encoding="utf-8") == ended.stdout.removesuffix("\n")
    assert "article" in json.dumps(tasks)
    assert (replayed.returncode, replayed.stdout) == (0, ended.stdout)

    own = own_tests_of(project, "test_crew", monkeypatch)
    own.test_the_tool_counts_words()
    own.test_the_crew_writes_on_its_topic(jackstay_make_runtime, monkeypatch, tmp_path)


@pytest.mark.promise("cli.create.flow")
@pytest.mark.promise("cli.flow.kickoff")
@pytest.mark.promise("cli.flow.add_crew")
def test_a_created_flow_runs_from_within_and_takes_another_crew(folder, jackstay_make_runtime, monkeypatch):
    assert folder.here("create", "flow", "Tides").exit_code == 0
    project = folder.path / "tides"
    monkeypatch.chdir(project / "src" / "tides")

    added = folder.here("flow", "add-crew", "second look")
    again = folder.here("flow", "add-crew", "second_look")
    folder.path = project / "src"
    ended = folder.run("flow", "kickoff")

    assert added.stdout.startswith("  from tides.crews.second_look.crew import SecondLookCrew\n")
    assert again.exit_code == 2
    assert (ended.returncode, ended.stderr) == (0, "model: sim/demo for every agent (JACKSTAY_MODEL)\n")
    assert "AI agents" in ended.stdout
    own = own_tests_of(project, "test_flow", monkeypatch)
    own.test_the_flow_publishes_an_article(jackstay_make_runtime)
    crew = importlib.import_module("tides.crews.second_look.crew").SecondLookCrew().crew()
    assert [task.name for task in crew.tasks] == ["write"]


def test_what_is_written_is_as_tidy_as_a_linter_wants(folder):
    for kind in ("crew", "flow"):
        folder.here("create", kind, f"tidy_{kind}")

    for arguments in (["check", "--isolated", "--select=E,F,I,UP,B"], ["format", "--check", "-q"]):
        ended = subprocess.run([sys.executable, "-m", "ruff", *arguments, "."], cwd=folder.path, capture_output=True)
        assert ended.returncode == 0, ended.stdout.decode()


def test_an_existing_folder_is_never_touched(folder):
    folder.write("boat_news/mine.txt", "mine")

    ended = folder.here("create", "crew", "Boat News")

    assert ended.exit_code == 2
    assert "boat_news is there already, and nothing of it was touched" in ended.stderr
    assert [path.name for path in folder.path.iterdir()] == ["boat_news"]
    assert [path.name for path in (folder.path / "boat_news").iterdir()] == ["mine.txt"]


def test_a_project_is_made_in_another_folder_or_not_at_all(folder):
    folder.write("elsewhere/note.txt", "")

    assert folder.here("create", "crew", "tides", "-o", "elsewhere").exit_code == 0
    assert folder.here("create", "crew", "boats", "-o", "elsewhere/note.txt").exit_code == 2

    assert sorted(path.name for path in (folder.path / "elsewhere").iterdir()) == ["note.txt", "tides"]


def test_who_has_a_key_is_not_given_the_simulated_model(folder):
    folder.environ["OPENAI_API_KEY"] = "sk-of-the-test-0123456789"

    ended = folder.here("create", "crew", "tides")

    text = (folder.path / "tides" / ".env").read_text(encoding="utf-8")
    assert "simulated" not in ended.stderr
    assert "\n# JACKSTAY_MODEL=sim/demo\n" in text
    assert "sk-of-the-test" not in text


def test_a_crew_is_added_to_a_project_only(folder):
    ended = folder.here("flow", "add-crew", "tides")

    assert ended.exit_code == 2
    assert "there has to be one src/<package>/main.py, and there is none" in ended.stderr


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("research", ("research", "ResearchCrew", "Research")),
        ("Market-research crew", ("market_research_crew", "MarketResearchCrew", "Market research crew")),
        ("crew", ("crew", "MyCrew", "Crew")),
    ],
)
def test_a_projects_names_follow_from_one(name, expected):
    names = Names.of(name, "crew")

    assert (names.package, names.class_name, names.title) == expected


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("2fast", "begins with a letter, and has only letters .* as fast"),
        ("", "is no name for a project"),
        ("résumé", "is no name for a project"),
        ("a/b", "is a path; NAME is one word, and --output-dir says"),
        ("../up", "is a path"),
        ("Class", "class is a word of Python's own; take another name, as class_crew"),
        ("json", "json is a module of Python's own library"),
        ("jackstay", "jackstay is a package that is installed here already"),
        ("$(rm)", "is no name for a project"),
        ("a\nb", "is no name for a project"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_one_that_can(name, said):
    with pytest.raises(UsageError, match=said):
        Names.of(name, "crew")
