"""The public API against the stub: what is sent, what is billed, what comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from jackstay import LLM, Agent, Crew, Flow, Process, Retry, Runtime, Task, listen, start
from jackstay.core.records import RunFilter
from jackstay.errors import ModelServerError, NoFinalAnswer
from jackstay.testing import Fault, Stub, tool_call
from jackstay.testing.plugin import MakeRuntime
from jackstay.tools import tool


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as running:
        yield running


@pytest.fixture(autouse=True)
def runtime(jackstay_make_runtime: MakeRuntime, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    for name in ("MODEL", "MODEL_NAME", "OPENAI_MODEL_NAME", "JACKSTAY_MODEL"):
        monkeypatch.delenv(name, raising=False)
    return jackstay_make_runtime(environ=stub.environ(), retry=Retry(backoff_s=0))


@tool
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


class Brief(BaseModel):
    topic: str
    words: int


def analyst(**more: Any) -> Agent:
    fields = {"role": "{topic} analyst", "goal": "Know {topic}", "backstory": "An expert.", "llm": "gpt-4o-mini"}
    return Agent(**{**fields, **more})


def task(worker: Agent, **more: Any) -> Task:
    return Task(**{"description": "Research {topic}", "expected_output": "A brief", "agent": worker, **more})


def crew(*tasks: Task) -> Crew:
    return Crew(agents=[tasks[0].agent], tasks=list(tasks), process=Process.sequential)  # type: ignore[list-item]


BEES = {"topic": "bees"}


# --- what is sent -------------------------------------------------------------------------------------------------


@pytest.mark.promise("llm.openai")
def test_prompts_are_sent_with_the_inputs_filled_in(stub: Stub) -> None:
    stub.script(["found", "written"])
    worker = analyst()

    crew(task(worker), task(worker, description="Write about {topic}")).kickoff(inputs=BEES)

    first, second = stub.requests
    assert first.system == "You are bees analyst. An expert.\nYour personal goal is: Know bees"
    assert "Current Task: Research bees" in first.last_user
    assert second.last_user.endswith("This is the context you're working with:\nfound")
    assert first.model == "gpt-4o-mini"


@pytest.mark.promise("llm.sampling")
def test_sampling_settings_are_sent(stub: Stub) -> None:
    llm = LLM("gpt-4o-mini", temperature=0.3, max_tokens=77, seed=5, stop=["END"])

    crew(task(analyst(llm=llm))).kickoff(inputs=BEES)

    body = stub.requests[0].body
    assert (body["temperature"], body["seed"], body["stop"]) == (0.3, 5, ["END"])
    assert stub.requests[0].max_tokens == 77


def test_tools_are_offered_and_their_results_sent_back(stub: Stub) -> None:
    stub.script([[tool_call("add", a=1, b=2), tool_call("add", a=3, b=4)], "ten"])

    output = crew(task(analyst(tools=[add]))).kickoff(inputs=BEES)

    first, second = stub.requests
    assert output.raw == "ten"
    assert [one.name for one in first.tools] == ["add"]
    assert [m.content for m in second.messages if m.role == "tool"] == ["3", "7"]


def test_max_iter_makes_one_call_more_and_offers_no_tool_use(stub: Stub) -> None:
    stub.script([tool_call("add", a=1, b=n) for n in range(2)] + ["forced"])

    output = crew(task(analyst(tools=[add], max_iter=2))).kickoff(inputs=BEES)

    assert output.raw == "forced"
    assert len(stub.requests) == 3
    assert stub.requests[2].tool_choice == "none"


def test_a_model_that_only_calls_tools_gives_no_answer(stub: Stub, runtime: Runtime) -> None:
    stub.rule(tool_call("add", a=1, b=1))

    with pytest.raises(NoFinalAnswer, match="max_iter=2"):
        crew(task(analyst(tools=[add], max_iter=2))).kickoff(inputs=BEES)

    assert len(stub.requests) == 3
    assert runtime.journal.runs(RunFilter())[0].reason == "max_iterations"


def test_a_model_without_native_tools_is_asked_in_text(stub: Stub) -> None:
    stub.script(['Thought: add\nAction: add\nAction Input: {"a": 1, "b": 2}', "Thought: done\nFinal Answer: three"])

    output = crew(task(analyst(llm=LLM("gpt-4o-mini", native_tools=False), tools=[add]))).kickoff(inputs=BEES)

    assert output.raw == "three"
    assert stub.requests[0].tools == ()
    assert "- add: Adds two numbers." in stub.requests[0].system
    assert stub.requests[1].last_user == "Observation: 3"


def test_a_structured_answer_is_asked_for_again_until_it_fits(stub: Stub) -> None:
    stub.script([{"topic": "bees"}, {"topic": "bees", "words": 3}])

    output = crew(task(analyst(), output_pydantic=Brief)).kickoff(inputs=BEES)

    assert output.pydantic == Brief(topic="bees", words=3)
    assert output["words"] == 3
    assert "words: Field required" in stub.requests[1].last_user


# --- the bill -----------------------------------------------------------------------------------------------------


@pytest.mark.promise("llm.usage", "crew.usage_metrics_object")
def test_the_bills_of_tasks_add_up_to_the_crews_and_to_the_stubs_truth(stub: Stub) -> None:
    stub.fault_at(1, Fault.http(500))
    worker = analyst(tools=[add])

    output = crew(task(worker), task(worker, output_json=Brief), task(worker)).kickoff(inputs=BEES)

    truth, usage, parts = stub.total_usage(), output.token_usage, output.tasks_output
    assert (usage.prompt_tokens, usage.completion_tokens) == (truth.input_tokens, truth.output_tokens)
    for name in type(usage).model_fields:
        assert getattr(usage, name) == sum(getattr(part.token_usage, name) for part in parts), name
    assert usage.successful_requests == sum(1 for request in stub.requests if request.status == 200)
    assert len(stub.requests) == usage.successful_requests + 1
    assert output.cost_usd == sum((part.cost_usd for part in parts if part.cost_usd is not None), Decimal(0)) > 0
    assert sum(part.duration_s for part in parts) <= output.duration_s + 0.01


@pytest.mark.promise("run.usage.own", "llm.usage")
def test_two_agents_that_share_an_llm_are_billed_once_each(stub: Stub) -> None:
    llm = LLM("gpt-4o-mini")
    made = Crew(
        agents=[analyst(llm=llm), analyst(llm=llm, role="Other")],
        tasks=[task(analyst(llm=llm)), task(analyst(llm=llm, role="Other"))],
    )

    first = made.kickoff(inputs=BEES)
    second = made.kickoff(inputs=BEES)

    assert first.token_usage.successful_requests == second.token_usage.successful_requests == 2
    total = stub.total_usage()
    assert first.token_usage.total_tokens + second.token_usage.total_tokens == total.total_tokens
    assert made.usage_metrics == second.token_usage


def test_the_summary_is_json(stub: Stub) -> None:
    output = crew(task(analyst(), name="research")).kickoff(inputs=BEES)

    summary = json.loads(json.dumps(output.summary()))

    assert summary["total_tokens"] == output.token_usage.total_tokens
    assert summary["cost_usd"] == float(output.cost_usd or 0) > 0
    assert summary["tasks"][0]["name"] == "research"


def test_a_price_that_is_not_known_is_unknown_and_not_zero(stub: Stub) -> None:
    output = crew(task(analyst(llm=LLM("nobody-knows-this", base_url=stub.openai_url, api_key="k")))).kickoff(
        inputs=BEES
    )

    assert output.cost_usd is None
    assert output.summary()["cost_usd"] is None


# --- retries ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["500", "429:0", "reset", "invalid_json"])
def test_a_passing_fault_is_retried_by_the_pipeline_alone(stub: Stub, fault: str) -> None:
    stub.fault_at(0, fault)

    output = crew(task(analyst())).kickoff(inputs=BEES)

    assert len(stub.requests) == 2
    assert output.token_usage.successful_requests == 1


def test_a_lasting_fault_costs_four_requests_and_no_more(stub: Stub) -> None:
    stub.rule(Fault.http(500))

    with pytest.raises(ModelServerError) as caught:
        crew(task(analyst()), task(analyst())).kickoff(inputs=BEES)

    assert len(stub.requests) == 4
    assert caught.value.exhausted


# --- which model --------------------------------------------------------------------------------------------------


@pytest.mark.promise("agent.llm")
@pytest.mark.parametrize(
    ("variables", "model"),
    [
        ({}, "gpt-4.1-mini"),
        ({"OPENAI_MODEL_NAME": "three"}, "three"),
        ({"OPENAI_MODEL_NAME": "three", "MODEL_NAME": "two"}, "two"),
        ({"OPENAI_MODEL_NAME": "three", "MODEL_NAME": "two", "MODEL": "one"}, "one"),
    ],
)
def test_the_default_model(
    variables: dict[str, str], model: str, stub: Stub, jackstay_make_runtime: MakeRuntime
) -> None:
    jackstay_make_runtime(environ={**stub.environ(), **variables})

    crew(task(analyst(llm=None))).kickoff(inputs=BEES)

    assert stub.requests[0].model == model


def test_an_override_takes_every_agents_place_and_is_recorded(stub: Stub, jackstay_make_runtime: MakeRuntime) -> None:
    runtime = jackstay_make_runtime(environ={**stub.environ(), "JACKSTAY_MODEL": "gpt-4o"})

    output = crew(task(analyst()), task(analyst(llm="anthropic/claude-sonnet-4-5"))).kickoff(inputs=BEES)

    assert {request.model for request in stub.requests} == {"gpt-4o"}
    run = runtime.journal.run(output.run_id)
    assert run is not None
    assert run.model_override == "gpt-4o"


# --- LLM.call -----------------------------------------------------------------------------------------------------


def test_a_call_outside_a_run_is_a_run_of_its_own(stub: Stub, runtime: Runtime) -> None:
    stub.script(["pong"])

    assert LLM("gpt-4o-mini").call("ping") == "pong"

    assert [m.content for m in stub.requests[0].messages] == ["ping"]
    (run,) = runtime.journal.runs(RunFilter())
    assert (run.kind, run.status) == ("llm", "succeeded")


@pytest.mark.promise("llm.call")
def test_a_call_takes_messages_tools_and_a_response_model(stub: Stub) -> None:
    stub.script(["said", tool_call("add", a=1), {"topic": "bees", "words": 1}])
    llm = LLM("gpt-4o-mini")
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
    tools = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}]

    assert llm.call(messages) == "said"
    (call,) = llm.call("hi", tools=tools)
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("add", {"a": 1})
    assert llm.call("hi", response_model=Brief) == Brief(topic="bees", words=1)
    assert stub.requests[0].system == "Be brief."
    assert [tool.name for tool in stub.requests[1].tools] == ["add"]
    assert stub.requests[2].output is not None
    assert "topic" in stub.requests[2].output.schema["properties"]


@pytest.mark.promise("llm.call")
def test_a_call_can_be_awaited(stub: Stub) -> None:
    stub.script(["pong"])

    assert asyncio.run(LLM("gpt-4o-mini").acall("ping")) == "pong"


class Calls(Flow):
    broken = True

    @start()
    async def inquire(self) -> list[str]:
        llm = LLM("gpt-4o-mini")
        return list(await asyncio.gather(*(llm.acall(f"question {n}") for n in range(3))))

    @listen(inquire)
    def again(self, answers: list[str]) -> list[str]:
        answers.append(LLM("gpt-4o-mini").call("last"))
        if self.broken:
            raise ValueError("after the call")
        return answers


def test_calls_inside_a_run_are_steps_of_it_and_not_made_twice(stub: Stub, runtime: Runtime) -> None:
    answer: Callable[[Any], str] = lambda request: f"to {request.last_user}"  # noqa: E731
    stub.rule(answer)
    with pytest.raises(ValueError, match="after the call"):
        Calls().kickoff(run_key="k")

    flow = Calls()
    flow.broken = False
    answers = flow.kickoff(run_key="k")

    assert answers == ["to question 0", "to question 1", "to question 2", "to last"]
    assert len(stub.requests) == 4
    assert flow.usage_metrics.total_tokens == stub.total_usage().total_tokens
    assert [run.kind for run in runtime.journal.runs(RunFilter())] == ["flow"]


# --- resuming on the wire -----------------------------------------------------------------------------------------


def test_a_resumed_crew_issues_no_recorded_call_again(stub: Stub) -> None:
    stub.script([tool_call("add", a=1, b=1), "one", tool_call("add", a=2, b=2), *[Fault.http(400)], "two"])
    worker = analyst(tools=[add])
    made = crew(task(worker), task(worker))
    with pytest.raises(RuntimeError):
        made.kickoff(inputs=BEES, run_key="k")
    before = len(stub.requests)

    output = made.kickoff(inputs=BEES, run_key="k")

    assert [one.raw for one in output.tasks_output] == ["one", "two"]
    assert (before, len(stub.requests)) == (4, 5)
    assert output.token_usage.total_tokens == stub.total_usage().total_tokens
