"""Promises about agents that no other test is named after."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import pytest

from jackstay import LLM, Agent, Crew, Task, __version__
from jackstay.cli.app import app
from jackstay.errors import DeadlineExceeded, GuardrailFailed, NoFinalAnswer
from jackstay.testing import ScriptedModel, Stub, tool_call
from jackstay.tools import tool
from tests.unit.crew.building import agent, crew, one_task, task


@tool
def count_up(number: int) -> int:
    """The next number."""
    return number + 1


def counting(call: Any) -> Any:
    return tool_call("count_up", number=call.index)


@pytest.mark.promise("agent.max_iter")
def test_an_agent_has_25_turns_and_one_call_more_for_its_answer() -> None:
    model = ScriptedModel([counting] * 25 + ["at last"])

    assert one_task(model, agent_fields={"tools": [count_up]}).kickoff().raw == "at last"
    assert len(model.calls) == 26

    model = ScriptedModel(default=counting)
    with pytest.raises(NoFinalAnswer, match="max_iter=25"):
        one_task(model, agent_fields={"tools": [count_up]}).kickoff()
    assert len(model.calls) == 26


@pytest.mark.promise("agent.max_execution_time")
def test_an_agents_time_ends_a_tool_that_is_waiting() -> None:
    ended = threading.Event()

    @tool
    def wait() -> str:
        """Waits."""
        ended.wait(20)
        return "too late"

    model = ScriptedModel([tool_call("wait"), "the answer"])

    with pytest.raises(DeadlineExceeded) as caught:
        one_task(model, agent_fields={"tools": [wait], "max_execution_time": 1.5}).kickoff()
    ended.set()

    assert isinstance(caught.value, TimeoutError)
    assert len(model.calls) == 1


@pytest.mark.promise("agent.llm")
def test_a_dict_is_a_model() -> None:
    with Stub() as stub:
        stub.script(["from the stub"])
        given = {"model": "gpt-4o-mini", "temperature": 0.5, "base_url": stub.openai_url, "api_key": "any"}

        assert one_task(given).kickoff().raw == "from the stub"
        assert stub.requests[0].body["temperature"] == 0.5


@pytest.mark.promise("llm.compatible")
def test_any_address_that_speaks_openais_language_is_a_model() -> None:
    with Stub() as stub:
        stub.script(["first", "second"])
        worker = agent(LLM("house-model", base_url=stub.openai_url, api_key="any", custom_openai=True))
        other = agent(LLM("hosted_vllm/house-model", base_url=stub.openai_url, api_key="any"), "Other")

        output = crew(task(worker), task(other)).kickoff()

        assert [each.raw for each in output.tasks_output] == ["first", "second"]
        assert [request.model for request in stub.requests] == ["house-model", "house-model"]


@pytest.mark.promise("agent.use_system_prompt")
def test_without_a_system_prompt_the_user_message_says_who_the_agent_is() -> None:
    model = ScriptedModel(["done", "done"])
    fields = {"role": "Analyst", "goal": "Know it all"}

    one_task(model, agent_fields=fields).kickoff()
    one_task(model, agent_fields={**fields, "use_system_prompt": False}).kickoff()

    with_system, without = model.calls
    assert (with_system.system != "", without.system) == (True, "")
    assert "You are Analyst." in without.last_user


@pytest.mark.promise("agent.inject_date")
def test_without_inject_date_the_prompt_has_none() -> None:
    model = ScriptedModel(["done", "done"])

    one_task(model).kickoff()
    one_task(model, agent_fields={"inject_date": True}).kickoff()

    assert ["Current Date" in call.last_user for call in model.calls] == [False, True]


@pytest.mark.promise("agent.cache", "crew.cache", "crew.tracing")
@pytest.mark.parametrize("value", [True, False])
def test_what_asks_for_nothing_here_is_taken_without_a_word(value: bool) -> None:
    asked: list[int] = []

    @tool
    def look(number: int) -> int:
        """Looks."""
        asked.append(number)
        return number

    model = ScriptedModel([tool_call("look", number=1), tool_call("look", number=1), "done"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        worker = Agent(role="R", goal="G", backstory="B", llm=model, tools=[look], cache=value)
        work = Task(description="D", expected_output="E", agent=worker)
        made = Crew(agents=[worker], tasks=[work], cache=value, tracing=value)

    made.kickoff()

    assert asked == [1, 1]


@pytest.mark.promise("agent.guardrail_max_retries")
@pytest.mark.parametrize(("given", "asked"), [({}, 4), ({"guardrail_max_retries": 1}, 2)])
def test_an_agents_own_guardrail_lets_it_try_three_times_more(given: dict[str, Any], asked: int) -> None:
    model = ScriptedModel(default="bad")

    with pytest.raises(GuardrailFailed):
        agent(model, guardrail=lambda output: (False, "no"), **given).kickoff("Say it")
    assert len(model.calls) == asked


@pytest.mark.promise("cli.version")
def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        app(["version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"jackstay {__version__} ")
