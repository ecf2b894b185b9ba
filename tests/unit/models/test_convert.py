"""Our messages to the wire library's and back."""

from __future__ import annotations

import json

from pydantic_ai.messages import (
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.usage import RequestUsage

from jackstay.core.messages import Conversation, Message, Question, ToolCall
from jackstay.models import Endpoint
from jackstay.models.convert import to_answer, to_messages

HERE = Endpoint("openai", "m", "m")
ASKED = Question(("m",), Conversation.of([Message("user", "x")]))
USED = RequestUsage(input_tokens=1, output_tokens=1)


def test_neighbouring_requests_become_one_and_answers_stand_between() -> None:
    wire = to_messages(
        [
            Message("system", "s"),
            Message("user", "u"),
            Message("assistant", "", (ToolCall("1", "t", "{}"), ToolCall("2", "t", "{}"))),
            Message("tool", "a", tool_call_id="1", name="t"),
            Message("tool", "b", tool_call_id="2", name="t"),
            Message("assistant", "done"),
        ],
        "openai",
    )

    assert [type(message) for message in wire] == [ModelRequest, ModelResponse, ModelRequest, ModelResponse]
    assert [len(message.parts) for message in wire] == [2, 2, 2, 1]
    returned = wire[2].parts[1]
    assert isinstance(returned, ToolReturnPart)
    assert (returned.tool_call_id, returned.content) == ("2", "b")


def test_what_utf_8_cannot_say_is_sent_in_a_form_that_it_can() -> None:
    half, pair = "a \ud83d b ü", "\ud83d" + "\ude00"
    called = Message("assistant", half, (ToolCall("1", "t", half),))

    wire = to_messages([Message("user", pair), called, Message("tool", half, tool_call_id="1", name="t")], "openai")
    answer = to_answer(ModelResponse([TextPart(pair + half)], usage=USED), ASKED, HERE)

    sent = [part.args if isinstance(part, ToolCallPart) else part.content for each in wire for part in each.parts]  # type: ignore[union-attr]
    assert sent == ["\U0001f600", "a \ufffd b ü", "a \ufffd b ü", "a \ufffd b ü"]
    assert answer.text == "\U0001f600a \ufffd b ü"


def test_a_plain_answer_keeps_nothing_raw() -> None:
    response = ModelResponse([TextPart("a"), ToolCallPart("t", "{", "1")], usage=USED, finish_reason="tool_call")

    answer = to_answer(response, ASKED, HERE)

    assert answer.raw is None
    assert answer.tool_calls == (ToolCall("1", "t", "{"),)


def test_a_raw_answer_survives_the_journal_and_comes_back_as_it_was() -> None:
    parts: list[ModelResponsePart] = [
        ThinkingPart("hm", signature="s", provider_name="openai", provider_details={"k": [1]}),
        TextPart("a"),
    ]
    response = ModelResponse(parts, usage=USED, provider_name="openai", model_name="m", finish_reason="stop")
    answer = to_answer(response, ASKED, HERE)

    stored = Message.from_json(json.loads(json.dumps(answer.message().to_json())))
    again = to_messages([stored], "openai")[0]
    elsewhere = to_messages([stored], "anthropic")[0]

    assert answer.thinking == "hm"
    assert list(again.parts) == parts
    assert list(elsewhere.parts) == [TextPart("a")]


def test_arguments_given_as_an_object_become_json_text() -> None:
    response = ModelResponse([ToolCallPart("t", {"a": 1}, "1")], usage=USED)

    assert json.loads(to_answer(response, ASKED, HERE).tool_calls[0].arguments) == {"a": 1}
