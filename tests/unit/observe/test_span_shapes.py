"""What spans of steps alike have in common is made once, and is never another's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from jackstay.core.masking import Masking, Secrets
from jackstay.core.records import RunRow, StepRow
from jackstay.observe import span_names as names
from jackstay.observe.span_attributes import Describing
from jackstay.observe.span_shapes import Shapes

MASKING = Masking()
AT = datetime(2026, 11, 27, tzinfo=UTC)
RUN = RunRow("1", "crew", "research", AT)
CALL = StepRow(
    "1", "research#1/llm#1", "llm", "llm", "succeeded", "", AT, AT, agent="Analyst", task="research",
    model="openai/gpt-4o", result='{"finish_reason": "stop"}',
)  # fmt: skip
OTHERS: tuple[dict[str, Any], ...] = (
    {"status": "failed", "error": None}, {"attempts": 2}, {"flags": "streamed"}, {"agent": "Editor"}, {"agent": None}, {"task": "edit"},
    {"model": "openai/gpt-5"}, {"provider": "azure"}, {"answered_by": "gpt-4o-2024"}, {"result": '{"finish_reason": "length"}'},
    {"result": None}, {"rev": 2}, {"kind": "tool", "name": "look"}, {"kind": "task", "name": "look"}, {"kind": "task", "name": "see"},
)  # fmt: skip


def test_of_steps_alike_it_is_the_same_object():
    describing = Describing(RUN, Shapes(lambda: MASKING))

    first, second = (describing.of(path, replace(CALL, path=path, input_tokens=7), None) for path in ("a", "b"))

    assert first.common is second.common
    assert (first.own[names.PATH], second.own[names.PATH]) == ("a", "b")


@pytest.mark.parametrize("other", OTHERS)
def test_of_steps_that_differ_in_anything_it_is_another(other: dict[str, Any]):
    shapes, row = Shapes(lambda: MASKING), replace(CALL, **other)
    Describing(RUN, shapes).of(CALL.path, CALL, None)

    after_another, alone = (Describing(RUN, each).of(row.path, row, None) for each in (shapes, Shapes(lambda: MASKING)))

    assert (after_another.name, after_another.attributes) == (alone.name, alone.attributes)
    assert after_another.attributes != Describing(RUN, shapes).of(CALL.path, CALL, None).attributes


def test_secret_that_is_known_from_now_on_is_masked_from_now_on():
    masking = Masking()
    shapes = Shapes(lambda: masking)
    before = Describing(RUN, shapes).of("", replace(CALL, agent="Agent s3cr3t-0001"), None)

    masking = Masking(Secrets({"NEW": "s3cr3t-0001"}))
    after = Describing(RUN, shapes).of("", replace(CALL, agent="Agent s3cr3t-0001"), None)

    assert "s3cr3t-0001" in str(before.attributes)
    assert "s3cr3t-0001" not in str(after.attributes)


def test_names_that_never_come_again_are_forgotten():
    shapes = Shapes(lambda: MASKING)
    for number in range(2000):
        shapes.of_agent(f"Agent {number}")

    assert len(shapes._known[1]) <= 500
    assert shapes.of_agent("Agent 1999").name == "invoke_agent Agent 1999"
