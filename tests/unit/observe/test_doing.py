"""What is at work, from events."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from jackstay.core.events import Event, EventName
from jackstay.observe.doing import Doing
from jackstay.observe.figures import cost, plural, seconds

AT = datetime(2026, 1, 1, tzinfo=UTC)


def _told(doing: Doing, name: EventName, path: str, **data: Any) -> None:
    doing(Event(name, "run", path, AT, data))


def test_innermost_work_is_shown_with_what_it_does_and_the_sums():
    now = [0.0]
    doing = Doing(lambda: now[0])
    _told(doing, "method_started", "draft#1", method="draft")
    _told(doing, "task_started", "draft#1/crew~1#1/write#1", task="write", agent="Writer")
    _told(doing, "model_call_started", "draft#1/crew~1#1/write#1/llm#1", model="m", agent="Writer")
    now[0] = 2.0
    asking = doing.view()
    _told(doing, "model_call_finished", "draft#1/crew~1#1/write#1/llm#1", tokens=1200, cost_usd=Decimal("0.0012"))
    _told(doing, "tool_started", "draft#1/crew~1#1/write#1/tool:x#1", tool="x", arguments="")
    using = doing.view()
    _told(doing, "task_finished", "draft#1/crew~1#1/write#1", task="write", agent="Writer")

    assert asking.lines == ("Writer: write · asking m · 2.0s",)
    assert using.lines == ("Writer: write · using x · 2.0s",)
    assert using.sums == "1 call · 1,200 tokens · $0.0012 · 2.0s"
    assert doing.view().lines == ("draft() · 2.0s",)


def test_work_of_a_guardrail_and_of_a_condition_is_shown_until_it_has_decided():
    doing = Doing(lambda: 0.0)
    _told(doing, "task_started", "write#1", task="write", agent="Writer")
    _told(doing, "guardrail_started", "write#1/guardrail:short#1", guardrail="short")
    checking = doing.view().lines
    _told(doing, "guardrail_rejected", "write#1/guardrail:short#1", guardrail="short", error="too long")
    rejected = doing.view().lines
    _told(doing, "task_skipped", "write#1", task="write", agent="Writer")

    assert checking == ("Writer: write · checking by short · 0.0s",)
    assert rejected == ("Writer: write · 0.0s",)
    assert doing.view().lines == ()


def test_batch_is_shown_with_what_is_done_failed_and_running_and_the_time_that_is_left():
    now = [0.0]
    doing = Doing(lambda: now[0])
    _told(doing, "batch_started", "", batch="crew", items=10, done=0, failed=0, running=0)
    begun = doing.view().lines
    now[0] = 30.0
    _told(doing, "batch_progress", "", batch="crew", items=10, done=4, failed=1, running=2)
    going = doing.view().lines
    _told(doing, "batch_finished", "", batch="crew", items=10, done=10, failed=1, running=0)

    assert begun == ("crew: 0 of 10 items done · 0 running",)
    assert going == ("crew: 4 of 10 items done · 1 failed · 2 running · 45s left",)
    assert doing.view().lines == ()


def test_one_unknown_price_makes_the_sum_unknown():
    doing = Doing(lambda: 0.0)
    for usd in (Decimal(1), None, Decimal(1)):
        _told(doing, "model_call_finished", "llm#1", tokens=1, cost_usd=usd)

    assert doing.view().sums.startswith("3 calls · 3 tokens · — · ")


def test_figures_are_short_and_never_show_something_as_nothing():
    assert [cost(Decimal(usd)) for usd in ("0", "0.0000124", "0.00124", "1.239", "1200")] == [
        "$0",
        "$0.000012",
        "$0.0012",
        "$1.24",
        "$1,200.00",
    ]
    assert [seconds(s) for s in (0.0, 0.0004, 0.08, 0.31, 12.4, 59.6, 185, 7620)] == [
        "0.0s",
        "1ms",
        "80ms",
        "0.3s",
        "12s",
        "1m 00s",
        "3m 05s",
        "2h 07m",
    ]
    assert (plural(1, "call"), plural(1200, "call")) == ("1 call", "1,200 calls")
