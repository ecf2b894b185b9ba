"""Paths: escaping, numbering, hashing, the limit of 512 bytes, and that two steps never share one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackstay.core.paths import MAX_PATH_BYTES, escape, hashed, numbered, parent_of, slug

HASH = "0123456789abcdef" * 4
NAMES = st.text(min_size=1, max_size=80)
PARTS = st.tuples(NAMES, st.integers(1, 10**6))


def path_of(parts: list[tuple[str, int]]) -> str:
    path = ""
    for name, number in parts:
        path = numbered(path, name, number)
    return path


def test_the_grammar() -> None:
    assert numbered("", "research", 1) == "research#1"
    assert numbered("research#1", "llm", 3) == "research#1/llm#3"
    assert hashed("review#2", "write", HASH, 1) == "review#2/write~0123456789#1"
    assert hashed("", "write", "my-key", 2) == "write~my-key#2"


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("plain name", "plain name"),
        ("a/b", "a%2Fb"),
        ("a#1", "a%231"),
        ("a~b", "a%7Eb"),
        ("50%", "50%25"),
        ("new\nline", "new%0Aline"),
        ("ünïcode", "ünïcode"),
    ],
)
def test_escape(name: str, escaped: str) -> None:
    assert escape(name) == escaped


@given(NAMES, NAMES)
def test_two_names_never_escape_to_one(first: str, second: str) -> None:
    assert (escape(first) == escape(second)) == (first == second)
    assert not set(escape(first)) & set("/#~\n\x00")


@given(st.lists(PARTS, min_size=1, max_size=6))
def test_the_parent_of_a_short_path_is_its_scope(parts: list[tuple[str, int]]) -> None:
    path = path_of(parts)

    if len(path.encode()) < MAX_PATH_BYTES and not path.startswith("~"):
        assert parent_of(path) == path_of(parts[:-1])


@given(st.lists(PARTS, min_size=1, max_size=30))
def test_a_path_has_at_most_512_bytes_however_deep(parts: list[tuple[str, int]]) -> None:
    assert len(path_of(parts).encode("utf-8", "surrogatepass")) <= MAX_PATH_BYTES


@given(st.lists(PARTS, min_size=1, max_size=12), st.lists(PARTS, min_size=1, max_size=12))
def test_two_places_never_share_a_path(first: list[tuple[str, int]], second: list[tuple[str, int]]) -> None:
    assert (path_of(first) == path_of(second)) == (first == second)


def test_long_paths_that_differ_only_at_the_front_stay_two() -> None:
    deep = [("x" * 60, 1)] * 12

    paths = {path_of([("a", 1), *deep]), path_of([("b", 1), *deep]), path_of([*deep, ("a", 1)])}

    assert len(paths) == 3
    assert all(path.startswith("~") for path in paths)


@given(NAMES, st.text(max_size=80), st.text(max_size=80), st.integers(1, 3), st.integers(1, 3))
def test_two_keys_never_share_a_path(name: str, first: str, second: str, i: int, k: int) -> None:
    assert (hashed("s#1", name, first, i) == hashed("s#1", name, second, k)) == ((first, i) == (second, k))


def test_keys_of_ones_own_that_begin_alike_stay_two() -> None:
    assert hashed("", "step", "customer-1001", 1) != hashed("", "step", "customer-1002", 1)


@given(NAMES, NAMES)
def test_a_hashed_step_is_never_a_numbered_one(name: str, other: str) -> None:
    assert hashed("", name, HASH, 1) != numbered("", other, 1)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Research {topic} & more!", "research_topic_more"),
        ("", "task"),
        ("日本", "task"),
        ("a" * 50, "a" * 40),
        ("word " * 20, "word_word_word_word_word_word_word_word"),
    ],
)
def test_slug(text: str, key: str) -> None:
    assert slug(text) == key
