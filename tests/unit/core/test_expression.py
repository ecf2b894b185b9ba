"""Expressions of declared flows: what they mean, and what is said of those that mean nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from jackstay.core.expression import parse
from jackstay.errors import ExpressionError


class Answer(BaseModel):
    raw: str = "high tide"
    marks: list[int] = [1, 2]

    @property
    def words(self) -> int:
        return 2

    def forget(self) -> None: ...


NAMES = {
    "state": {"score": 80, "topic": "tides", "rows": [{"n": 1}, {"n": 3}], "nothing": None, "odd-name": 1, "half": 0.5},
    "outputs": {"write": Answer()},
}


def value(text: str) -> Any:
    return parse(text, ("state", "outputs")).evaluate(NAMES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("state.score >= 80 ? 'qualified' : 'nurture'", "qualified"),
        ("state.topic + ' news'", "tides news"),
        ("outputs.write.raw", "high tide"),
        ("outputs.write.words + outputs.write.marks[1]", 4),
        ("state['odd-name']", 1),
        ("1 + 2 * 3 - -4", 11),
        ("(1 + 2) * 3", 9),
        ("10 - 3 - 2", 5),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("7 / 2.0", 3.5),
        ("0x10 + 1", 17),
        ("1e3", 1000.0),
        ("!(state.score < 3) && true || false", True),
        ("true || state.gone", True),
        ("false && state.gone", False),
        ("1 < 2 ? 1 < 1 ? 'a' : 'b' : 'c'", "b"),
        ("'de' in 'tides' ? 1 : 2", 1),
        ("3 in [1, 2, 3]", True),
        ("'topic' in state", True),
        ("state.nothing == null", True),
        ("1 == 1.0", True),
        ("true == 1", False),
        ("'1' == 1", False),
        ("[1, 'a'] + [state.half]", [1, "a", 0.5]),
        ("{'a': 1, state.topic: [2]}", {"a": 1, "tides": [2]}),
        ("size(state.rows) + size('abc') + state.rows.size()", 7),
        ("has(state.topic) && !has(state.gone) && !has(outputs.other)", True),
        ("state.rows.map(row, row.n * 10)", [10, 30]),
        ("state.rows.filter(row, row.n > 1)", [{"n": 3}]),
        ("state.rows.map(row, row.n > 1, row.n)", [3]),
        ("state.rows.exists(row, row.n == 3)", True),
        ("state.rows.all(row, row.n == 3)", False),
        ("state.rows.exists_one(row, row.n == 3)", True),
        ("[1, 2].map(n, [3].map(m, n + m)[0])", [4, 5]),
        ("string(3) + string(true) + string(1.5) + string(null)", "3true1.5null"),
        ("int('4') + int(2.9) + int(true)", 7),
        ("double('0.5')", 0.5),
        ("state.topic.contains('ide') && state.topic.startsWith('t') && state.topic.endsWith('s')", True),
        ("state.topic.matches('^t.d')", True),
        ("' A b '.trim().lowerAscii() + 'x'.upperAscii()", "a bX"),
        ("'a,b'.split(',')[1] + ['c', 'd'].join('-') + 'eee'.replace('e', 'f')", "bc-dfff"),
        (r"'it\'s' + " + '"\\n\\u00e9"', "it's\né"),
        (r"r'\d'", r"\d"),
        ("'''a'b'''", "a'b"),
        ("state.topic // a comment", "tides"),
    ],
)
def test_expressions_have_the_values_of_the_common_expression_language(text: str, expected: Any) -> None:
    found = value(text)

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the expression is empty"),
        ("state.", "column 7: a name is expected, and the expression ends"),
        ("state.topic =='a' 'b'", "column 19: nothing more is expected, and there is 'b'"),
        ("state.topic = 'a'", "column 13: '=' means nothing here; compare with =="),
        ("'open", "column 1: the text that begins here does not end"),
        ("(1 + 2", "column 7: ')' is expected, and the expression ends"),
        ("stat.topic", "column 1: there is no stat; did you mean state?"),
        ("state.rows.map(1, 2)", "column 16: a name is expected, and there is 1"),
        ("shout('a')", "column 1: there is no function shout"),
        ("state.topic.shout()", "column 13: there is no function shout"),
        ("state.topic.startsWith()", "column 13: startsWith takes 1 argument, and is given 0"),
        ("has(state)", "column 5: has takes a field, as has(state.topic)"),
        ("row.n", "column 1: there is no row; there is outputs, state"),
        ("state.a and state.b", "column 9: nothing more is expected, and there is 'and'; write &&"),
        ("(" * 500 + "1" + ")" * 500, "it is nested too deep"),
        ("1 @ 2", "column 3: '@' means nothing here"),
        ("'\\q'", r"column 1: \q means nothing in a text"),
        ("99999999999999999999.a.b(", "column 24: there is no function b"),
    ],
)
def test_what_means_nothing_is_refused_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(ExpressionError) as told:
        parse(text, ("state", "outputs"))

    assert problem in str(told.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("state.gone", "state has no gone; it has half, "),
        ("state.topic.x", "state.topic is a text and has no x"),
        ("state.nothing.x", "state.nothing is null and has no x"),
        ("outputs.write.forget", "outputs.write has no forget"),
        ("outputs.write.__class__", "outputs.write has no __class__"),
        ("state.rows[5]", "state.rows has no 5"),
        ("state.rows['a']", "state.rows is a list: its places are numbers, not 'a'"),
        ("state.score + 'a'", "+ does not fit 80 and 'a'"),
        ("state.score && true", "80 is not true or false"),
        ("state.topic ? 1 : 2", "'tides' is not true or false"),
        ("1 / 0", "it is divided by zero"),
        ("1.5 % 0", "it is divided by zero"),
        ("int('many')", "int('many'): it is no number"),
        ("state.topic < 3", "< does not fit 'tides' and 3"),
        ("size(3)", "size(3): it is no text, list or map"),
        ("state.topic.matches('(')", "matches: '(' is no regular expression"),
        ("[1].startsWith('a')", "startsWith is asked of a text, not of [1]"),
        ("state.score.map(x, x)", "map is asked of a list or a map, not of 80"),
    ],
)
def test_what_has_no_value_says_why(text: str, problem: str) -> None:
    with pytest.raises(ExpressionError) as told:
        value(text)

    assert problem in str(told.value)
    assert str(told.value).startswith(f"{text!r:.200}: ")


def test_text_that_is_in_templates_is_told_apart() -> None:
    assert parse("item.a + state.b", ("state", "item")).roots == {"item", "state"}


PARTS = ["state", "outputs", "item", ".", "[", "]", "(", ")", "{", "}", ",", ":", "?", "+", "-", "*", "/", "%", "==", "<=", "!",
         "&&", "||", " in ", "has(", "size(", ".map(", ".all(", ".split(", "x", "1", "2.5", "0x", "1e9", "'a'", "r'b", '"', "\\",
         "null", "true", " ", "score", "rows", "topic", "//", "é"]  # fmt: skip


@given(st.lists(st.sampled_from(PARTS), max_size=25).map("".join))
@settings(max_examples=500, deadline=None)
def test_whatever_is_written_has_a_value_or_is_refused_by_name(text: str) -> None:
    try:
        value(text)
    except ExpressionError as error:
        assert str(error)  # noqa: PT017 - any other exception fails the test


@pytest.mark.parametrize("text", ["1" + " + 1" * 20_000, "!" * 20_000 + "true", "state" + ".rows" * 20_000])
def test_what_is_too_long_to_be_evaluated_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match="too long"):
        value(text)
