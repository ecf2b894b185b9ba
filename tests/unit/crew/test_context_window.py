"""Conversations that are longer than a model's context window."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import pytest

from jackstay import LLM, Crew, Runtime
from jackstay.core.context_window import LongTexts, parts_of
from jackstay.core.messages import Message, ToolCall
from jackstay.core.records import RunFilter
from jackstay.errors import ModelContextExceeded
from jackstay.testing import Fault, FaultPoints, ScriptedModel, Stub, tool_call
from jackstay.testing.plugin import MakeRuntime
from jackstay.tools import tool
from tests.commit_faults import stops_at_commit
from tests.unit.crew.building import agent, crew, one_task, task

WINDOW = 1_000
REPORT = "\n".join(f"line {number} of the report" for number in range(400))


class SmallModel(ScriptedModel):
    """Refuses what is longer than its window, as providers do; three bytes are a token for it."""

    def __init__(self, answers: Iterable[Any] = (), *, window: int = WINDOW, **more: Any) -> None:
        super().__init__(answers, **more)
        self.window = window

    def call(self, messages: Any, tools: Any = None, *args: Any, **kwargs: Any) -> Any:
        tokens = sum(len(str(message)) for message in [*messages, *(tools or ())]) // 3
        if tokens > self.window:
            raise ModelContextExceeded(f"{tokens} tokens are too long")
        return super().call(messages, tools, *args, **kwargs)

    def get_context_window_size(self) -> int:
        return self.window


@tool
def report() -> str:
    """A long report."""
    return REPORT


@tool
def look(number: int) -> str:
    """A part of it."""
    return f"part {number}: " + "x" * 600


def told(model: ScriptedModel, role: str = "tool") -> list[str]:
    return [str(message["content"]) for message in model.calls[-1].messages if message["role"] == role]


def steps(runtime: Runtime) -> Mapping[str, Any]:
    (run,) = runtime.journal.runs(RunFilter())
    return {step.path: step for step in runtime.journal.steps(run.id)}


def reading_on(call: Any) -> Any:
    """What a model does that wants to know what was left out."""
    offset = int(re.findall(r'"offset": (\d+)', told_of(call))[0])
    return tool_call("read_more", handle="text-1", offset=offset)


def told_of(call: Any) -> str:
    return str(call.messages[-1]["content"])


@pytest.mark.promise("agent.respect_context_window")
def test_a_long_result_is_shown_shortened_and_can_be_read_on(runtime: Runtime) -> None:
    model = SmallModel([tool_call("report"), reading_on, "done"], window=2_000)

    output = one_task(model, agent_fields={"tools": [report]}).kickoff()

    assert output.raw == "done"
    excerpt, more = told(model)
    assert excerpt.startswith(REPORT[:300])
    assert excerpt.endswith(REPORT[-200:])
    head = excerpt.partition("\n\n[…")[0]
    assert REPORT[len(head) :].startswith(more.partition("\n\n[")[0])
    assert [one["function"]["name"] for one in model.calls[0].tools] == ["report"]
    assert [one["function"]["name"] for one in model.calls[1].tools] == ["report", "read_more"]
    recorded = steps(runtime)
    assert "line 200 of the report" in recorded["do_it#1/tool:report#1"].result
    assert recorded["do_it#1/tool:read_more#1"].status == "succeeded"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"handle": "text-9", "offset": 0}, "handle: 'text-9' is none; the handles are: text-1"),
        ({"handle": "text-1", "offset": 10_000_000}, "offset: has to be a whole number from 0 to"),
        ({"handle": "text-1", "offset": "x"}, "offset: has to be a whole number"),
        ({}, "handle: None is none"),
    ],
)
def test_a_wrong_place_to_read_on_is_told_to_the_model(arguments: Any, said: str) -> None:
    model = SmallModel([tool_call("report"), tool_call("read_more", **arguments), "done"], window=3_000)

    one_task(model, agent_fields={"tools": [report]}).kickoff()

    assert said in told(model)[-1]


def test_a_result_that_is_the_answer_is_given_whole() -> None:
    @tool(result_as_answer=True)
    def whole() -> str:
        """All of it."""
        return REPORT

    assert one_task(SmallModel([tool_call("whole")]), agent_fields={"tools": [whole]}).kickoff().raw == REPORT


def test_a_tool_of_ones_own_that_is_called_read_more_is_kept() -> None:
    @tool
    def read_more(topic: str) -> str:
        """My own."""
        return f"more of {topic}"

    answers = [tool_call("report"), tool_call("read_more", topic="tides"), "done"]
    model = SmallModel(answers)

    one_task(model, agent_fields={"tools": [report, read_more]}).kickoff()

    assert told(model)[-1] == "more of tides"
    assert "read_more_" in told(model)[0]


def test_a_model_without_native_tools_is_told_in_words_how_to_read_on() -> None:
    class InWords(SmallModel):
        def supports_function_calling(self) -> bool:
            return False

    read_on = 'Action: read_more\nAction Input: {"handle": "text-1", "offset": 400}'
    model = InWords(["Action: report\nAction Input: {}", read_on, "Final Answer: done"], window=2_000)

    assert one_task(model, agent_fields={"tools": [report]}).kickoff().raw == "done"
    assert "[characters 400 to" in model.calls[-1].last_user


def summing(call: Any) -> Any:
    """Looks six times, sums up where it is asked to, and then answers."""
    if "Sum it up for yourself" in call.last_user:
        before = sum(map(int, re.findall(r"looked (\d+) times", call.last_user)))
        return f"looked {before + call.last_user.count('Calls look')} times"
    looked = sum(message["role"] == "tool" for message in call.messages)
    before = sum(map(int, re.findall(r"looked (\d+) times", str(call.messages))))
    number = looked + before
    return "all seen" if number >= 6 else tool_call("look", number=number)


@pytest.mark.promise("agent.respect_context_window")
def test_turns_that_do_not_fit_are_summed_up_by_recorded_calls(runtime: Runtime) -> None:
    model = SmallModel(default=summing)

    output = one_task(model, agent_fields={"tools": [look]}).kickoff()

    assert output.raw == "all seen"
    assert "looked" in model.calls[-1].last_user
    recorded = steps(runtime)
    assert {"do_it#1/summary#1", "do_it#1/llm#1"} <= recorded.keys()
    asked = [step for step in recorded.values() if step.kind == "llm" and step.status == "succeeded"]
    assert len(asked) == len(model.calls) == output.token_usage.successful_requests


def test_interrupted_at_any_commit_it_shortens_alike_and_asks_nothing_again(
    jackstay_make_runtime: MakeRuntime, tmp_path: Any
) -> None:
    def made() -> tuple[Crew, SmallModel]:
        model = SmallModel(default=summing)
        return one_task(model, "Look", agent_fields={"tools": [look]}), model

    points = FaultPoints()
    jackstay_make_runtime(folder=tmp_path / "undisturbed", fault_point=points.hit)
    whole, model = made()
    expected, calls = whole.kickoff().raw, len(model.calls)
    last = [dict(message) for message in model.calls[-1].messages]

    for commit in range(2, points.hits.count("journal.commit") - 1, 3):
        points = FaultPoints()
        runtime = jackstay_make_runtime(folder=tmp_path / str(commit), fault_point=points.hit)
        again, model = made()
        if not stops_at_commit(commit, points, partial(again.kickoff, run_key="k")):
            break
        before = len(model.calls)
        (run,) = runtime.journal.runs(RunFilter())
        known = [s for s in runtime.journal.steps(run.id) if s.kind == "llm" and s.status == "succeeded"]

        assert again.kickoff(run_key="k").raw == expected
        assert len(model.calls) - before == calls - len(known), commit
        assert [m["content"] for m in model.calls[-1].messages] == [m["content"] for m in last]


def test_a_replay_does_not_ask_again_what_was_summed_up() -> None:
    model = SmallModel(default=summing)
    worker = agent(model, tools=[look])
    both = crew(task(worker, "Look", name="look"), task(worker, "Say it", name="say", tools=[report]))
    both.kickoff()
    asked = len(model.calls)
    assert asked > 8

    model._default = "again"
    assert both.replay("say").raw == "again"
    assert len(model.calls) == asked + 1


def test_a_prompt_that_is_too_long_is_shown_shortened() -> None:
    model = SmallModel([reading_on, "done"])
    first = task(agent(ScriptedModel([REPORT]), "First"))
    second = task(agent(model, "Second"), "Sum it up in one line")

    assert crew(first, second).kickoff().raw == "done"
    assert "Current Task: Sum it up in one line" in told(model, "user")[0]
    assert "of the report" in told(model)[0]


def test_after_a_guardrail_the_agent_can_still_read_on() -> None:
    def checked(output: Any) -> tuple[bool, Any]:
        return (True, output.raw) if output.raw == "better" else (False, "say it better")

    answers = [tool_call("report"), "first", tool_call("read_more", handle="text-1", offset=300), "better"]
    model = SmallModel(answers, window=2_000)

    assert one_task(model, agent_fields={"tools": [report]}, guardrail=checked).kickoff().raw == "better"
    assert "[characters 300 to" in told(model)[-1]


@pytest.mark.promise("agent.respect_context_window")
def test_where_it_is_not_to_be_shortened_nothing_is_sent(runtime: Runtime) -> None:
    fields = {"respect_context_window": False}
    model = SmallModel(["never"])

    with pytest.raises(ModelContextExceeded, match=r"reads 1,000 beside its answer; nothing was sent") as caught:
        one_task(model, REPORT, agent_fields=fields).kickoff()

    assert caught.value.exhausted
    assert model.calls == []

    with pytest.raises(ModelContextExceeded):
        one_task(SmallModel([tool_call("report")]), agent_fields={"tools": [report], **fields}).kickoff()


def test_what_cannot_be_made_to_fit_is_refused_before_it_is_sent() -> None:
    model = SmallModel(["never"])

    with pytest.raises(ModelContextExceeded, match="give the agent less to begin with"):
        one_task(model, agent_fields={"backstory": REPORT}).kickoff()
    assert model.calls == []


@pytest.mark.promise("agent.respect_context_window")
def test_a_provider_that_says_too_long_is_asked_with_less() -> None:
    with Stub() as stub:
        stub.script([Fault.context_length(), Fault.context_length(), "done"])
        model = LLM("gpt-4o-mini", base_url=stub.openai_url, api_key="any")

        output = one_task(model, REPORT).kickoff()

        assert output.raw == "done"
        sizes = [len(str(request.body["messages"])) for request in stub.requests]
        assert sizes[0] > sizes[1] > sizes[2]
        assert output.token_usage.successful_requests == 1


def test_a_known_window_is_kept_to_at_the_provider() -> None:
    with Stub() as stub:
        stub.script([tool_call("report"), "done"])
        model = LLM("house-model", base_url=stub.openai_url, api_key="any", custom_openai=True, context_window_size=900)

        assert one_task(model, agent_fields={"tools": [report]}).kickoff().raw == "done"
        assert all(len(str(request.body["messages"])) < 4 * 900 for request in stub.requests)


def test_an_excerpt_is_made_shorter_from_the_whole() -> None:
    texts = LongTexts()

    first = texts.shortened(REPORT, 500)
    second = texts.shortened(first, 100)

    assert len(second) < len(first) < len(REPORT)
    assert list(texts.whole.values()) == [REPORT]
    assert second.startswith(REPORT[:200])
    assert texts.shortened("short", 100) == "short"


def test_an_answer_and_the_results_of_its_calls_stay_together() -> None:
    calls = (ToolCall("1", "look", "{}"),)
    said = [Message("system", "S"), Message("user", "U"), Message("assistant", "", calls), Message("tool", "a")]
    later = [Message("assistant", "", calls), Message("tool", "b"), Message("user", "once more")]

    parts = parts_of([*said, *later])

    assert (len(parts.head), len(parts.middle), len(parts.tail)) == (2, 2, 3)
    assert parts_of(said[:2]).tail == ()
