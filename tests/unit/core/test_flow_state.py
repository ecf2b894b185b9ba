"""What rows tell of a flow's state: folded, they give the state back; a change fits only what it was made from."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest

from jackstay.core.canonical import canonical_json
from jackstay.core.flow_state import StateRecord, address, joined
from tests.unit.core.test_structure import edited


def texts(state: dict[str, Any]) -> dict[str, str]:
    return {name: canonical_json(value) for name, value in state.items()}


def large(draw: random.Random) -> dict[str, Any]:
    return {
        "messages": [{"text": f"{draw.random()}" * 10, "n": n} for n in range(60)],
        "table": {f"row {n}": [draw.random() for _ in range(20)] for n in range(20)},
        "small": 1,
    }


def body(parts: dict[str, str]) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(joined(parts))
    return said


@pytest.mark.parametrize("seed", range(10))
def test_the_rows_of_a_random_history_give_the_state_back(seed: int) -> None:
    draw = random.Random(seed)
    state = large(draw)
    record, bodies, sizes = StateRecord.of_texts(texts(state)), [], 0
    start = copy.deepcopy(state)
    for turn in range(60):
        name = draw.choice([*state, "new"])
        if name in state and draw.random() < 0.05:
            del state[name]
        else:
            state[name] = edited(draw, state[name]) if name in state else large(draw)["messages"]
        parts = record.change([name], texts(state), alone=turn % 7 != 0)
        bodies.append(body(parts))
        sizes += len(joined(parts)) if turn % 7 else 0

    again = StateRecord(json.loads(canonical_json(start)))
    for said in bodies:
        again.take(said)

    assert canonical_json(again.data) == canonical_json(record.data) == canonical_json(state)
    assert sizes < 8 * sum(map(len, texts(start).values()))


def test_a_change_is_refused_where_another_one_is_missing_and_changes_nothing() -> None:
    state = large(random.Random(1))
    record = StateRecord.of_texts(texts(state))
    start = json.loads(canonical_json(state))
    first: list[Any] = []
    second: list[Any] = []
    for said, text in ((first, "one"), (second, "two")):
        state["messages"].append({"text": text})
        said.append(body({**record.change(["messages"], texts(state)), "value": "1"}))
    again = StateRecord(start)

    with pytest.raises(ValueError, match="messages is not what it was"):
        again.take({**second[0], "state": {"small": 2}})

    assert again.data == start
    assert "edits" in second[0]
    again.take(first[0])
    again.take(second[0])
    assert again.data == state


def test_what_nothing_goes_on_from_is_told_whole_and_is_no_ground_for_what_follows() -> None:
    state = large(random.Random(2))
    record = StateRecord.of_texts(texts(state))
    start = json.loads(canonical_json(state))
    state["messages"].append("opaque")
    untold = body(record.untold(["messages"], texts(state)))
    state["messages"].append("after")

    told = body(record.change(["messages"], texts(state)))

    assert untold["state"]["messages"][-1] == "opaque"
    again = StateRecord(start)
    again.take(told)
    assert again.data == state


def test_numbers_of_other_types_are_changes() -> None:
    old = {"table": [[0, 1.0, True] * 200]}
    record = StateRecord.of_texts(texts(old))
    new = {"table": [[0, 1, 1] + [0, 1.0, True] * 199]}

    told = body(record.change(["table"], texts(new)))

    again = StateRecord(old)
    again.take(told)
    assert canonical_json(again.data) == canonical_json(new)


@pytest.mark.parametrize("state_id", ["x", "x" * 10_000, "\ud800", "a\0b", "ü", ""])
def test_an_address_is_short_and_its_own(state_id: str) -> None:
    assert len(address(state_id).encode()) <= 300
    assert address(state_id) != address(state_id + " ")
