"""Tools in plain text: what an answer asks for; tool-call debris is never an answer."""

from __future__ import annotations

import pytest

from jackstay.core.react import Action, is_debris, parse, without_debris

CALL = 'Thought: I need it\nAction: search\nAction Input: {"q": "bees"}'


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        (CALL, '{"q": "bees"}'),
        (f"{CALL}\nObservation: made up by the model", '{"q": "bees"}'),
        ('Action: search\nAction Input: ```json\n{"q": 1}\n```', '{"q": 1}'),
        ('Action: `search`\nAction Input: {"q": 1}', '{"q": 1}'),
        ("Action: **search**\nAction Input: {}", "{}"),
        ('  Action :  search  \n  Action Input :\n{\n "q": 1\n}', '{\n "q": 1\n}'),
        ("Action: search\nAction Input:", ""),
    ],
)
def test_an_action_is_read(text: str, arguments: str) -> None:
    assert parse(text) == Action("search", arguments)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Thought: I know the final answer\nFinal Answer: 42", "42"),
        ("Final Answer:\nline one\nline two", "line one\nline two"),
        ("just an answer", "just an answer"),
        (f"Final Answer: 42\n{CALL}", "42"),
        (f"Final Answer: 42\n\n{CALL}\nObservation: x", "42"),
    ],
)
def test_an_answer_is_read(text: str, answer: str) -> None:
    assert parse(text) == answer
    assert without_debris(text) == answer


def test_an_action_before_a_final_answer_is_executed_first() -> None:
    assert parse(f"{CALL}\nObservation: guessed\nFinal Answer: guessed") == Action("search", '{"q": "bees"}')


@pytest.mark.parametrize(
    "text", ["", "  \n", CALL, "Thought: hm", "Action: search", "Action Input: {}", "Observation: x", f"Well.\n{CALL}"]
)
def test_debris_is_recognised(text: str) -> None:
    assert is_debris(text)


@pytest.mark.parametrize(
    "text",
    [
        "an answer",
        "Thought: done\nFinal Answer: x",
        "The thought: it is good",
        "Minutes\n\nDecision: go\nAction: call the client on Monday",
        "Report\nObservation: the sky was clear",
    ],
)
def test_an_answer_is_not_debris(text: str) -> None:
    assert not is_debris(text)
