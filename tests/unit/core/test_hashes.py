"""Golden hashes: a change of one of these values is a new HASH_VERSION, never an edit of this file alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackstay.core.canonical import HASH_VERSION, canonical_json, chain, digest
from jackstay.core.messages import (
    EMPTY_CHAIN,
    Answer,
    Conversation,
    Message,
    OutputSchema,
    Question,
    Sampling,
    ToolCall,
    ToolSpec,
)
from jackstay.core.usage import Usage

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def rich_question() -> Question:
    conversation = Conversation.of(
        [
            Message("system", "You are A."),
            Message("user", "Ünïcode?"),
            Message("assistant", "", (ToolCall("c1", "add", '{"a":1}'),)),
            Message("tool", "1", tool_call_id="c1", name="add"),
        ]
    )
    tool = ToolSpec("add", "Adds.", {"type": "object", "properties": {"a": {"type": "integer"}}})
    sampling = Sampling(temperature=0.2, max_tokens=100, stop=("X",), extra={"top_k": 3})
    return Question(("gpt-4o-mini",), conversation, (tool,), sampling, OutputSchema("Out", {"type": "object"}))


def test_hash_version_of_these_values() -> None:
    assert HASH_VERSION == 1


def test_canonical_json_golden() -> None:
    value = {"b": [1, 2.5, None, True], "a": 'é "x" \n', "z": {"y": -0.0, "x": 10**20}}

    text = canonical_json(value)

    assert text == '{"a":"é \\"x\\" \\n","b":[1,2.5,null,true],"z":{"x":100000000000000000000,"y":-0.0}}'
    assert digest(value) == "d99e612ec186e02fa1b859c5b53b7ec8d2b00ce46e76a652bcbe38d514e142a8"
    assert digest(value) == hashlib.sha256(text.encode()).hexdigest()


def test_chain_golden() -> None:
    link = chain(EMPTY_CHAIN, {"role": "user", "content": "hi"})

    assert link == "90c560cc0484d16be88081149418b8221e196c76ade38cb83740d4de6fcf4deb"
    assert link == hashlib.sha256(b"0" * 64 + b'\n{"content":"hi","role":"user"}').hexdigest()


def test_question_hashes_golden() -> None:
    plain = Question(("m",), Conversation.of([Message("user", "hi")]))

    assert plain.hash() == "81d56514ab1ba7e0da23d4a43beabb11564c3951de95d8f9f77f5fc288005b42"
    assert rich_question().hash() == "2665ea9afc0e2cd663924c93f09505c7499d4c0dd749ea0eaa609020e7cce830"
    assert digest(rich_question().settings()) == "497505ce5f13b66b35c78cca24672adab5de7f58f5fbb37124534701268fc59b"


@given(PLAIN)
def test_canonical_json_is_json_and_ignores_the_order_of_keys(value: object) -> None:
    def reversed_keys(part: object) -> object:
        if isinstance(part, dict):
            return {key: reversed_keys(part[key]) for key in reversed(part)}
        return [reversed_keys(item) for item in part] if isinstance(part, list) else part

    assert json.loads(canonical_json(value)) == value
    assert digest(reversed_keys(value)) == digest(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object(), b"x"])
def test_canonical_json_refuses_what_json_has_not(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical_json(value)


def test_a_lone_surrogate_has_a_hash() -> None:
    assert digest("\ud800") != digest("\ud801")


# --- equal questions hash equal -----------------------------------------------------------------------------------


def _with_message(question: Question, index: int, **changes: object) -> Question:
    messages = list(question.conversation.messages)
    messages[index] = replace(messages[index], **changes)  # type: ignore[arg-type]
    return replace(question, conversation=Conversation.of(messages))


def test_call_ids_and_raw_parts_do_not_change_a_hash() -> None:
    question = rich_question()
    other = _with_message(question, 2, tool_calls=(ToolCall("call_999", "add", '{"a":1}'),), raw={"signature": "s"})
    other = _with_message(other, 3, tool_call_id="call_999")

    assert other.hash() == question.hash()


@pytest.mark.parametrize(
    ("index", "changes"),
    [
        (0, {"content": "You are B."}),
        (0, {"role": "user"}),
        (2, {"tool_calls": (ToolCall("c1", "add", '{"a":2}'),)}),
        (2, {"tool_calls": (ToolCall("c1", "sub", '{"a":1}'),)}),
        (2, {"tool_calls": ()}),
        (3, {"name": "sub"}),
    ],
)
def test_what_is_asked_changes_a_hash(index: int, changes: dict[str, object]) -> None:
    assert _with_message(rich_question(), index, **changes).hash() != rich_question().hash()


@pytest.mark.parametrize(
    "changes",
    [
        {"models": ("gpt-4o",)},
        {"models": ("gpt-4o-mini", "gpt-4o")},
        {"tools": ()},
        {"sampling": Sampling(temperature=0.3, max_tokens=100, stop=("X",), extra={"top_k": 3})},
        {"sampling": Sampling(temperature=0.2, max_tokens=100, stop=("X",))},
        {"output": None},
        {"output": OutputSchema("Out", {"type": "object", "properties": {}})},
    ],
)
def test_settings_change_a_hash(changes: dict[str, object]) -> None:
    assert replace(rich_question(), **changes).hash() != rich_question().hash()  # type: ignore[arg-type]


def test_a_given_settings_digest_gives_the_same_hash() -> None:
    question = rich_question()

    assert question.hash(digest(question.settings())) == question.hash()


@given(st.lists(st.text(), max_size=6), st.integers(0, 6))
def test_adding_piecewise_gives_the_hash_of_the_whole(texts: list[str], cut: int) -> None:
    messages = [Message("user", text) for text in texts]

    piecewise = Conversation.of(messages[:cut]).add(*messages[cut:])

    assert piecewise == Conversation.of(messages)
    assert piecewise.messages == tuple(messages)


def test_messages_and_answers_survive_json() -> None:
    for message in rich_question().conversation.messages:
        assert Message.from_json(json.loads(canonical_json(message.to_json()))) == message
    answer = Answer("t", (ToolCall("i", "n", "{}"),), Usage(1), "m", "p", "length", "hm", {"x": 1})
    read = Answer.from_json(json.loads(canonical_json(answer.to_json())), usage=answer.usage, provider="p")
    assert read == answer
