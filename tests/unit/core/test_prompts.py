"""What agents are told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from jackstay.core import prompts
from jackstay.core.messages import OutputSchema, ToolSpec
from jackstay.core.specs import AgentSpec, ModelConfig, OutputSpec, TaskSpec

AGENT = AgentSpec("Analyst", "Find {x}", "An expert.", ModelConfig("m"))
TASK = TaskSpec("t", None, "Research bees", "A brief", AGENT)
TOOL = ToolSpec("search", "Searches.", {"type": "object", "properties": {"q": {"type": "string"}}})
SCHEMA = {"type": "object", "properties": {"ä": {"type": "integer"}}}


@pytest.mark.promise("agent.role", "agent.goal", "agent.backstory")
def test_the_identity_is_role_backstory_and_goal() -> None:
    assert prompts.system_text(AGENT) == "You are Analyst. An expert.\nYour personal goal is: Find {x}"


def test_a_task_says_description_expected_output_and_context() -> None:
    text = prompts.task_text(TASK, "bees fly")

    assert text.startswith("Current Task: Research bees\n")
    assert "expected criteria for your final answer: A brief" in text
    assert text.endswith("\n\nThis is the context you're working with:\nbees fly")


def test_without_context_nothing_is_said_of_one() -> None:
    assert "context" not in prompts.task_text(TASK, "")


@pytest.mark.promise("task.markdown")
def test_date_markdown_and_schema_are_said_when_wanted() -> None:
    output = OutputSpec(OutputSchema("Out", SCHEMA), json.loads, "json", dict, dict)
    text = prompts.task_text(replace(TASK, markdown=True, output=output), "", today="2026-11-22")

    assert "Current Date: 2026-11-22" in text
    assert "Markdown" in text
    assert json.dumps(SCHEMA, ensure_ascii=False) in text


def test_opening_has_a_system_and_a_user_message() -> None:
    assert [message.role for message in prompts.opening(AGENT, "do it")] == ["system", "user"]


@pytest.mark.promise("agent.use_system_prompt")
def test_without_a_system_prompt_all_is_one_user_message() -> None:
    (only,) = prompts.opening(replace(AGENT, use_system_prompt=False), "do it")

    assert only.role == "user"
    assert only.content == f"{prompts.system_text(AGENT)}\n\ndo it"


@pytest.mark.promise("agent.system_template", "agent.prompt_template")
def test_templates_surround_the_texts() -> None:
    agent = replace(AGENT, system_template="<s>{{ .System }}</s>", prompt_template="<u>{{.Prompt}}</u>")
    system, user = prompts.opening(agent, "do it")

    assert system.content == f"<s>{prompts.system_text(AGENT)}</s>"
    assert user.content == "<u>do it</u>"


def test_tools_in_text_are_named_with_their_schema() -> None:
    text = prompts.system_text(AGENT, (TOOL, replace(TOOL, name="add")))

    assert '- search: Searches. Arguments (JSON Schema): {"type": "object"' in text
    assert "one of search, add" in text
    assert "Action Input:" in text


def test_braces_in_a_tools_description_do_no_harm() -> None:
    assert "{weird}" in prompts.react_text([replace(TOOL, description="Takes {weird}.")])


def test_an_unfit_answer_is_told_what_is_wrong() -> None:
    assert "age: must be positive" in prompts.unfit_output_text("age: must be positive")
