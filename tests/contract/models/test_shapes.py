"""Each provider's shape of an answer comes out as the same answer of ours; each request has the provider's shape."""

from __future__ import annotations

from typing import Any

import pytest

from jackstay.core.messages import Message, Sampling, ToolCall
from jackstay.core.usage import Usage
from jackstay.models import Delta
from tests.contract.models import shapes
from tests.contract.models.asking import ADD, AFTER_A_TOOL, CITY, KEY, ask, needed, question
from tests.contract.models.loopback import Loopback, Reply

OPENAI = Usage(1000, 400, 0, 50, 30)
TEXTS: dict[str, tuple[str, str, Any, Usage]] = {
    "openai": ("gpt-4o-mini", "/v1", shapes.chat("hello"), OPENAI),
    "anthropic": (
        "claude-sonnet-4-5",
        "",
        shapes.anthropic({"type": "text", "text": "hello"}),
        Usage(1000, 400, 100, 50),
    ),
    "gemini": ("gemini/gemini-2.5-flash", "", shapes.gemini({"text": "hello"}), OPENAI),
    "bedrock": ("bedrock/amazon.nova-lite-v1:0", "", shapes.bedrock({"text": "hello"}), Usage(1000, output_tokens=50)),
    "mistral": ("mistral/mistral-large-latest", "", shapes.mistral("hello"), Usage(1000, output_tokens=50)),
    "azure": ("azure/gpt-4o-mini", "", shapes.chat("hello"), OPENAI),
    "ollama": ("ollama/llama3", "/v1", shapes.chat("hello"), OPENAI),
    "openrouter": ("openrouter/openai/gpt-4o-mini", "/v1", shapes.chat("hello", provider="OpenAI"), OPENAI),
    "deepseek": ("deepseek/deepseek-chat", "", shapes.chat("hello"), OPENAI),
    "groq": ("groq/llama-3.3-70b-versatile", "/v1", shapes.chat("hello"), OPENAI),
    "xai": (
        "xai/grok-4",
        "/v1",
        shapes.chat("hello"),
        Usage(1000, 400, 0, 80, 30),
    ),  # counts reasoning beside the answer
    "together": ("together_ai/meta-llama/Llama-3.3", "/v1", shapes.chat("hello"), OPENAI),
    "vllm": ("hosted_vllm/qwen", "/v1", shapes.chat("hello"), OPENAI),
    "compatible": ("meta-llama/Llama-3", "/v1", shapes.chat("hello"), OPENAI),
}


@pytest.mark.promise("llm.openai", "llm.anthropic", "llm.providers", "llm.usage")
@pytest.mark.parametrize("provider", TEXTS)
def test_a_plain_answer_has_text_and_exact_usage_and_nothing_to_send_back(provider: str) -> None:
    model, path, body, usage = TEXTS[provider]
    needed(model)

    with Loopback(Reply(body)) as server:
        answer = ask(server.url + path, model)

    assert (answer.text, answer.usage, answer.tool_calls) == ("hello", usage, ())
    assert answer.finish_reason == "stop"
    assert answer.raw is None
    assert len(server.asked) == 1


@pytest.mark.promise("llm.anthropic", "llm.providers")
def test_the_key_goes_where_the_provider_wants_it() -> None:
    with Loopback(Reply(shapes.chat())) as server:
        ask(server.url, "gpt-4o-mini", headers={"X-Team": "blue"})
        ask(server.url, "azure/dep")
    with Loopback(Reply(shapes.anthropic({"type": "text", "text": "x"}))) as anthropic:
        ask(anthropic.url, "anthropic/claude-sonnet-4-5")

    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert server.asked[0].headers["x-team"] == "blue"
    assert server.asked[1].headers["api-key"] == KEY
    assert server.asked[1].path == "/openai/deployments/dep/chat/completions?api-version=2024-06-01"
    sent = anthropic.asked[0].headers
    assert KEY in (sent.get("x-api-key"), sent.get("authorization", "").removeprefix("Bearer "))


CALLS: dict[str, tuple[str, Any]] = {
    "openai": ("gpt-4o-mini", shapes.chat(None, [("c1", "add", '{"a": 1}'), ("c2", "add", '{"a": ')])),
    "anthropic": (
        "claude-sonnet-4-5",
        shapes.anthropic(
            {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}},
            {"type": "tool_use", "id": "c2", "name": "add", "input": {"a": 2}},
            stop="tool_use",
        ),
    ),
}


