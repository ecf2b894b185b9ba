"""`input_files=`, which CrewAI's kickoffs take: a warning, where files are given, and the kickoff runs."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import pytest

from jackstay import Agent, Crew, Flow, Task, start
from jackstay.testing import ScriptedModel

pytestmark = pytest.mark.anyio
METHODS = ["kickoff", "kickoff_async", "akickoff"]
FILES = {"report": "report.pdf"}


def agent() -> Agent:
    return Agent(role="Reader", goal="Read", backstory="Exact.", llm=ScriptedModel(["read"] * 9))


def crew() -> Crew:
    reader = agent()
    return Crew(agents=[reader], tasks=[Task(description="Read it", expected_output="A line", agent=reader)])


class Reading(Flow):  # type: ignore[type-arg]
    @start()
    def read(self) -> str:
        return "read"


def _raw(result: Any) -> Any:
    return getattr(result[0] if isinstance(result, list) else result, "raw", result)


async def check(made: Any, method: str, given: Any) -> None:
    async def kicked_off(**files: Any) -> Any:
        result = getattr(made(), method)(given, **files)
        return await result if inspect.isawaitable(result) else result

    with pytest.warns(UserWarning, match=r"input_files= is accepted and has no effect") as told:
        assert _raw(await kicked_off(input_files=FILES)) == "read"
    assert [warning.filename for warning in told if warning.category is UserWarning] == [__file__]

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        await kicked_off(input_files={})
        await kicked_off(input_files=None)


@pytest.mark.promise("crew.input_files")
@pytest.mark.parametrize("each", ["", "_for_each"])
@pytest.mark.parametrize("method", ["kickoff{}", "kickoff{}_async", "akickoff{}"])
async def test_files_for_a_crew_are_a_warning(runtime, method, each):
    await check(crew, method.format(each), [{}] if each else None)


@pytest.mark.promise("agent.input_files")
@pytest.mark.parametrize("method", METHODS)
async def test_files_for_an_agent_are_a_warning(runtime, method):
    await check(agent, method, "Read it")


@pytest.mark.promise("flow.input_files")
@pytest.mark.parametrize("method", METHODS)
async def test_files_for_a_flow_are_a_warning(runtime, method):
    await check(Reading, method, None)
