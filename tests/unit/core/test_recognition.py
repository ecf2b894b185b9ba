"""What a recogniser is given, and what becomes of its findings."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackstay.core.recognition import LONGEST, WITHHELD, Finding, Recognition, is_recognising, pieces, with_masked


def ada(text: str) -> list[Finding]:
    return [(*match.span(), "PERSON") for match in re.finditer("Ada Lovelace", text)]


def no_failure(error: Exception) -> None:
    raise AssertionError(error)


@given(st.integers(0, 3 * LONGEST), st.sampled_from(["x", "word ", "Ada\n", "ß ", " "]))
def test_long_text_is_given_in_pieces_and_what_stands_at_an_edge_is_found(before, filling):
    text = (filling * before)[:before] + " Ada Lovelace " + filling * 2000
    given: list[str] = []

    def recogniser(piece: str) -> list[Finding]:
        given.append(piece)
        return ada(piece)

    masked = Recognition(recogniser, failed=no_failure).text(text)

    assert masked == text.replace("Ada Lovelace", "<PERSON>")
    assert all(len(piece) <= LONGEST for piece in given)
    assert sum(map(len, given)) <= 1.1 * len(text)
    assert all(text[at:].startswith(piece) for at, piece in pieces(text))


@pytest.mark.parametrize(
    ("text", "findings", "shown"),
    [
        ("Ada and Bob", [(8, 11, "PERSON"), (0, 3, "PERSON")], "<PERSON> and <PERSON>"),
        ("Ada of Porto", [(0, 3, "PERSON"), (0, 12, "ORGANIZATION")], "<ORGANIZATION>"),
        ("Ada of Porto", [(0, 6, "PERSON"), (4, 12, "LOCATION")], "<PERSON>"),
        ("Ada <EMAIL_ADDRESS>", [(5, 10, "ORGANIZATION")], "Ada <EMAIL_ADDRESS>"),
        ("Ada [secret A_KEY] x", [(0, 11, "PERSON")], "<PERSON> x"),
        ("- Ada\n\n| Bob", [(2, 12, "PERSON")], "- <PERSON>\n\n<PERSON>"),
        ("Ada", [], "Ada"),
    ],
)
def test_findings_are_masked_and_what_was_masked_before_stays(text, findings, shown):
    assert with_masked(text, findings) == shown


@pytest.mark.parametrize(
    "findings",
    [[(0, 99, "PERSON")], [(-1, 2, "PERSON")], [(2, 2, "PERSON")], [(0, 2, "")], [(0, 2, 7)], [("0", 2, "A")], 7, None],
)
def test_text_with_findings_that_cannot_be_is_withheld(findings):
    told: list[Exception] = []

    assert Recognition(lambda _: findings, failed=told.append).text("Ada Lovelace") == WITHHELD
    assert len(told) == 1


def test_only_what_was_left_out_is_shown_and_figures_are_not_looked_at():
    asked: list[str] = []

    def recogniser(text: str) -> list[Finding]:
        asked.append(text)
        return [(0, 3, "PERSON"), (4, 9, "LOCATION"), (10, 13, "PROJECT")]

    recognition = Recognition(recogniser, left_out={"LOCATION"}, failed=no_failure)

    assert [recognition.text(text) for text in ("Ada Porto Jib", "Ada Porto Jib", "12.5 %", "")] == [
        "<PERSON> Porto <PROJECT>",
        "<PERSON> Porto <PROJECT>",
        "12.5 %",
        "",
    ]
    assert asked == ["Ada Porto Jib"]


def test_recogniser_that_tells_of_its_text_is_not_asked_about_that():
    told: list[str] = []

    def recogniser(text: str) -> list[Finding]:
        assert is_recognising()
        told.append(recognition.text(f"looking at {text}"))
        return ada(text)

    recognition = Recognition(recogniser, failed=no_failure)

    assert recognition.text("Ada Lovelace") == "<PERSON>"
    assert told == [WITHHELD]
    assert not is_recognising()