@pytest.mark.parametrize("provider", CALLS)
def test_parallel_tool_calls_keep_ids_order_and_the_model_s_own_arguments(provider: str) -> None:
    model, body = CALLS[provider]

    with Loopback(Reply(body)) as server:
        answer = ask(server.url, model, question(tools=(ADD,)))

    assert [(call.id, call.name) for call in answer.tool_calls] == [("c1", "add"), ("c2", "add")]
    assert answer.tool_calls[0].arguments.replace(" ", "") == '{"a":1}'
    if provider == "openai":
        assert answer.tool_calls[1].arguments == '{"a": '
    assert answer.finish_reason == "tool_calls"


def test_a_conversation_goes_out_in_order_with_its_call_ids() -> None:
    with Loopback(Reply(shapes.chat())) as server:
        ask(server.url, "gpt-4o-mini", AFTER_A_TOOL)

    sent = server.asked[0].body
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "tool"]
    assert sent["messages"][2]["tool_calls"][0]["id"] == sent["messages"][3]["tool_call_id"] == "call_1"
    assert sent["tools"][0]["function"]["name"] == "add"


@pytest.mark.promise("llm.sampling")
def test_sampling_reaches_the_body() -> None:
    sampling = Sampling(
        temperature=0.2, top_p=0.9, max_tokens=77, stop=("END",), seed=5, presence_penalty=0.1, frequency_penalty=0.3,
        logit_bias={"5": 1.0}, tool_choice="required", extra={"logprobs": True, "n": 1},
    )  # fmt: skip
    with Loopback(Reply(shapes.chat())) as server:
        ask(server.url, "gpt-4o-mini", question(tools=(ADD,), sampling=sampling))
        ask(server.url, "ollama/llama3", question(sampling=sampling))

    sent = server.asked[0].body
    expected = {
        "temperature": 0.2, "top_p": 0.9, "max_completion_tokens": 77, "stop": ["END"], "seed": 5,
        "presence_penalty": 0.1, "frequency_penalty": 0.3, "logit_bias": {"5": 1.0}, "tool_choice": "required",
        "logprobs": True, "n": 1,
    }  # fmt: skip
    assert {name: sent[name] for name in expected} == expected
    assert server.asked[1].body["max_tokens"] == 77, "a server that is only compatible knows the old name for certain"


@pytest.mark.parametrize(("model", "sent"), [("gpt-5-mini", "low"), ("ollama/gpt-oss", "low")])
def test_reasoning_effort_is_sent_also_to_models_that_the_wire_library_does_not_know(model: str, sent: str) -> None:
    with Loopback(Reply(shapes.chat())) as server:
        ask(server.url, model, question(sampling=Sampling(reasoning_effort="low")))

    assert server.asked[0].body["reasoning_effort"] == sent


def test_responses_api_keeps_reasoning_to_send_it_back_to_the_same_provider() -> None:
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "opaque"}
    call = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "add", "arguments": '{"a":1}'}
    with Loopback(Reply(shapes.responses(reasoning, call))) as server:
        first = ask(server.url, "gpt-5-mini", question(tools=(ADD,)), api="responses")
        again = question(
            Message("user", "hello"), first.message(), Message("tool", "3", tool_call_id="c1", name="add"), tools=(ADD,)
        )
        ask(server.url, "gpt-5-mini", again, api="responses")

    assert first.usage == OPENAI
    assert first.tool_calls == (ToolCall("c1", "add", '{"a":1}'),)
    assert first.raw is not None
    sent = server.asked[1].body["input"]
    assert [item.get("type") for item in sent if item.get("type")] == [
        "reasoning",
        "function_call",
        "function_call_output",
    ]
    assert sent[1]["encrypted_content"] == "opaque"


def test_another_provider_gets_the_plain_parts_of_an_answer_with_raw_parts() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "signed"}
    body = shapes.anthropic(thinking, {"type": "text", "text": "hello"})
    with Loopback(Reply(body)) as server:
        answer = ask(server.url, "claude-sonnet-4-5")
        asked = question(Message("user", "a"), answer.message(), Message("user", "b"))
        ask(server.url, "claude-sonnet-4-5", asked)
    with Loopback(Reply(shapes.chat())) as other:
        ask(other.url, "gpt-4o-mini", asked)

    assert answer.thinking == "hm"
    assert server.asked[1].body["messages"][1]["content"][0]["signature"] == "signed"
    assert other.asked[0].body["messages"][1] == {"role": "assistant", "content": "hello"}


def test_usage_is_estimated_and_says_so_when_the_provider_sends_none() -> None:
    with Loopback(Reply(shapes.chat("12345678", usage=None))) as server:
        answer = ask(server.url)

    assert answer.usage.estimated
    assert answer.usage.output_tokens == 2
    assert answer.usage.input_tokens > 0


