"""Arguments that are refused until there is something behind them."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from jackstay import BaseAgent, Crew
from jackstay.crew import accepted
from jackstay.errors import DefinitionError
from jackstay.testing import ScriptedModel
from tests.unit.crew.building import agent, task


class Own(BaseAgent):
    def execute_task(self, task: Any, context: str | None = None, tools: Any = None) -> str:
        return "done"


def an_agent(**more: Any) -> Any:
    return agent(ScriptedModel(), **more)


def an_own_agent(**more: Any) -> Any:
    return Own(role="R", goal="G", backstory="B", **more)


def a_crew(**more: Any) -> Any:
    return Crew(agents=[], tasks=[task(an_agent())], **more)


@pytest.mark.parametrize("define", [an_agent, an_own_agent, a_crew])
@pytest.mark.parametrize("name", sorted(accepted.MEMORY))
def test_memory_and_knowledge_are_refused_with_the_release_that_brings_them(define: Any, name: str) -> None:
    with pytest.raises(DefinitionError, match=rf": {name}=: memory and knowledge come with Jackstay 0\.\d"):
        define(**{name: {"provider": "openai"} if name == "embedder" else [object()]})
    with pytest.raises(DefinitionError, match=f"{name}="):
        define(**{name: True})


@pytest.mark.parametrize("define", [an_agent, an_own_agent, a_crew])
@pytest.mark.parametrize("value", [None, False, []])
def test_what_asks_for_no_memory_is_accepted_without_a_word(define: Any, value: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        define(**dict.fromkeys(accepted.MEMORY, value))


def test_memory_in_a_config_is_refused_as_well() -> None:
    with pytest.raises(DefinitionError, match="memory="):
        an_agent(config={"memory": True})
