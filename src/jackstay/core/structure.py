"""What has changed between two JSON values, leaf by leaf: small beside a large value that changes a little. Pure.

A *patch* is one of these, as JSON:

* `{"=": value}`: this value instead;
* `{"o": {key: patch}, "-": [key]}`: of an object, the keys that have changed (or are new), and those that are gone;
* `{"a": [[index, patch]]}`: of a list, the items that have changed;
* `{"s": [[index, count, [item]]]}`: of a list, stretches that are replaced; indexes are those of the old list, ascending;
* `{"t": [start, end, text]}`: of a text, the stretch that is replaced.
"""

from __future__ import annotations

import marshal
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from jackstay.core.canonical import canonical_json

_TEXT = 128
"""A text that is shorter is stored whole."""
SAME: Any = object()
"""No patch is needed."""


def patch(old: Any, new: Any) -> Any:
    """What makes `new` of `old`; `SAME` if they are equal as JSON text (1, 1.0 and true are three values, and keys in another
    order another object)."""
    if isinstance(old, dict) and isinstance(new, dict):
        return _of_objects(old, new)
    if isinstance(old, list) and isinstance(new, list):
        return _of_lists(old, new)
    if _key(old) == _key(new):
        return SAME
    if isinstance(old, str) and isinstance(new, str) and len(old) >= _TEXT:
        return _of_texts(old, new)
    return {"=": new}


def patched(old: Any, change: Mapping[str, Any]) -> Any:
    """`old` with the patch. What has not changed is shared with `old`, which stays as it was. Raises `ValueError` for a patch
    that does not fit."""
    try:
        return _patched(old, change)
    except (AttributeError, KeyError, IndexError, TypeError) as error:
        raise ValueError(f"the change does not fit what is there: {error}") from error


def _patched(old: Any, change: Mapping[str, Any]) -> Any:
    kind = next(iter(change), "")
    if kind == "=":
        return change["="]
    if kind in ("o", "-"):
        made = {key: value for key, value in old.items() if key not in change.get("-", ())}
        for key, inner in change.get("o", {}).items():
            made[key] = _patched(made.get(key), inner)
        return made
    if kind == "a":
        items = list(old)
        for index, inner in change["a"]:
            items[index] = _patched(items[index], inner)
        return items
    if kind == "s":
        items = list(old)
        for index, count, new in reversed(change["s"]):
            items[index : index + count] = new
        return items
    if kind == "t":
        start, end, text = change["t"]
        return old[:start] + text + old[end:]
    raise ValueError(f"a change of the kind {kind!r} is not known to this version")


def _of_objects(old: Mapping[str, Any], new: Mapping[str, Any]) -> Any:
    if list(old) != list(new) and [
        *(key for key in old if key in new),
        *(key for key in new if key not in old),
    ] != list(new):
        return {"=": new}  # a patch keeps the order of keys, and here it is another one
    inner = {key: patch(old[key], value) if key in old else {"=": value} for key, value in new.items()}
    made: dict[str, Any] = {}
    if changed := {key: each for key, each in inner.items() if each is not SAME}:
        made["o"] = changed
    if gone := [key for key in old if key not in new]:
        made["-"] = gone
    return made or SAME


def _of_texts(old: str, new: str) -> Any:
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    if start + end < len(new) // 2:
        return {"=": new}
    return {"t": [start, len(old) - end, new[start : len(new) - end]]}


def _common(one: Sequence[Any], other: Sequence[Any]) -> int:
    """How long their beginnings are equal. (Halving: comparing slices is done in C.)"""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


# --- lists ---------------------------------------------------------------------------------------------------------


def _of_lists(old: Sequence[Any], new: Sequence[Any]) -> Any:
    if old == new and _key(old) == _key(new):  # (as most lists of a large value are)
        return SAME
    keys, news = [_key(item) for item in old], [_key(item) for item in new]
    start = _common(keys, news)
    if start == len(old) == len(new):
        return SAME
    end = _common(keys[start:][::-1], news[start:][::-1])
    middle, its = keys[start : len(old) - end], news[start : len(new) - end]
    found = [{"s": _stretches(middle, its, new, start)}]
    if len(middle) == len(its):
        pairs = ((start + at, patch(old[start + at], new[start + at])) for at in range(len(middle)))
        found.append({"a": [[index, each] for index, each in pairs if each is not SAME]})
    return min(found, key=lambda each: len(canonical_json(each)))


def _key(item: Any) -> Any:
    """Equal only for items that are equal as JSON. (Not JSON itself: numbers take five times as long to write there. Nothing is
    ever read from these bytes.)"""
    # Numbers as well: 0.0 equals -0.0, and is another value.
    return marshal.dumps(item, 2) if isinstance(item, dict | list | float) else (type(item), item)


def _stretches(old: Sequence[Any], new: Sequence[Any], items: Sequence[Any], start: int) -> list[list[Any]]:
    """`old` and `new` are the items' keys where the lists differ, from `start` on."""
    found: list[list[Any]] = []
    at_old = at_new = 0
    for index, other in [*_aligned(old, new), (len(old), len(new))]:
        if index > at_old or other > at_new:
            found.append([start + at_old, index - at_old, list(items[start + at_new : start + other])])
        at_old, at_new = index + 1, other + 1
    return found


def _aligned(old: Sequence[Any], new: Sequence[Any]) -> list[tuple[int, int]]:
    """Indexes of items that stay, in order: of equal ones the n-th is the n-th, and as many stay as can without crossing
    (the longest increasing subsequence)."""
    places: dict[Any, list[int]] = {}
    for index, key in enumerate(old):
        places.setdefault(key, []).append(index)
    seen: Counter[Any] = Counter()
    tails: list[int] = []  # of the best chain of each length, the old index of its end; and which pair that is
    ends: list[int] = []
    pairs: list[tuple[int, int, int]] = []  # old index, new index, the pair before
    for other, key in enumerate(new):
        number, of = seen[key], places.get(key, ())
        seen[key] += 1
        if number >= len(of):
            continue
        length = bisect_left(tails, of[number])
        pairs.append((of[number], other, ends[length - 1] if length else -1))
        tails[length : length + 1], ends[length : length + 1] = [of[number]], [len(pairs) - 1]
    found, at = [], ends[-1] if ends else -1
    while at >= 0:
        index, other, at = pairs[at]
        found.append((index, other))
    return found[::-1]
