"""`config=` of agents and tasks, `response_model`, copies and keys of agents."""

from __future__ import annotations

import hashlib

import pytest
from pydantic import BaseModel

from jackstay import Agent, Task
from jackstay.errors import DefinitionError
from jackstay.testing import ScriptedModel
from tests.unit.crew.building import agent, crew, task

ROLE = {"role": "Analyst", "goal": "Know it all", "backstory": "An expert."}


class Fact(BaseModel):
    year: int


@pytest.mark.promise("agent.config")
def test_an_agents_config_fills_in_what_was_not_given() -> None:
    made = Agent(config={**ROLE, "max_iter": 3, "a_note": "of the file"}, goal="Know more", llm=ScriptedModel())

    assert (made.role, made.goal, made.max_iter) == ("Analyst", "Know more", 3)


@pytest.mark.promise("task.config")
def test_a_tasks_config_counts_more_than_what_was_given() -> None:
    made = Task(config={"description": "From the file", "expected_output": "A brief"}, description="From the code")

    assert (made.description, made.expected_output) == ("From the file", "A brief")
    with pytest.raises(DefinitionError, match="descripton"):
        Task(config={"descripton": "d"}, description="d", expected_output="e")


@pytest.mark.parametrize("kind", [Agent, Task])
def test_a_config_is_a_mapping(kind: type[BaseModel]) -> None:
    with pytest.raises(DefinitionError, match="config= is a str; give a mapping"):
        kind(config="agents.yaml")


@pytest.mark.promise("task.response_model")
def test_response_model_is_the_form_of_the_answer() -> None:
    model = ScriptedModel(['{"year": "soon"}', '{"year": 1969}'])

    output = crew(task(agent(model), response_model=Fact)).kickoff()

    assert output.pydantic == Fact(year=1969)
    assert "year: " in model.calls[1].last_user


@pytest.mark.promise("task.response_model")
def test_output_json_decides_the_form_beside_response_model() -> None:
    output = crew(task(agent(ScriptedModel(['{"year": 1969}'])), response_model=Fact, output_json=Fact)).kickoff()

    assert output.json_dict == {"year": 1969}
    assert output.pydantic is None


@pytest.mark.promise("agent.copy")
def test_a_copy_of_an_agent_is_an_agent_of_its_own() -> None:
    made = agent(ScriptedModel(), mcps=["https://tools.example/mcp"])
    other = made.copy()

    other.goal = "Another"
    other.tools.append(print)
    assert other.mcps is not None
    other.mcps.clear()

    assert (made.goal, made.tools, made.mcps) == ("Know it all", [], ["https://tools.example/mcp"])
    assert other.id != made.id
    assert other.llm is made.llm


@pytest.mark.promise("agent.key")
def test_the_key_of_an_agent_is_crewais() -> None:
    assert Agent(**ROLE, llm=ScriptedModel()).key == hashlib.md5(b"Analyst|Know it all|An expert.").hexdigest()
