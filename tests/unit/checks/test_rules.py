"""Every rule finds the mistakes that are written down beside it, on their lines, and nothing in the solutions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jackstay.checks import RULES, LastRun, Program, Project, examine

HERE = Path(__file__).parent
MISTAKES = sorted((HERE / "mistakes").glob("*.py"))
SOLUTIONS = sorted((HERE / "solutions").glob("*.py"))
_MARK = re.compile(r"# finds: (?P<rule>[\w-]+)")


def found(text: str, **about) -> list[tuple[str, int]]:
    return [(each.rule, each.line) for each in examine(Project([Program("main.py", text)], **about))]


@pytest.mark.parametrize("file", MISTAKES, ids=lambda file: file.stem)
def test_mistake_is_named_where_it_stands_and_nothing_else(file):
    text = file.read_text(encoding="utf-8")
    lines = enumerate(text.splitlines(), 1)

    assert found(text) == [(mark["rule"], number) for number, line in lines for mark in _MARK.finditer(line)]


@pytest.mark.parametrize("file", SOLUTIONS, ids=lambda file: file.stem)
def test_nothing_is_found_in_a_solution(file):
    assert found(file.read_text(encoding="utf-8")) == []


def test_each_rule_has_a_mistake():
    marked = {mark["rule"] for file in MISTAKES for mark in _MARK.finditer(file.read_text(encoding="utf-8"))}

    assert marked == set(RULES) - {"last-run"}


def test_latest_run_tells_of_its_failure_of_loops_of_failing_tools_and_of_prices():
    run = LastRun(
        "01a2",
        "failed",
        tools={"send_mail": False, "look": False, "pay": True},
        failed_tools={"look": 3, "read": 1},
        calls={"research": 22, "write": 2},
        unpriced=("house/model",),
    )

    told = [each.why for each in examine(Project([Program("a.py", ""), Program("b.py", "")], last_run=run))]

    assert [text.partition("): ")[2] for text in told] == [
        "it has not succeeded (failed)",
        "the task 'research' took 22 model calls",
        "the tool 'look' failed 3 times, and the model was told each time",
        "the tool 'send_mail' was called and is not marked as acting",
        "the price of house/model is not known: what it costs is not counted, and a budget in money refuses it",
    ]


def test_program_that_has_run_may_ask_a_large_model():
    text = (HERE / "mistakes" / "large_model_first.py").read_text(encoding="utf-8")

    assert found(text, last_run=LastRun("01a2", "succeeded")) == []


def test_comment_takes_a_finding_back():
    secret = 'API_KEY = "8d0notreal11"'

    assert found(secret) == [("key-in-source", 1)]
    assert found(f"{secret}  # jackstay: ignore") == []
    assert found(f"{secret}  # jackstay: ignore[verbose, key-in-source]") == []
    assert found(f"{secret}  # jackstay: ignore[verbose]") == [("key-in-source", 1)]


def test_files_of_a_project_are_looked_at_together_and_its_settings_count():
    agents = Program("agents.py", (HERE / "mistakes" / "no_max_iter.py").read_text(encoding="utf-8"))
    main = Program("main.py", "from agents import crew\ncrew.kickoff(deadline_s=60)\n")

    assert [each.rule for each in examine(Project([agents]))] == ["unbounded-agent"] * 2
    assert examine(Project([agents, main])) == []
    assert examine(Project([agents], settings={"budgets": {}})) == []


def test_code_of_crewai_is_looked_at_alike_and_other_code_is_left_alone():
    for house, rules in (("crewai", ["unhandled-kickoff", "usage-ignored"]), ("football", [])):
        text = f"from {house} import Crew\nCrew(agents=[], tasks=[]).kickoff()\n"

        assert [rule for rule, _ in found(text)] == rules
