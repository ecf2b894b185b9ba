"""Usage by group, on both databases, against sums made by hand."""

from __future__ import annotations

import random
import re
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from jackstay.core.records import Lease, Write
from jackstay.journal import Journal
from jackstay.journal.usage import GROUPINGS, UsageFilter, UsageRow, total
from tests.contract.journal.rows import (
    NOW,
    TIMEOUT_S,
    Place,
    a_reservation,
    a_run,
    a_settlement,
    a_step,
    the_end,
    write_step,
)

PAID: dict[str, Any] = {"model": "gpt-4o", "input_tokens": 100, "output_tokens": 10, "cost_pico": 1_000_000}


def keys(rows: list[UsageRow], name: str = "calls") -> dict[str | None, Any]:
    return {row.key: getattr(row, name) for row in rows}


def by(journal: Journal, group: Any, name: str = "calls", **more: Any) -> dict[str | None, Any]:
    return keys(journal.usage(UsageFilter(group, **more)), name)


def started(journal: Journal, run_id: str = "run-1", **fields: Any) -> Lease:
    lease: Lease = journal.create_run(a_run(run_id, **fields)).result(TIMEOUT_S)
    return lease


def test_an_empty_journal_has_used_nothing(journal: Journal) -> None:
    assert [journal.usage(UsageFilter(group)) for group in GROUPINGS] == [[]] * len(GROUPINGS)


def test_every_column_is_the_sum_of_the_calls(journal: Journal) -> None:
    lease = started(journal)
    tokens = {
        "input_tokens": 100,
        "cached_tokens": 40,
        "cache_write_tokens": 7,
        "output_tokens": 20,
        "reasoning_tokens": 5,
    }
    write_step(
        journal, lease, "t#1/llm#1", model="a", attempts=3, cost_pico=2_500_000, flags="streamed,simulated", **tokens
    )
    write_step(journal, lease, "t#1/llm#2", model="a", status="failed", attempts=2, error="{}")
    write_step(journal, lease, "t#1/llm#3", model="a", status="cancelled", flags="cancelled,estimated", input_tokens=9)
    write_step(journal, lease, "t#1/tool:x#1", kind="tool", input_tokens=999)
    write_step(journal, lease, "t#1/llm#4", model="a", origin_run_id="run-0", **tokens)

    (row,) = journal.usage(UsageFilter("model"))

    assert row == UsageRow("a", 3, 6, 1, 1, 2, 0, 1, 1, 1, 109, 40, 7, 20, 5, 2_500_000, 0)
    assert (row.cost_usd, row.known_usd) == (None, Decimal("0.0000025"))


def test_a_call_without_usage_and_cost_is_not_an_unknown_price(journal: Journal) -> None:
    write_step(journal, started(journal), "t#1/llm#1", status="failed", error="{}", model="a")

    (row,) = journal.usage(UsageFilter("model"))

    assert (row.unpriced, row.cost_usd) == (0, Decimal(0))


def test_calls_are_grouped_by_what_stands_in_their_row(journal: Journal) -> None:
    lease = started(journal)
    write_step(journal, lease, "t#1/llm#1", agent="Ann", task="t", started_at=NOW, **PAID)
    write_step(
        journal, lease, "u#1/llm#1", agent="Bob", task="u", started_at=NOW + timedelta(hours=11, minutes=29), **PAID
    )
    write_step(journal, lease, "llm~0123456789#1", started_at=NOW + timedelta(hours=11, minutes=30), **PAID)

    assert by(journal, "agent") == {"Ann": 1, "Bob": 1, None: 1}
    assert by(journal, "task") == {"t": 1, "u": 1, None: 1}
    assert by(journal, "run") == {"run-1": 3}
    assert by(journal, "day") == {"2026-03-01": 2, "2026-03-02": 1}
    assert by(journal, "model") == {"gpt-4o": 3}


def test_a_call_belongs_to_the_innermost_tool_that_caused_it(journal: Journal) -> None:
    lease = started(journal)
    inside = "go#1/outer~0123456789#1/mytool:x#1/tool:dig#1"
    for path in ("t#1/llm#1", f"{inside}/llm~0123456789#1", f"{inside}/inner~0123456789#1/d#1/tool:sift%2Fx#2/llm#1"):
        write_step(journal, lease, path, **PAID)
    write_step(journal, lease, "a/tool:not-a-scope#1", **PAID)

    assert by(journal, "tool") == {"dig": 1, "sift/x": 1, None: 2}


def test_a_call_belongs_to_the_innermost_crew_and_flow(journal: Journal) -> None:
    flow, crew = started(journal, kind="flow", name="F"), started(journal, "run-2", kind="crew", name="Top")
    outer = "go#1/the_outer~0123456789#1"
    inner = f"{outer}/t#1/tool:dig#1/sub~0123456789#1"
    below = f"{inner}/go#1/inner~0123456789#1"
    for path in ("go#1/llm~0123456789#1", f"{outer}/t#1/llm#1", f"{inner}/go#1/llm~0123456789#1", f"{below}/t#1/llm#1"):
        write_step(journal, flow, path, **PAID)
    write_step(journal, flow, outer, kind="crew", name="The outer")
    write_step(journal, flow, inner, kind="flow", name="Sub")
    write_step(journal, flow, below, kind="crew", name="Inner")
    write_step(journal, crew, "t#1/llm#1", **PAID)
    write_step(journal, flow, f"{outer[:-1]}2/t#1/llm#1", **PAID)  # the same question once more

    assert by(journal, "crew") == {None: 1, "The outer": 3, "Inner": 1, "Top": 1}
    assert by(journal, "flow") == {"F": 3, "Sub": 2, None: 1}


