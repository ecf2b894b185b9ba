"""Structural changes: what a patch makes of the old value is the new one, and it is small where little has changed."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jackstay.core.canonical import ordered_json
from jackstay.core.structure import SAME, patch, patched

LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(
    LEAVES | st.text(min_size=128, max_size=300),
    lambda inner: (
        st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=2) | st.sampled_from("=o-ast$"), inner)
    ),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Keys in the same order, too."""
    return ordered_json(one) == ordered_json(other)


@settings(max_examples=400)
@given(JSON, JSON)
@example(0.0, -0.0)
@example([0.0], [-0.0])
@example({"z": 1, "a": 2}, {"a": 2, "z": 1})
@example({"z": 1, "a": 2, "m": 3}, {"z": 1, "m": 4, "a": 2})
@example({"z": 1, "a": 2}, {"b": 3, "z": 1, "a": 2})
@example([{"z": 1, "a": 2}, 5], [{"a": 2, "z": 1}, 5])
def test_a_patch_makes_the_new_value_of_the_old_one(old: Any, new: Any) -> None:
    kept, change = copy.deepcopy(old), patch(old, new)

    assert (change is SAME) == same(old, new)
    if change is not SAME:
        assert same(patched(old, change), new)
    assert same(old, kept)


def edited(draw: random.Random, value: Any) -> Any:
    """The value with one leaf changed, one item added, moved or gone."""
    if isinstance(value, dict) and value and draw.random() < 0.9:
        key = draw.choice(sorted(value))
        return {**value, key: edited(draw, value[key])}
    if isinstance(value, list) and value and draw.random() < 0.9:
        at, items = draw.randrange(len(value)), list(value)
        match draw.randrange(4):
            case 0:
                items[at] = edited(draw, items[at])
            case 1:
                items.insert(at, draw.random())
            case 2:
                del items[at]
            case _:
                items.append(items.pop(0))
        return items
    return draw.random()


@pytest.mark.parametrize("seed", range(30))
def test_a_small_change_of_a_large_value_is_a_small_patch(seed: int) -> None:
    draw = random.Random(seed)
    old: Any = {
        "messages": [{"role": "user", "text": f"{draw.random()}" * 20, "n": n} for n in range(100)],
        "table": {f"row {n}": [draw.random() for _ in range(50)] for n in range(50)},
        "story": "once upon a time " * 1000,
    }
    for _ in range(20):
        new = edited(draw, old)
        change = patch(old, new)
        assert change is not SAME or same(old, new)
        made = patched(old, change) if change is not SAME else old
        assert same(made, new)
        assert len(ordered_json(change if change is not SAME else None)) < 1200
        old = new
        if not isinstance(old, dict) or not all(isinstance(part, list | dict | str) for part in old.values()):
            return


@pytest.mark.parametrize(
    ("old", "new", "most"),
    [
        ([1] * 10_000, [1] * 10_000 + [2], 40),
        ([1] * 10_000, [2] + [1] * 10_000, 40),
        ([[n] for n in range(5000)], [[n] for n in range(1, 5001)], 60),
        ([{"n": n} for n in range(5000)], [{"n": n + (n == 4000)} for n in range(5000)], 60),
        ("ab" * 5000, "ab" * 5000 + "c", 40),
        ("ab" * 5000, "ab" * 2000 + "x" + "ab" * 3000, 40),
        ({str(n): n for n in range(5000)}, {str(n): n for n in range(1, 5000)}, 40),
        ([0, 1] * 5000, [1, 0] * 5000, 200_000),
    ],
)
def test_what_comes_often_is_small(old: Any, new: Any, most: int) -> None:
    change = patch(old, new)

    assert same(patched(old, change), new)
    assert len(ordered_json(change)) <= most


@pytest.mark.parametrize(
    "change", [{"a": [[5, {"=": 1}]]}, {"o": {"x": {"a": []}}}, {"s": [[0, 1]]}, {"?": 1}, {"t": [0, 1]}, {}]
)
@pytest.mark.parametrize("old", [[1, 2], {"x": 3}, "text", None])
def test_a_patch_that_does_not_fit_is_refused_or_changes_no_other_value(old: Any, change: Any) -> None:
    kept = copy.deepcopy(old)
    try:
        patched(old, change)
    except ValueError:
        pass
    assert old == kept
