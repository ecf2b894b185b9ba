"""What a model reads of JSON, code and Markdown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackstay.core.readable import readable


@pytest.mark.parametrize("is_ascii", [True, False])
@given(before=st.text(max_size=20), after=st.text(max_size=20))
def test_name_inside_json_stands_alone_and_is_found_where_it_was(before, after, is_ascii):
    name = json.dumps("Zoë Müller", ensure_ascii=is_ascii)[1:-1]
    text = json.dumps({"before": before, "who": "Zoë Müller", "after": [after]}, ensure_ascii=is_ascii)

    read = readable(text)

    at = read.text.index(" Zoë Müller ") + 1
    start, end = read.given(at), read.given(at + len("Zoë Müller"))
    assert text[start:end] == name
    read.text.encode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('look(topic="Ada")', "look topic Ada"),
        ("**Ada** | `Bob`", "Ada Bob"),
        (r"{\"who\":\"Ada\\nBob\"}", "who : Ada Bob"),
        ("O'Brien of C:/x", "O'Brien of C:/x"),
        ("\ud83d", "\ufffd"),
    ],
)
def test_marks_between_words_are_read_as_spaces(text, words):
    assert readable(text).text.split() == words.split()