def test_groups_of_any_paths_are_those_that_the_whole_path_says(journal: Journal) -> None:
    """The database cuts paths short, from the front where there is one tool or kickoff, from the end where there are
    more; here they are read whole."""
    lease, draw = started(journal, kind="script", name="main.py"), random.Random(7)
    parts = ("t#1", "u#12", "go#3", "tool:dig#1", "tool:a%2Fb#11", "mytool:x#1", "c~0123456789#1", "d_e~abcdef0123#10")
    paths = {"/".join([*draw.choices(parts, k=draw.randint(0, 5)), "llm~0123456789#2"]) for _ in range(400)}
    steps = tuple(a_step(path=path, task="t", **PAID) for path in sorted(paths))
    journal.write(Write(lease, steps=steps)).result(TIMEOUT_S)

    def innermost(pattern: str) -> dict[str | None, int]:
        return dict(Counter((re.findall(pattern, path) or [None])[-1] for path in paths))

    tools = {
        key and key.replace("%2F", "/"): count for key, count in innermost(r"(?:^|/)tool:([^/#]*)#\d+(?=/)").items()
    }
    assert by(journal, "tool") == tools
    assert by(journal, "crew") == innermost(r"(?:^|/)(\w+)~\w+#\d+(?=/)")


def test_a_crew_that_has_not_ended_is_called_as_in_its_path(journal: Journal) -> None:
    lease = started(journal, kind="script", name="main.py")
    write_step(journal, lease, "the_crew~0123456789#1/t#1/llm#1", task="t", **PAID)

    assert by(journal, "crew") == {"the_crew": 1}
    assert by(journal, "flow") == {None: 1}


def test_a_call_that_a_fallback_answered_is_the_fallback_s_and_each_request_is_its_model_s(journal: Journal) -> None:
    lease = started(journal)
    path = "t#1/llm#1"
    for attempt, (model, outcome) in enumerate([("a", "rate_limited"), ("a", "rate_limited"), ("b", "answered")], 1):
        journal.write(Write(lease, reservations=(a_reservation(path=path, attempt=attempt, model=model),))).result(
            TIMEOUT_S
        )
        settled = a_settlement(path=path, attempt=attempt, outcome=outcome)
        journal.write(Write(lease, settlements=(settled,))).result(TIMEOUT_S)
    row = a_step(path=path, attempts=3, tried="[]", answered_by="b-2026", **{**PAID, "model": "a"})
    journal.write(Write(lease, steps=(row,))).result(TIMEOUT_S)

    assert by(journal, "model") == {"a": 0, "b": 1}
    assert by(journal, "model", "requests") == {"a": 2, "b": 1}
    assert by(journal, "model", "known_pico") == {"a": 0, "b": 1_000_000}
    assert by(journal, "agent", "requests") == {None: 3}


def test_lost_requests_are_counted_beside_the_others_with_what_they_cost_at_most(
    journal: Journal, place: Place
) -> None:
    lease = started(journal)
    path = "t#1/tool:dig#1/llm~0123456789#1"
    journal.write(Write(lease, reservations=(a_reservation(path=path, model="a"),))).result(TIMEOUT_S)
    place.let_leases_expire()
    other = place.open()
    again = other.take_up("run-1").result(TIMEOUT_S).lease
    step = a_step(path=path, agent="Ann", task="t", **{**PAID, "model": "a"})
    other.write(Write(again, steps=(step,), end=the_end())).result(TIMEOUT_S)

    (row,) = other.usage(UsageFilter("agent"))
    found = {group: by(other, group, "lost") for group in GROUPINGS}
    other.close()

    assert (row.key, row.calls, row.requests, row.lost, row.lost_usd) == ("Ann", 1, 1, 1, Decimal("0.000005"))
    assert (row.known_usd, row.cost_usd) == (Decimal("0.000001"), Decimal("0.000001"))
    assert found == {
        "model": {"a": 1}, "crew": {"research": 1}, "agent": {"Ann": 1}, "task": {"t": 1}, "tool": {"dig": 1},
        "flow": {None: 1}, "run": {"run-1": 1}, "day": {"2026-03-01": 1},
    }  # fmt: skip


def test_only_calls_of_these_runs_and_since_then_are_summed(journal: Journal) -> None:
    one, two = started(journal), started(journal, "run-2", name="other")
    write_step(journal, one, "t#1/llm#1", started_at=NOW, **PAID)
    write_step(journal, one, "t#1/llm#2", started_at=NOW + timedelta(seconds=1), **PAID)
    write_step(journal, two, "t#1/llm#1", started_at=NOW + timedelta(seconds=1), **PAID)

    assert by(journal, "run", since=NOW + timedelta(seconds=1)) == {"run-1": 1, "run-2": 1}
    assert by(journal, "run", run_ids=("run-1",)) == {"run-1": 2}
    assert by(journal, "crew", since=NOW + timedelta(seconds=1), run_ids=("run-2",)) == {"other": 1}


@pytest.mark.parametrize("group", GROUPINGS)
def test_groups_add_up_to_the_same_total(journal: Journal, group: Any) -> None:
    lease = started(journal)
    for path in ("t#1/llm#1", "u#1/tool:x#1/llm~0123456789#1", "go#1/c~0123456789#1/t#1/llm#1"):
        write_step(journal, lease, path, **PAID)

    whole = total(journal.usage(UsageFilter(group)))

    assert (whole.calls, whole.requests, whole.prompt_tokens, whole.known_usd) == (3, 3, 300, Decimal("0.000003"))
