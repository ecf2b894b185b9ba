"""Every body that the stub sends is what the official SDKs say a provider sends."""

from __future__ import annotations

import anthropic.types as at
import httpx2
import openai.types as ot
import openai.types.chat as oc
import openai.types.responses as orr
import pytest

from jackstay.core.usage import Usage
from jackstay.testing import Fault, Reply, tool_call
from tests.contract.stub.shapes import events, post, strict

REPLIES = {
    "text": Reply("Hello, world: a text of some length, so that it comes in several chunks. ✓ 漢字 🙂"),
    "empty": Reply(""),
    "tools": Reply(tool_calls=(tool_call("search", query="AI agents", limit=3), tool_call("save"))),
    "text and tool": Reply("Let me look.", (tool_call("search", query="x"),)),
    "thinking": Reply("Answer", thinking="I wonder about that for a while."),
    "cut by length": Reply("abc", finish_reason="length"),
    "filtered": Reply("", finish_reason="content_filter"),
    "usage": Reply("a", usage=Usage(1000, 400, 100, 50, 30)),
}
CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
RESPONSES = {"model": "gpt-4o-mini", "input": "hi"}
MESSAGES = {"model": "claude-sonnet-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}

each_reply = pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)


@each_reply
def test_chat_completion(stub, reply):
    stub.script([reply])

    answer = strict(oc.ChatCompletion, post(f"{stub.openai_url}/chat/completions", CHAT).json())

    assert (answer.choices[0].message.content or "") == reply.text
    assert [call.function.arguments for call in answer.choices[0].message.tool_calls or ()] == [
        call.arguments for call in reply.tool_calls
    ]


@each_reply
def test_chat_completion_chunks(stub, reply):
    stub.script([reply])
    body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}

    frames = events(post(f"{stub.openai_url}/chat/completions", body).text)

    assert frames[-1] == ("", "[DONE]")
    chunks = [strict(oc.ChatCompletionChunk, data) for _, data in frames[:-1]]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == reply.text
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


@each_reply
def test_response(stub, reply):
    stub.script([reply])

    answer = strict(orr.Response, post(f"{stub.openai_url}/responses", RESPONSES).json())

    assert answer.output_text == reply.text
    assert [one.arguments for one in answer.output if one.type == "function_call"] == [
        call.arguments for call in reply.tool_calls
    ]


@each_reply
def test_response_stream_events(stub, reply):
    stub.script([reply])

    frames = events(post(f"{stub.openai_url}/responses", {**RESPONSES, "stream": True}).text)

    read = [strict(orr.ResponseStreamEvent, data) for _, data in frames]
    assert [name for name, _ in frames] == [event.type for event in read]
    assert [event.sequence_number for event in read] == list(range(len(read)))
    assert "".join(event.delta for event in read if event.type == "response.output_text.delta") == reply.text


@each_reply
def test_message(stub, reply):
    stub.script([reply])

    answer = strict(at.Message, post(f"{stub.url}/v1/messages", MESSAGES).json())

    assert "".join(block.text for block in answer.content if block.type == "text") == reply.text


@each_reply
def test_message_stream_events(stub, reply):
    stub.script([reply])

    frames = events(post(f"{stub.url}/v1/messages", {**MESSAGES, "stream": True}).text)

    read = [strict(at.RawMessageStreamEvent, data) for name, data in frames if name != "ping"]
    assert read[0].type == "message_start"
    assert read[-1].type == "message_stop"
    texts = [
        event.delta.text for event in read if event.type == "content_block_delta" and event.delta.type == "text_delta"
    ]
    assert "".join(texts) == reply.text


def test_model_lists(stub):
    openai_list = httpx2.get(f"{stub.openai_url}/models", trust_env=False).json()
    anthropic_list = httpx2.get(f"{stub.url}/v1/models", headers={"anthropic-version": "2023-06-01"}, trust_env=False)

    assert [strict(ot.Model, one).id for one in openai_list["data"]]
    assert [strict(at.ModelInfo, one).id for one in anthropic_list.json()["data"]]
    assert stub.requests == []
    assert len(stub.other_requests) == 2


@pytest.mark.parametrize(
    "fault", ["400", "401", "403", "404", "429", "500", "503", "529", "quota", "context", "filter"]
)
def test_errors_have_the_providers_own_shape(stub, fault):
    stub.rule(Fault.parse(fault))

    chat = post(f"{stub.openai_url}/chat/completions", CHAT).json()
    message = post(f"{stub.url}/v1/messages", MESSAGES).json()

    strict(ot.ErrorObject, chat["error"])
    strict(at.ErrorResponse, message)


def test_answer_without_content_has_the_providers_own_shape(stub):
    stub.rule(Fault.no_choices())

    assert strict(oc.ChatCompletion, post(f"{stub.openai_url}/chat/completions", CHAT).json()).choices == []
    assert strict(orr.Response, post(f"{stub.openai_url}/responses", RESPONSES).json()).output == []
    assert strict(at.Message, post(f"{stub.url}/v1/messages", MESSAGES).json()).content == []
