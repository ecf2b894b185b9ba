"""The official clients, synchronous and not, streaming and not, understand the stub."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal

import anthropic
import openai
import pytest
from pydantic import BaseModel

from jackstay.core.usage import Usage
from jackstay.testing import Reply, Stub, input_tokens, tool_call

USER: Any = {"role": "user", "content": "Write 30 words about AI agents"}
SCHEMA = {
    "type": "object",
    "properties": {"query": {"type": "string"}, "limit": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["query", "limit"],
    "additionalProperties": False,
}
CHAT_TOOL = {"type": "function", "function": {"name": "search", "description": "Search", "parameters": SCHEMA}}
RESPONSES_TOOL = {"type": "function", "name": "search", "description": "Search", "parameters": SCHEMA, "strict": True}
ANTHROPIC_TOOL = {"name": "search", "description": "Search", "input_schema": SCHEMA}


class Rating(BaseModel):
    title: str
    verdict: Literal["good", "bad"]
    score: int


def test_chat_completion_answers_and_counts(stub, openai_client):
    answer = openai_client.chat.completions.create(model="gpt-4o-mini", messages=[USER])

    assert len(answer.choices[0].message.content.split()) == 30
    request = stub.requests[0]
    assert answer.usage.prompt_tokens == request.usage.input_tokens == input_tokens(request.body)
    assert answer.usage.completion_tokens == request.usage.output_tokens
    assert stub.total_usage() == request.usage


def test_chat_stream_has_the_text_and_the_usage_of_the_whole_answer(stub, openai_client):
    whole = openai_client.chat.completions.create(model="gpt-4o-mini", messages=[USER])
    with openai_client.chat.completions.stream(
        model="gpt-4o-mini", messages=[USER], stream_options={"include_usage": True}
    ) as stream:
        streamed = stream.get_final_completion()

    assert streamed.choices[0].message.content == whole.choices[0].message.content
    assert streamed.usage.total_tokens == whole.usage.total_tokens
    assert [request.stream for request in stub.requests] == [False, True]


@pytest.mark.parametrize("streamed", [False, True])
def test_chat_tool_round(openai_client, streamed):
    messages = [USER]

    def ask():
        options = {"model": "gpt-4o-mini", "messages": messages, "tools": [CHAT_TOOL]}
        if not streamed:
            return openai_client.chat.completions.create(**options).choices[0].message
        with openai_client.chat.completions.stream(**options) as stream:
            return stream.get_final_completion().choices[0].message

    first = ask()
    call = first.tool_calls[0]
    assert json.loads(call.function.arguments)["query"] == "AI agents"
    messages += [first.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True)]
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "Seven vendors"}]

    assert "Seven vendors" in ask().content


def test_chat_structured_output_is_parsed(openai_client):
    answer = openai_client.chat.completions.parse(model="gpt-4o-mini", messages=[USER], response_format=Rating)

    assert isinstance(answer.choices[0].message.parsed, Rating)


@pytest.mark.parametrize("streamed", [False, True])
def test_responses_tool_round(openai_client, streamed):
    def ask(items):
        options = {"model": "gpt-4o-mini", "input": items, "tools": [RESPONSES_TOOL], "instructions": "Be brief."}
        if not streamed:
            return openai_client.responses.create(**options)
        with openai_client.responses.stream(**options) as stream:
            return stream.get_final_response()

    first = ask([USER])
    call = first.output[0]
    assert (call.type, json.loads(call.arguments)["query"]) == ("function_call", "AI agents")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "Seven vendors"}

    assert "Seven vendors" in ask([USER, call.model_dump(exclude_none=True), result]).output_text


def test_responses_structured_output_is_parsed(openai_client):
    assert isinstance(
        openai_client.responses.parse(model="gpt-4o-mini", input="Rate it", text_format=Rating).output_parsed, Rating
    )


@pytest.mark.parametrize("streamed", [False, True])
def test_anthropic_tool_round(stub, anthropic_client, streamed):
    def ask(messages):
        options = {
            "model": "claude-sonnet-5", "max_tokens": 500, "system": "You are Analyst. x", "messages": messages,
            "tools": [ANTHROPIC_TOOL],
        }  # fmt: skip
        if not streamed:
            return anthropic_client.messages.create(**options)
        with anthropic_client.messages.stream(**options) as stream:
            return stream.get_final_message()

    first = ask([USER])
    call = first.content[0]
    assert (first.stop_reason, call.type, call.input["query"]) == ("tool_use", "tool_use", "AI agents")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "Seven vendors"}]}
    second = ask([USER, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}])

    assert "Seven vendors" in second.content[0].text
    assert second.usage.input_tokens == stub.requests[1].usage.input_tokens
    assert stub.requests[1].messages[-1].name == "search"


def test_anthropic_structured_output_is_parsed(anthropic_client):
    answer = anthropic_client.messages.parse(
        model="claude-sonnet-5", max_tokens=500, messages=[USER], output_format=Rating
    )

    assert isinstance(answer.parsed_output, Rating)


def test_cached_and_reasoning_tokens_arrive_as_each_provider_counts_them(stub, openai_client, anthropic_client):
    stub.rule(Reply("a", usage=Usage(1000, 400, 100, 50, 30)))

    chat = openai_client.chat.completions.create(model="gpt-4o-mini", messages=[USER]).usage
    message = anthropic_client.messages.create(model="claude-sonnet-5", max_tokens=9, messages=[USER]).usage

    assert (chat.prompt_tokens, chat.prompt_tokens_details.cached_tokens) == (1000, 400)
    assert chat.completion_tokens_details.reasoning_tokens == 30
    assert (message.input_tokens, message.cache_read_input_tokens, message.cache_creation_input_tokens) == (
        500,
        400,
        100,
    )


def test_model_lists_are_read_by_the_clients(openai_client, anthropic_client):
    assert "gpt-4o-mini" in [model.id for model in openai_client.models.list()]
    assert "claude-sonnet-5" in [model.id for model in anthropic_client.models.list()]
    assert openai_client.models.retrieve("gpt-4o-mini").id == "gpt-4o-mini"
    with pytest.raises(openai.NotFoundError):
        openai_client.models.retrieve("gpt-0")


def test_anthropic_counts_tokens_before_a_call(stub, anthropic_client):
    counted = anthropic_client.messages.count_tokens(model="claude-sonnet-5", messages=[USER])
    used = anthropic_client.messages.create(model="claude-sonnet-5", max_tokens=9, messages=[USER]).usage

    assert counted.input_tokens == used.input_tokens


def test_broken_tool_arguments_arrive_as_written(stub, openai_client):
    broken = tool_call("search")
    stub.script([Reply(tool_calls=(type(broken)(broken.id, "search", '{"query": '),))])

    answer = openai_client.chat.completions.create(model="gpt-4o-mini", messages=[USER])

    assert answer.choices[0].message.tool_calls[0].function.arguments == '{"query": '


def test_asynchronous_clients():
    async def main():
        async with Stub() as stub:
            async with (
                openai.AsyncOpenAI(base_url=stub.openai_url, api_key="k") as chat,
                anthropic.AsyncAnthropic(base_url=stub.url, api_key="k") as claude,
            ):
                stream: Any = await chat.chat.completions.create(model="gpt-4o-mini", messages=[USER], stream=True)
                text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
                response = await chat.responses.create(model="gpt-4o-mini", input=[USER])
                async with claude.messages.stream(model="claude", max_tokens=500, messages=[USER]) as events:
                    message: Any = await events.get_final_message()
            return text, response.output_text, message.content[0].text, len(stub.requests)

    text, response, message, count = asyncio.run(main())

    # One brain behind three wires.
    assert text == response == message
    assert count == 3


def test_two_hundred_requests_are_in_flight_at_once():
    async def main():
        async with Stub() as stub, openai.AsyncOpenAI(base_url=stub.openai_url, api_key="k", timeout=60) as client:
            with stub.held():
                calls = [
                    asyncio.ensure_future(client.chat.completions.create(model="gpt-4o-mini", messages=[USER]))
                    for _ in range(200)
                ]
                await asyncio.to_thread(stub.wait_for, lambda s: s.in_flight == 200, 60)
            answers = await asyncio.gather(*calls)
        return stub.max_in_flight, len(answers), sorted(request.in_flight for request in stub.requests)

    most, answered, seen = asyncio.run(main())

    assert (most, answered) == (200, 200)
    assert seen == list(range(1, 201))
