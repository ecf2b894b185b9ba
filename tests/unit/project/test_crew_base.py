"""`@CrewBase` and its decorators."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from jackstay import Agent, Crew, Task
from jackstay.errors import DefinitionError
from jackstay.project import (
    CrewBase,
    after_kickoff,
    agent,
    before_kickoff,
    cache_handler,
    callback,
    crew,
    llm,
    output_json,
    output_pydantic,
    task,
    tool,
)
from jackstay.testing import ScriptedModel
from jackstay.tools import tool as as_tool

ANALYST = {"role": "Analyst", "goal": "Know it all", "backstory": "An expert."}
RESEARCH = {"description": "Research {topic}", "expected_output": "Facts"}


@as_tool
def look_up(query: str) -> str:
    """Finds facts."""
    return "facts"


def one_task(of_agent: Any = None, of_task: Any = None) -> Any:  # noqa: C901 - a class with many small methods
    """A project of one agent and one task; what is given stands in its sections, too."""

    @CrewBase
    class Small:
        agents: list[Agent]
        tasks: list[Task]
        agents_config: ClassVar[Any] = {"analyst": {**ANALYST, **(of_agent or {})}}
        tasks_config: ClassVar[Any] = {"research": {**RESEARCH, "agent": "analyst", **(of_task or {})}}
        heard: Any = None

        def __init__(self, model: ScriptedModel) -> None:
            self.said = model
            self.heard = []

        @llm
        def model(self) -> ScriptedModel:
            return self.said

        @tool
        def search(self) -> Any:
            return look_up

        @tool
        def several(self) -> Any:
            return [look_up, look_up]

        @callback
        def note(self, output: Any) -> None:
            self.heard.append(getattr(output, "raw", "a step"))

        @callback
        def shout(self) -> Any:
            return lambda output: self.heard.append(output.raw.upper())

        @callback
        async def await_it(self, output: Any) -> None:
            self.heard.append("awaited")

        @cache_handler
        def cache(self) -> Any:
            return object()

        @output_json
        class AsJson(BaseModel):
            year: int

        @output_pydantic
        class AsModel(BaseModel):
            year: int

        def is_short(self, output: Any) -> tuple[bool, Any]:
            return (len(output.raw) < 20, output.raw if len(output.raw) < 20 else "too long")

        @agent
        def analyst(self) -> Agent:
            return Agent(llm=self.said, config=self.agents_config["analyst"])

        @task
        def research(self) -> Task:
            return Task(config=self.tasks_config["research"])

        @crew
        def crew(self) -> Crew:
            return Crew(agents=self.agents, tasks=self.tasks)

    return Small


@pytest.mark.promise("around.crew_base")
def test_a_projects_crew_runs_its_methods_agents_and_tasks_in_the_order_of_definition(project) -> None:
    module = project()
    module.MODEL.add("Facts about tides", "A text about tides")

    articles = module.Articles()
    output = articles.crew().kickoff(inputs={"topic": "tides"})

    assert output.raw == "A text about tides"
    assert [each.role for each in articles.agents] == ["Writer", "Analyst of {topic}"]
    assert [each.name for each in articles.tasks] == ["research", "write"]
    assert [call.system.splitlines()[0] for call in module.MODEL.calls] == [
        "You are Analyst of tides. An expert.",
        "You are Writer. Brief.",
    ]
    assert "Facts about tides" in module.MODEL.calls[1].last_user


@pytest.mark.promise("around.crew_base")
def test_its_methods_are_called_once_per_object(project) -> None:
    articles = project().Articles()

    assert articles.analyst() is articles.analyst()
    assert articles.crew() is articles.crew()
    assert articles.crew().tasks[1].context == [articles.research()]
    assert type(articles)().analyst() is not articles.analyst()


def test_threads_that_ask_at_once_get_one_object() -> None:
    small, barrier, made = one_task()(ScriptedModel()), threading.Barrier(8), []

    def ask() -> None:
        barrier.wait(10)
        made.append(small.crew())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(made) == 8
    assert len({id(each) for each in made}) == 1


def test_methods_with_arguments_are_called_once_for_each() -> None:
    class Models:
        @llm
        def model(self, name: Any = "a") -> Any:
            return object()

    models = Models()

    assert models.model("a") is models.model("a")
    assert models.model("a") is not models.model(name="b")
    assert models.model([]) is not models.model([])


def test_an_object_that_is_not_used_any_more_is_gone_with_all_it_has_made() -> None:
    project = one_task()
    made = [project(ScriptedModel()) for _ in range(20)]
    left = [weakref.ref(each) for each in [*made, *(one.crew() for one in made), *(one.analyst() for one in made)]]

    del made
    gc.collect()

    assert [ref for ref in left if ref() is not None] == []


def test_the_crew_is_called_as_its_class_is() -> None:
    assert one_task()(ScriptedModel()).crew().name == "Small"

    class Named:
        @crew
        def crew(self) -> Crew:
            worker = Agent(**ANALYST)
            return Crew(name="mine", agents=[worker], tasks=[Task(**{**RESEARCH, "agent": worker})])

    assert Named().crew().name == "mine"


@pytest.mark.promise("around.crew_base")
def test_callbacks_around_kickoffs_are_its_methods() -> None:
    class Around(one_task()):  # type: ignore[misc]
        @before_kickoff
        def add_topic(self, inputs: dict[str, Any]) -> dict[str, Any]:
            return {**inputs, "topic": "kites"}

        @after_kickoff
        def keep(self, output: Any) -> Any:
            self.heard.append(output.raw)
            return output

    model = ScriptedModel(["Facts", "More facts"])
    around = Around(model)
    around.crew().kickoff(inputs={"topic": "tides"})
    around.crew().kickoff(inputs={})

    assert around.heard == ["Facts", "More facts"]
    assert ["Research kites" in call.last_user for call in model.calls] == [True, True]


@pytest.mark.promise("around.crew_base.yaml")
def test_names_in_its_sections_are_its_members() -> None:
    model = ScriptedModel(['{"year": 1969}'])
    agents = {"llm": "model", "tools": ["search", "several"], "step_callback": "note"}
    tasks = {"output_pydantic": "AsModel", "callback": "note", "callbacks": ["shout", "await_it"]}

    small = one_task(agents, tasks)(model)
    output = small.crew().kickoff(inputs={"topic": "the moon"})

    assert output.pydantic == small.AsModel(year=1969)
    assert small.heard == ["a step", '{"year": 1969}', '{"YEAR": 1969}', "awaited"]
    assert small.analyst().llm is model
    assert [each.name for each in small.analyst().tools] == ["look_up"] * 3
    assert small.analyst().step_callback == small.note


@pytest.mark.promise("around.crew_base.yaml")
def test_a_guardrail_is_a_method_or_words() -> None:
    model = ScriptedModel(["Facts that are far too many to read", "Few facts"])

    output = one_task(of_task={"guardrail": "is_short"})(model).crew().kickoff(inputs={"topic": "tides"})

    assert output.raw == "Few facts"
    in_words = one_task(of_task={"guardrails": ["is_short", "Names no competitor"]})(model)
    assert in_words.research().guardrails == [in_words.is_short, "Names no competitor"]


def test_the_other_forms_of_output_are_members_too() -> None:
    small = one_task(of_task={"output_json": "AsJson"})(ScriptedModel())

    assert small.research().output_json is small.AsJson
    assert (
        one_task(of_task={"response_model": "AsJson"})(ScriptedModel()).research().response_model.__name__ == "AsJson"
    )


def test_a_cache_handler_is_accepted_as_agents_accept_it() -> None:
    with pytest.warns(UserWarning, match="cache_handler= is accepted and has no effect"):
        one_task(of_agent={"cache_handler": "cache"})(ScriptedModel()).analyst()


def test_a_subclass_inherits_methods_and_files_and_may_do_without_some(project) -> None:
    module = project()

    class Reports(module.Articles):  # type: ignore[misc, name-defined]
        def write(self) -> None:  # type: ignore[override]
            """Is no task any more."""

    assert [each.name for each in Reports().tasks] == ["research"]
    assert Reports().agents_config["writer"]["role"] == "Writer"


def test_agents_that_only_tasks_have_are_the_crews_as_well() -> None:
    class Other(one_task()):  # type: ignore[misc]
        @task
        def review(self) -> Task:
            return Task(**RESEARCH, agent=Agent(role="Reviewer", goal="G", backstory="B", llm=self.said))

    assert [each.role for each in Other(ScriptedModel()).agents] == ["Analyst", "Reviewer"]


def test_what_is_no_crew_and_what_needs_itself_is_said() -> None:
    class Wrong:
        @agent
        def forgetful(self) -> Any:
            Agent(role="Reviewer", goal="G", backstory="B")

        @task
        def other(self) -> Any:
            return self

        @crew
        def crew(self) -> Any:
            return "a crew"

    with pytest.raises(DefinitionError, match=r"Wrong\.crew is @crew and returned 'a crew', no Crew"):
        Wrong().crew()
    with pytest.raises(DefinitionError, match=r"Wrong\.forgetful is @agent and returned None, no Agent"):
        Wrong().forgetful()
    with pytest.raises(DefinitionError, match=r"Wrong\.other is @task and returned .*, no Task"):
        Wrong().other()

    class Circle(one_task(of_task={"context": ["review"]})):  # type: ignore[misc]
        @task
        def review(self) -> Task:
            return Task(**RESEARCH, context=[self.research()])

    # Known by the class's members, so the section itself is right.
    with pytest.raises(DefinitionError, match=r"Circle\.research needs itself: research → review → research"):
        Circle(ScriptedModel()).crew()


def test_a_callback_that_takes_nothing_and_returns_nothing_is_refused() -> None:
    class Silent(one_task(of_task={"callback": "quiet"})):  # type: ignore[misc]
        @callback
        def quiet(self) -> None:
            """Returns nothing."""

    with pytest.raises(DefinitionError, match="quiet takes nothing and returned None"):
        Silent(ScriptedModel()).research()


@pytest.mark.parametrize("given", [3, "crew"])
def test_only_classes_are_projects(given: Any) -> None:
    with pytest.raises(DefinitionError, match="above a class"):
        CrewBase(given)
