"""A journal per test, and a project whose YAML files a test writes."""

from __future__ import annotations

import importlib.util
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jackstay import Runtime

AGENTS = """
analyst:
  role: Analyst of {topic}
  goal: Know it all
  backstory: >
    An expert.
  llm: model
  tools: [search]
writer:
  role: Writer
  goal: Say it well
  backstory: Brief.
  llm: model
"""
TASKS = """
research:
  description: Research {topic}
  expected_output: Facts
  agent: analyst
write:
  description: Write about {topic}
  expected_output: A text
  agent: writer
  context: [research]
"""
PROJECT = """
from jackstay import Agent, Crew, Task
from jackstay.project import CrewBase, agent, crew, llm, task, tool
from jackstay.testing import ScriptedModel
from jackstay.tools import tool as as_tool

MODEL = ScriptedModel()

@as_tool
def look_up(query: str) -> str:
    "Finds facts."
    return "facts"

@CrewBase
class Articles:
    @agent
    def writer(self) -> Agent:
        return Agent(config=self.agents_config["writer"])

    @agent
    def analyst(self) -> Agent:
        return Agent(config=self.agents_config["analyst"])

    @task
    def research(self) -> Task:
        return Task(config=self.tasks_config["research"])

    @task
    def write(self) -> Task:
        return Task(config=self.tasks_config["write"])

    @llm
    def model(self):
        return MODEL

    @tool
    def search(self):
        return look_up

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks)
"""


@pytest.fixture(autouse=True)
def runtime(jackstay_runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    monkeypatch.chdir(jackstay_runtime.folder)
    return jackstay_runtime


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Imports a project with these files, as a module of its own."""
    made: list[str] = []

    def make(source: str = PROJECT, *, agents: str | None = AGENTS, tasks: str | None = TASKS) -> Any:
        folder = tmp_path / f"project{len(made)}"
        (folder / "config").mkdir(parents=True)
        for name, text in (("agents", agents), ("tasks", tasks)):
            if text is not None:
                (folder / "config" / f"{name}.yaml").write_text(textwrap.dedent(text), encoding="utf-8")
        file = folder / "crew.py"
        file.write_text(textwrap.dedent(source), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(f"project_of_a_test_{len(made)}", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        made.append(spec.name)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    yield make
    for name in made:
        del sys.modules[name]