# --- structured output -------------------------------------------------------------------------------------------


def test_a_schema_goes_out_in_the_native_format_and_the_text_is_the_json() -> None:
    with Loopback(Reply(shapes.chat('{"name": "Rome"}'))) as server:
        answer = ask(server.url, "gpt-4o-mini", question(output=CITY))

    assert answer.text == '{"name": "Rome"}'
    assert server.asked[0].body["response_format"]["type"] == "json_schema"
    assert server.asked[0].body["response_format"]["json_schema"]["name"] == "City"


def test_without_a_native_format_a_tool_carries_the_answer() -> None:
    body = shapes.anthropic(
        {"type": "tool_use", "id": "c1", "name": "final_answer", "input": {"name": "Rome"}}, stop="tool_use"
    )
    with Loopback(Reply(body)) as server:
        answer = ask(server.url, "claude-3-haiku-20240307", question(output=CITY))

    assert answer.text.replace(" ", "") == '{"name":"Rome"}'
    assert (answer.tool_calls, answer.finish_reason, answer.raw) == ((), "stop", None)
    assert server.asked[0].body["tools"][0]["name"] == "final_answer"


def test_without_either_the_schema_is_asked_for_in_words() -> None:
    with Loopback(Reply(shapes.chat('{"name": "Rome"}'))) as server:
        answer = ask(server.url, "gpt-4o-mini", question(output=CITY), native_output=False)

    assert answer.text == '{"name": "Rome"}'
    assert "JSON schema" in str(server.asked[0].body["messages"])
    assert server.asked[0].body.get("response_format", {}).get("type") != "json_schema"


# --- streams -----------------------------------------------------------------------------------------------------


def test_a_streamed_answer_is_the_same_answer_and_its_pieces_are_heard() -> None:
    heard: list[Delta] = []
    with Loopback(
        Reply(chunks=shapes.chat_chunks({"role": "assistant"}, {"content": "hel"}, {"content": "lo"}))
    ) as server:
        answer = ask(server.url, on_delta=heard.append)

    assert (answer.text, answer.usage, answer.finish_reason) == ("hello", OPENAI, "stop")
    assert [(piece.kind, piece.text) for piece in heard] == [("text", "hel"), ("text", "lo")]
    assert server.asked[0].body["stream"] is True
    assert server.asked[0].body["stream_options"] == {"include_usage": True}


def test_streamed_tool_calls_are_counted_from_zero_and_named_once() -> None:
    heard: list[Delta] = []

    def piece(index: int, name: str | None, text: str) -> dict[str, Any]:
        call: dict[str, Any] = {"index": index, "function": {"arguments": text}}
        if name:
            call |= {"id": f"c{index}", "type": "function"}
            call["function"]["name"] = name
        return {"tool_calls": [call]}

    chunks = shapes.chat_chunks(
        {"content": "so"}, piece(0, "add", ""), piece(0, None, '{"a"'), piece(0, None, ":1}"), piece(1, "add", '{"a":2}'),
        finish="tool_calls",
    )  # fmt: skip
    with Loopback(Reply(chunks=chunks)) as server:
        answer = ask(server.url, asked=question(tools=(ADD,)), on_delta=heard.append)

    assert [(call.id, call.arguments) for call in answer.tool_calls] == [("c0", '{"a":1}'), ("c1", '{"a":2}')]
    calls = [piece for piece in heard if piece.kind == "tool_call"]
    assert [piece.tool_name for piece in calls if piece.tool_name] == ["add", "add"]
    assert "".join(piece.text for piece in calls if piece.tool_index == 0) == '{"a":1}'
    assert "".join(piece.text for piece in calls if piece.tool_index == 1) == '{"a":2}'


def test_an_answer_that_may_be_very_long_is_streamed_behind_the_scenes() -> None:
    with Loopback(Reply(chunks=shapes.anthropic_chunks("hello"))) as server:
        answer = ask(server.url, "claude-sonnet-4-5", question(sampling=Sampling()))

    assert (answer.text, answer.usage) == ("hello", Usage(1000, 400, 100, 50))
    assert server.asked[0].body["stream"] is True


def test_a_model_that_always_streams_needs_no_listener() -> None:
    with Loopback(Reply(chunks=shapes.anthropic_chunks("hello"))) as server:
        answer = ask(server.url, "claude-sonnet-4-5", stream=True)

    assert (answer.text, answer.usage) == ("hello", Usage(1000, 400, 100, 50))
    assert server.asked[0].body["stream"] is True
