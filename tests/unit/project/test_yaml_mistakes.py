"""What is wrong in a project's YAML files is said when its object is made: file, line, key, and what to write instead."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from jackstay import Agent, Task
from jackstay.core.yaml_document import parse
from jackstay.errors import DefinitionError
from jackstay.project import CrewBase
from tests.unit.project.conftest import AGENTS, TASKS

MISTAKES = {
    "a key that is unknown": (
        AGENTS.replace("  goal: Say", "  gaol: Say"),
        TASKS,
        "config/agents.yaml, line 11: writer.gaol is nothing that an agent has; did you mean goal?",
    ),
    "a key of a task that is unknown": (
        AGENTS,
        TASKS.replace("  expected_output: A", "  expected: A"),
        "config/tasks.yaml, line 8: write.expected is nothing that a task has; did you mean expected_output?",
    ),
    "a value of the wrong type": (
        AGENTS.replace("  goal: Say it well", "  goal: 5"),
        TASKS,
        "config/agents.yaml, line 11: writer.goal is 5: Input should be a valid string",
    ),
    "a number that is out of range": (
        AGENTS + "  max_iter: 0\n",
        TASKS,
        "config/agents.yaml, line 14: writer.max_iter is 0: Input should be greater than or equal to 1",
    ),
    "an agent that no method makes": (
        AGENTS,
        TASKS.replace("agent: writer", "agent: wirter"),
        "config/tasks.yaml, line 9: write.agent is 'wirter', and Articles has no @agent of that name; did you mean writer?",
    ),
    "a task that no method makes": (
        AGENTS,
        TASKS.replace("[research]", "[research, summary]"),
        "config/tasks.yaml, line 10: write.context.1 is 'summary', and Articles has no @task of that name; there is research, write",
    ),
    "a tool that no method makes": (
        AGENTS.replace("[search]", "[serach]"),
        TASKS,
        "config/agents.yaml, line 8: analyst.tools.0 is 'serach', and Articles has no @tool of that name; did you mean search?",
    ),
    "a callback that is no method": (
        AGENTS,
        TASKS + "  callback: notify\n",
        "config/tasks.yaml, line 11: write.callback is 'notify', and Articles has no method of that name; there is ",
    ),
    "a form that is no member": (
        AGENTS,
        TASKS + "  output_pydantic: Report\n",
        "config/tasks.yaml, line 11: write.output_pydantic is 'Report', and Articles has no @output_pydantic of that name; there is none",
    ),
    "a list where one name stands": (
        AGENTS,
        TASKS.replace("agent: writer", "agent: [writer, analyst]"),
        "config/tasks.yaml, line 9: write.agent is a list; write one @agent",
    ),
    "a number where a name stands": (
        AGENTS,
        TASKS.replace("[research]", "[1]"),
        "config/tasks.yaml, line 10: write.context.0 is 1; write the name of @task",
    ),
    "a key that is there twice": (
        AGENTS + "  role: Another\n",
        TASKS,
        "config/agents.yaml, line 14: writer.role is there twice (line 10 has it, too); keep one of them",
    ),
    "a section that is there twice": (
        AGENTS + "analyst:\n  role: Another\n",
        TASKS,
        "config/agents.yaml, line 14: analyst is there twice (line 2 has it, too); keep one of them",
    ),
    "a section that is none": (
        AGENTS + "editor: careful\n",
        TASKS,
        "config/agents.yaml, line 14: editor is no section; write keys below it, as 'role: …' ('careful')",
    ),
    "a file that has no sections": (
        "- analyst\n- writer\n",
        TASKS,
        "config/agents.yaml: it has no sections; write a name",
    ),
    "a section that is a number": (
        "1:\n  role: R\n",
        TASKS,
        "config/agents.yaml: the section 1 has no name; write a word",
    ),
    "YAML that cannot be read": (
        AGENTS.replace("  goal: Say it well", "  goal: Say: it"),
        TASKS,
        "config/agents.yaml, line 11, column 12: mapping values are not allowed ",
    ),
    "a tab": (AGENTS + "\trole: R\n", TASKS, "config/agents.yaml, line 14, column 1: found"),
    "an object of Python's": (
        AGENTS.replace("goal: Say it well", "goal: !!python/object:os.system {}"),
        TASKS,
        "config/agents.yaml, line 11, column 9: could not determine a constructor for the tag",
    ),
    "a day that there is not": (
        AGENTS.replace("goal: Say it well", "goal: 2026-13-45"),
        TASKS,
        "config/agents.yaml: month must be in 1..12",
    ),
    "a character that no text has": (AGENTS + "# \x00\n", TASKS, "config/agents.yaml: "),
}


INCOMPLETE = {
    "a key that is missing": (
        AGENTS.replace("  goal: Say it well\n", "").replace("  backstory: Brief.\n", ""),
        TASKS,
        "config/agents.yaml, line 9: writer has no goal and no backstory; write 'goal: …' below it",
    ),
    "a value that the definition refuses": (
        AGENTS,
        TASKS + "  output_file: ../out.txt\n",
        "config/tasks.yaml, line 11: write.output_file is '../out.txt': output_file '../out.txt' leaves the working directory",
    ),
    "keys that do not go together": (
        AGENTS,
        TASKS + "  on_error: fallback\n",
        "config/tasks.yaml, line 6: write is not right: on_error='fallback' needs fallback=…",
    ),
}


@pytest.mark.promise("around.crew_base.yaml")
@pytest.mark.parametrize("mistake", INCOMPLETE)
def test_what_its_definition_finds_wrong_with_a_section_is_said_with_file_and_line(project, mistake: str) -> None:
    agents, tasks, said = INCOMPLETE[mistake]
    module = project(agents=agents, tasks=tasks)

    with pytest.raises(DefinitionError) as raised:
        module.Articles().crew()

    assert str(raised.value).startswith(said)


def test_what_is_given_beside_a_section_completes_it_and_has_mistakes_of_its_own(project) -> None:
    section = project(agents=AGENTS.replace("  goal: Say it well\n", "")).Articles().agents_config["writer"]

    assert Agent(config=section, goal="Say it").goal == "Say it"
    with pytest.raises(DefinitionError, match=r"^Agent: max_iter: Input should be greater"):
        Agent(config=section, goal="Say it", max_iter=0)


@pytest.mark.parametrize(
    ("value", "read"), [("{topic}", "{'topic': None}"), ("5", "5"), ("2030-01-01", "datetime.date")]
)
def test_a_text_that_yaml_takes_for_something_else_is_to_be_quoted(project, value: str, read: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        project(agents=AGENTS.replace("role: Writer", f"role: {value}")).Articles()

    assert str(raised.value).startswith(f"config/agents.yaml, line 10: writer.role is {read}")
    assert str(raised.value).endswith("Input should be a valid string; write it in quotes")


@pytest.mark.promise("around.crew_base.yaml")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_said_with_file_line_and_key_before_anything_is_asked(project, mistake: str) -> None:
    agents, tasks, said = MISTAKES[mistake]
    module = project(agents=agents, tasks=tasks)

    with pytest.raises(DefinitionError) as raised:
        module.Articles()

    assert str(raised.value).startswith(said)
    assert module.MODEL.calls == []


def test_a_named_file_has_to_be_there(project, tmp_path) -> None:
    @CrewBase
    class Named:
        agents_config = str(tmp_path / "no.yaml")

    with pytest.raises(DefinitionError, match=r"no\.yaml: there is no such file"):
        Named()


def test_a_file_that_is_no_text_is_said(tmp_path) -> None:
    (tmp_path / "agents.yaml").write_bytes(b"\xff\xfe\x00")

    @CrewBase
    class Binary:
        agents_config = str(tmp_path / "agents.yaml")

    with pytest.raises(DefinitionError, match=r"agents\.yaml: it cannot be read .*UTF-8"):
        Binary()


def test_a_file_that_nobody_named_need_not_be_there(project) -> None:
    module = project(agents=None, tasks=None)

    articles = module.Articles()

    assert len(articles.agents_config) == 0
    with pytest.raises(KeyError, match=r"config/agents\.yaml \(not in .*config\): there is no section 'writer'"):
        articles.writer()
    assert articles.agents_config.get("writer") is None


@pytest.mark.parametrize("given", [3, ["a"]])
def test_a_configuration_is_a_file_or_a_mapping(given: object) -> None:
    @CrewBase
    class Odd:
        agents_config = given

    with pytest.raises(DefinitionError, match=r"Odd\.agents_config is .*; name a YAML file, or give a mapping"):
        Odd()


def test_a_section_that_is_not_there_is_named_with_its_neighbours(project) -> None:
    articles = project().Articles()

    with pytest.raises(KeyError) as raised:
        articles.agents_config["writter"]

    assert str(raised.value) == "config/agents.yaml: there is no section 'writter'; did you mean writer?"


def test_anchors_and_notes_stand_in_sections_that_are_none(project) -> None:
    agents = AGENTS.replace("writer:\n", "writer:\n  <<: *common\n").replace("  llm: model\n", "")
    module = project(agents="x-common: &common\n  llm: model\n  max_iter: 4\n" + agents)

    articles = module.Articles()

    assert list(articles.agents_config) == ["analyst", "writer"]
    assert articles.writer().max_iter == 4
    assert articles.writer().llm is module.MODEL


def test_a_changed_file_is_read_again_by_the_next_object(project, tmp_path) -> None:
    module = project()
    before = module.Articles().writer().role
    file = tmp_path / "project0" / "config" / "agents.yaml"
    file.write_text(AGENTS.replace("role: Writer", "role: Novelist"), encoding="utf-8")

    assert (before, module.Articles().writer().role) == ("Writer", "Novelist")


def test_what_one_object_changes_in_its_sections_is_its_own(project) -> None:
    module = project()
    one, other = module.Articles(), module.Articles()

    one.agents_config["writer"]["role"] = "Novelist"

    assert (one.writer().role, other.writer().role) == ("Novelist", "Writer")


def test_values_of_a_mapping_may_be_objects() -> None:
    worker = Agent(role="R", goal="G", backstory="B")

    @CrewBase
    class Mapped:
        tasks_config: ClassVar[Any] = {"one": {"description": "D", "expected_output": "E", "agent": worker}}

    made = Task(config=Mapped().tasks_config["one"])

    assert made.agent is worker


def test_a_text_that_says_nothing_has_nothing() -> None:
    assert parse("# only a note\n", "f.yaml").content is None
    assert parse("a: &x [1]\nb: *x\n", "f.yaml").lines[("b",)] == 2
