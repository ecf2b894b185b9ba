"""`LLM` as it is written, and models of one's own."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import BaseModel

from jackstay import LLM, Agent, BaseLLM, Crew, Retry, Runtime, Task
from jackstay.core.canonical import digest
from jackstay.errors import ConfigurationError, JackstayError, ModelTimeout
from jackstay.llm.llm import as_config, question_of
from jackstay.testing.plugin import MakeRuntime


@pytest.fixture(autouse=True)
def runtime(jackstay_runtime: Runtime) -> Runtime:
    return jackstay_runtime


def crew_of(llm: Any) -> Crew:
    worker = Agent(role="R", goal="G", backstory="B", llm=llm)
    return Crew(agents=[worker], tasks=[Task(description="D", expected_output="E", agent=worker)])


@pytest.mark.promise("llm.openai")
def test_arguments_become_the_configuration() -> None:
    llm = LLM("gpt-4o-mini", 0.2, max_completion_tokens=9, stop="END", timeout=3, api_base="http://x/v1", top_k=5)

    config = llm.to_config()

    assert (config.model, config.base_url, config.timeout_s) == ("gpt-4o-mini", "http://x/v1", 3)
    assert config.sampling.to_json() == {"temperature": 0.2, "max_tokens": 9, "stop": ["END"], "extra": {"top_k": 5}}


def test_a_key_never_shows_itself() -> None:
    llm = LLM("gpt-4o-mini", api_key="sk-very-secret-key")

    assert "very-secret" not in repr(llm) + repr(llm.to_config())
    assert "very-secret" not in str(question_of(llm.to_config(), "hi", None, None).settings())


def test_crewais_arguments_that_mean_nothing_are_taken() -> None:
    llm = LLM("m", is_litellm=True, callbacks=[print], max_retries=2, additional_params={}, n=1, interceptor=None)

    assert llm.to_config().sampling.to_json() == {}


def test_more_than_one_answer_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"LLM\(n=…\)"):
        LLM("m", n=2)


@pytest.mark.parametrize("extra", [{"response_format": BaseModel}, {"metadata": {"client": object()}}])
def test_an_argument_that_no_request_can_carry_is_refused(extra: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(extra))):
        LLM("m", **extra)


@pytest.mark.promise("agent.llm")
def test_what_is_passed_as_llm() -> None:
    assert as_config("gpt-4o", "x").model == "gpt-4o"
    assert as_config(None, "x").reads_environment
    assert as_config({"model": "gpt-4o", "temperature": 1}, "x").sampling.temperature == 1
    with pytest.raises(ConfigurationError, match="llm of agent 'R' is a int; pass a model's name"):
        Agent(role="R", goal="G", backstory="B", llm=3)
    with pytest.raises(ConfigurationError, match="llm of agent 'R' is a dict that names no model: modell; add 'model'"):
        Agent(role="R", goal="G", backstory="B", llm={"modell": "gpt-4o"})


def test_messages_and_tools_become_a_question() -> None:
    tools = [
        {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}}
    ]
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "add", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "2"},
    ]

    question = question_of(LLM("m").to_config(), messages, tools, None)

    assert [tool.name for tool in question.tools] == ["add"]
    assert [message.role for message in question.conversation.messages] == ["user", "assistant", "tool"]
    assert question.conversation.messages[1].tool_calls[0].arguments == "{}"
    assert digest(question.settings())


def test_a_message_with_an_unknown_role_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="the role 'robot'; it is one of system, user") as caught:
        question_of(LLM("m").to_config(), [{"role": "robot", "content": "x"}], None, None)
    assert isinstance(caught.value, JackstayError)


# --- models of one's own ------------------------------------------------------------------------------------------


class Plain(BaseLLM):
    """CrewAI's least: the constructor's arguments and `call`."""

    def call(  # type: ignore[override]
        self, messages: Any, tools: Any = None, callbacks: Any = None, available_functions: Any = None, **_: Any
    ) -> str:
        return f"{self.model} {self.temperature}: {len(messages)} messages"


class Awaited(BaseLLM):
    def call(self, messages: Any, **_: Any) -> str:  # type: ignore[override]
        raise AssertionError("acall is there")

    async def acall(self, messages: Any, **_: Any) -> str:  # type: ignore[override]
        await asyncio.sleep(0)
        return "awaited"


class Narrow(BaseLLM):
    """Takes the messages and nothing else."""

    def call(self, messages: Any) -> Any:  # type: ignore[override]
        return 42


@pytest.mark.promise("llm.custom")
def test_a_model_of_ones_own_is_called() -> None:
    output = crew_of(Plain("mine", temperature=0.5, special=1)).kickoff()

    assert output.raw == "mine 0.5: 2 messages"
    assert output.token_usage.successful_requests == 1
    assert output.token_usage.total_tokens > 0
    assert output.cost_usd is None


@pytest.mark.promise("llm.custom")
def test_an_asynchronous_method_is_preferred() -> None:
    assert crew_of(Awaited()).kickoff().raw == "awaited"
    assert asyncio.run(crew_of(Awaited()).akickoff()).raw == "awaited"


def test_a_call_is_given_only_what_it_takes() -> None:
    assert crew_of(Narrow()).kickoff().raw == "42"


class Says(BaseLLM):
    """Gives, or raises, what it was made with."""

    def call(self, messages: Any) -> Any:  # type: ignore[override]
        if isinstance(self.additional_params["said"], Exception):
            raise self.additional_params["said"]
        return self.additional_params["said"]


@pytest.mark.promise("llm.custom")
@pytest.mark.parametrize("said", [{"title": "Ünï", "n": 1}, [1, "ö"], []])
def test_data_that_a_model_of_ones_own_gives_is_read_as_json(said: Any) -> None:
    assert json.loads(crew_of(Says("m", said=said)).kickoff().raw) == said


def test_a_time_limit_of_its_own_is_not_told_as_ours(jackstay_make_runtime: MakeRuntime) -> None:
    jackstay_make_runtime(retry=Retry(max_attempts=1))

    with pytest.raises(ModelTimeout, match=r"^m raised TimeoutError: the line is dead"):
        crew_of(Says("m", said=TimeoutError("the line is dead"))).kickoff()


@pytest.mark.promise("llm.custom")
def test_extra_arguments_are_kept() -> None:
    assert Plain("m", special=1).additional_params == {"special": 1}
    assert Plain("m", stop=["x"]).stop == ["x"]


def test_a_class_without_call_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        BaseLLM("m")  # type: ignore[abstract]


@pytest.mark.parametrize("name", ["aws_secret_access_key", "session_token", "secret", "password"])
def test_a_credential_among_the_arguments_that_are_passed_on_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"LLM\({name}=…\) looks like a credential"):
        LLM("gpt-4o-mini", **{name: "hidden"})  # type: ignore[arg-type]


def test_client_options_are_no_part_of_the_question() -> None:
    config = LLM("bedrock/model", region_name="eu-west-1", top_k=3).to_config()

    assert dict(config.options) == {"region_name": "eu-west-1"}
    assert dict(config.sampling.extra) == {"top_k": 3}
