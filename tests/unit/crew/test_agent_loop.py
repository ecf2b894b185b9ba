"""The agent's loop: tools, structured answers, its end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import BaseModel, Field

from jackstay import LLM, BaseLLM, Runtime
from jackstay.core.records import RunFilter
from jackstay.errors import NoFinalAnswer, OutputError
from jackstay.testing import Reply, ScriptedModel, Stub, tool_call
from jackstay.tools import BaseTool, tool
from tests.unit.crew.building import agent, crew, one_task, prompts, task


def with_tools(model: Any, *tools: Any, **agent_fields: Any) -> Any:
    return one_task(model, agent_fields={"tools": list(tools), **agent_fields})


def observations(model: ScriptedModel) -> list[str]:
    return [str(message["content"]) for message in model.calls[-1].messages if message["role"] == "tool"]


@tool
def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


@tool
async def double(x: int) -> dict[str, int]:
    """Doubles."""
    await asyncio.sleep(0)
    return {"twice": 2 * x}


@tool
def broken(x: int) -> str:
    """Breaks."""
    raise LookupError(f"no record {x}")


class Upper(BaseTool):
    name: str = "Make Upper"
    description: str = "Upper case."

    def _run(self, text: str) -> str:
        return text.upper()


@pytest.mark.promise("agent.tools", "tool.arguments", "run.tool_errors")
@pytest.mark.parametrize(
    ("used", "call", "said"),
    [
        (add, tool_call("add", a=1, b=2), "3"),
        (double, tool_call("double", x=2), '{"twice": 4}'),
        (Upper(), tool_call("make_upper", text="ü"), "Ü"),
        (broken, tool_call("broken", x=7), "Error: the tool failed with LookupError: no record 7"),
        (add, tool_call("subtract", a=1), "Error: there is no tool named 'subtract'; the tools are: add"),
        (add, tool_call("add", a=1), "Error: the arguments do not fit: b: Field required"),
        (add, tool_call("add", a="x", b=1), "a: Input should be a valid integer"),
    ],
)
def test_what_a_tool_says_is_told_to_the_model(used: Any, call: Any, said: str) -> None:
    model = ScriptedModel([call, "final"])

    output = with_tools(model, used).kickoff()

    assert output.raw == "final"
    assert said in observations(model)[0]


@pytest.mark.parametrize(
    ("arguments", "said"), [('{"a": 1,', "not valid JSON"), ("[1, 2]", "one JSON object, not list"), ("", "b: Field")]
)
def test_arguments_that_are_no_json_object_are_told_to_the_model(arguments: str, said: str) -> None:
    call = tool_call("add")
    model = ScriptedModel([Reply(tool_calls=(type(call)(call.id, "add", arguments),)), "final"])

    assert with_tools(model, add).kickoff().raw == "final"
    assert said in observations(model)[0]


def test_a_models_turn_and_the_results_are_sent_back_in_their_order() -> None:
    model = ScriptedModel([[tool_call("add", a=1, b=1), tool_call("double", x=1), tool_call("add", a=2, b=2)], "final"])

    with_tools(model, add, double).kickoff()

    assert observations(model) == ["2", '{"twice": 2}', "4"]
    turn = next(message for message in model.calls[-1].messages if message["role"] == "assistant")
    ids = [call["id"] for call in turn["tool_calls"]]
    assert [m["tool_call_id"] for m in model.calls[-1].messages if m["role"] == "tool"] == ids


@pytest.mark.promise("task.tools")
def test_the_tools_of_a_task_stand_in_for_the_agents() -> None:
    model = ScriptedModel(["final"])
    crew(task(agent(model, tools=[add]), tools=[double])).kickoff()

    assert [one["function"]["name"] for one in model.calls[0].tools] == ["double"]


@pytest.mark.promise("tool.result_as_answer")
def test_a_result_as_answer_ends_the_task() -> None:
    @tool(result_as_answer=True)
    def final_word(text: str) -> str:
        """Says it."""
        return f"tool says {text}"

    model = ScriptedModel([tool_call("final_word", text="hi")])

    assert with_tools(model, final_word).kickoff().raw == "tool says hi"


def test_a_failed_result_as_answer_is_no_answer() -> None:
    @tool(result_as_answer=True)
    def final_word() -> str:
        """Breaks."""
        raise ValueError("no word")

    model = ScriptedModel([tool_call("final_word"), "the model's own"])

    assert with_tools(model, final_word).kickoff().raw == "the model's own"


@pytest.mark.promise("tool.max_usage_count")
def test_a_tool_is_used_as_often_as_it_may_be() -> None:
    @tool(max_usage_count=1)
    def once() -> str:
        """Once."""
        return "used"

    model = ScriptedModel([[tool_call("once"), tool_call("once")], tool_call("once"), "final"])
    with_tools(model, once).kickoff()

    assert sorted(observations(model)) == ["Error: the tool 'once' has reached its limit of 1 uses"] * 2 + ["used"]
    assert once.current_usage_count == 1


@pytest.mark.promise("agent.step_callback")
def test_steps_are_told_to_the_step_callback() -> None:
    steps: list[Any] = []
    model = ScriptedModel([tool_call("add", a=1, b=1), "final"])

    with_tools(model, add, step_callback=steps.append).kickoff()

    calls, answer = steps
    assert [call.name for call in calls] == ["add"]
    assert (answer.output, answer.text) == ("final", "final")


@pytest.mark.promise("agent.step_callback")
def test_an_answer_without_tools_and_a_forced_one_are_told_as_well() -> None:
    steps: list[Any] = []

    one_task(ScriptedModel(["at once"]), agent_fields={"step_callback": steps.append}).kickoff()
    with_tools(
        ScriptedModel([tool_call("add", a=1, b=1), "forced"]), add, max_iter=1, step_callback=steps.append
    ).kickoff()

    assert [step.output for step in steps if not isinstance(step, tuple | list)] == ["at once", "forced"]


@pytest.mark.promise("agent.response_template")
def test_a_model_stops_at_what_stands_behind_the_answer() -> None:
    with Stub() as stub:
        stub.script(["done", "done"])
        model = LLM("gpt-4o-mini", base_url=stub.openai_url, api_key="any", stop=["END"])

        one_task(model, agent_fields={"response_template": "<a>{{ .Response }}</a>"}).kickoff()
        one_task(model, agent_fields={"response_template": "{{ .Response }}"}).kickoff()

        assert [request.body["stop"] for request in stub.requests] == [["END", "</a>"], ["END"]]


@pytest.mark.promise("crew.step_callback")
def test_the_crews_step_callback_serves_agents_without_one() -> None:
    steps: list[Any] = []
    model = ScriptedModel([tool_call("add", a=1, b=1), "final"])

    crew(task(agent(model, tools=[add])), step_callback=steps.append).kickoff()

    assert len(steps) == 2


# --- the end ------------------------------------------------------------------------------------------------------


@pytest.mark.promise("agent.max_iter")
def test_max_iter_forces_a_final_answer_with_one_more_call() -> None:
    model = ScriptedModel(default=lambda call: tool_call("add", a=1, b=call.index) if call.index < 3 else "forced")

    output = with_tools(model, add, max_iter=3).kickoff()

    assert output.raw == "forced"
    assert len(model.calls) == 4
    assert "Do not call any tool" in model.calls[-1].last_user


@pytest.mark.promise("run.max_iter.debris")
@pytest.mark.parametrize(
    "debris", [tool_call("add", a=1, b=1), 'Thought: more\nAction: add\nAction Input: {"a": 1}', ""]
)
def test_debris_is_never_an_answer(debris: Any, runtime: Runtime) -> None:
    answer = Reply("") if debris == "" else debris
    model = ScriptedModel(default=lambda call: tool_call("add", a=1, b=1) if call.index < 2 else answer)

    with pytest.raises(NoFinalAnswer, match="agent 'Analyst' used up max_iter=2"):
        with_tools(model, add, max_iter=2).kickoff()

    assert len(model.calls) == 3
    (run,) = runtime.journal.runs(RunFilter())
    assert (run.status, run.reason) == ("failed", "max_iterations")


def test_an_empty_answer_is_asked_for_again() -> None:
    model = ScriptedModel([Reply(""), "said"])

    assert one_task(model).kickoff().raw == "said"
    assert prompts(model)[-1].startswith("Your answer was empty.")
    assert "used all the steps" not in prompts(model)[-1]


# --- models without native tools ----------------------------------------------------------------------------------


class TextModel(BaseLLM):
    """Knows no tool calling."""

    def __init__(self, *answers: str) -> None:
        super().__init__("text-only")
        self.answers, self.asked = list(answers), []  # type: ignore[var-annotated]

    def call(self, messages: Any, tools: Any = None, **_: Any) -> str:  # type: ignore[override]
        assert not tools
        self.asked.append(messages)
        return self.answers.pop(0)


@pytest.mark.promise("llm.text_tools")
def test_tools_are_described_in_text_for_a_model_without_them() -> None:
    call = 'Thought: add\nAction: add\nAction Input: {"a": 1, "b": 2}\nObservation: 99'
    model = TextModel(call, "Thought: I know the final answer\nFinal Answer: three")

    output = with_tools(model, add).kickoff()

    assert output.raw == "three"
    assert "- add: Adds." in model.asked[0][0]["content"]
    assert model.asked[1][-1] == {"role": "user", "content": "Observation: 3"}


@pytest.mark.promise("run.max_iter.debris")
def test_debris_in_text_is_never_an_answer() -> None:
    model = TextModel("Thought: hm\nAction: add", "Action Input: {}", "Thought: still thinking")

    with pytest.raises(NoFinalAnswer):
        with_tools(model, add, max_iter=2).kickoff()
    assert len(model.asked) == 3


# --- structured output --------------------------------------------------------------------------------------------


class Fact(BaseModel):
    topic: str
    year: int = Field(ge=1900, alias="theYear")


@pytest.mark.promise("task.output_pydantic", "run.output.correction", "tool.structured_output")
def test_a_first_answer_that_does_not_fit_is_corrected() -> None:
    model = ScriptedModel(
        ["no json", {"topic": "bees", "theYear": 1800}, '```json\n{"topic": "bees", "theYear": 1950}\n```']
    )

    output = one_task(model, output_pydantic=Fact).kickoff()

    assert output.pydantic == Fact(topic="bees", theYear=1950)
    assert output["year"] == 1950
    assert output.json_dict is None
    assert len(model.calls) == 3
    assert "theYear: Input should be greater than or equal to 1900" in model.calls[2].last_user


@pytest.mark.promise("task.output_json", "run.output.file_form", "crew.crew_output")
def test_output_json_gives_a_dict() -> None:
    output = one_task(
        ScriptedModel([{"topic": "bees", "theYear": 1950}]), output_json=Fact, output_file="fact.json"
    ).kickoff()

    assert output.json_dict == {"topic": "bees", "year": 1950}
    assert output.pydantic is None
    assert json.loads(output.json) == output.json_dict
    with open("fact.json", encoding="utf-8") as file:  # noqa: PTH123
        assert json.load(file) == output.json_dict


@pytest.mark.promise("run.output.lenient")
def test_a_raw_line_break_inside_json_text_is_read() -> None:
    model = ScriptedModel(['{"topic": "line one\nline two", "theYear": 1950}'])

    output = one_task(model, output_pydantic=Fact).kickoff()

    assert output["topic"] == "line one\nline two"


@pytest.mark.promise("run.output.correction")
def test_an_answer_that_never_fits_is_an_output_error() -> None:
    model = ScriptedModel(default="still no json")

    with pytest.raises(OutputError, match="agent 'Analyst' does not fit Fact after 4 tries") as caught:
        one_task(model, output_pydantic=Fact).kickoff()

    assert len(model.calls) == 4
    assert isinstance(caught.value, ValueError)


def test_a_recorded_structured_output_is_rebuilt() -> None:
    model = ScriptedModel([{"topic": "bees", "theYear": 1950}])
    made = one_task(model, output_pydantic=Fact)
    first = made.kickoff(run_key="fact")

    again = made.kickoff(run_key="fact")

    assert again.pydantic == first.pydantic == Fact(topic="bees", theYear=1950)
    assert len(model.calls) == 1
