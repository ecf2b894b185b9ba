"""What is exposed after real runs: the journal's figures, the stub's count, and no label that could be anything."""

from __future__ import annotations

from collections import Counter

import pytest

from jackstay.errors import ModelError
from jackstay.metrics import exposition, registry
from jackstay.observe.metrics import COUNTED, OF_JOURNAL, OF_PROCESS
from jackstay.testing import Fault
from tests.e2e.metrics.conftest import SECRET, TOPIC, crew
from tests.e2e.metrics.scraping import Scraped


def test_requests_are_those_that_the_stub_has_received(day):
    sent = day.scraped.sum("jackstay_model_requests_total")

    assert sent - day.scraped.sum("jackstay_model_requests_total", provider="custom") == day.requests
    assert day.scraped.by("jackstay_model_requests_total", "model") == {
        (row.key,): row.requests for row in day.usage if row.requests
    }
    outcomes = day.scraped.by("jackstay_model_requests_total", "model", "outcome")
    assert outcomes["gpt-4.1", "server_error"] == 2
    assert outcomes["gpt-4.1", "answered"] == 1
    assert outcomes["gpt-4.1-nano", "authentication"] == 1
    assert outcomes["o4-mini", "cancelled"] == 1


def test_calls_tokens_and_cost_of_each_model_are_the_ledgers(day):
    calls = day.scraped.by("jackstay_model_calls_total", "model")
    tokens = day.scraped.by("jackstay_model_tokens_total", "model", "type")
    cost = day.scraped.by("jackstay_model_cost_usd_total", "model")

    assert calls == {(row.key,): row.calls for row in day.usage if row.calls}
    for row in day.usage:
        assert tokens.get((row.key, "input"), 0) == row.prompt_tokens
        assert tokens.get((row.key, "output"), 0) == row.completion_tokens
        assert cost.get((row.key,), 0) == pytest.approx(float(row.known_usd))
    assert sum(cost.values()) > 0
    assert day.scraped.sum("jackstay_run_cost_usd_total") == pytest.approx(sum(cost.values()))
    assert day.scraped.by("jackstay_model_calls_unpriced_total", "provider", "model") == {("custom", "parrot"): 1}


def test_every_call_names_its_provider_failed_ones_too(day):
    failed = day.scraped.by("jackstay_model_calls_total", "provider", "model", "status")

    assert failed["openai", "gpt-4.1-nano", "failed"] == 1
    assert failed["openai", "o4-mini", "cancelled"] == 1
    assert failed["anthropic", "anthropic/claude-sonnet-4-5", "succeeded"] == 5
    assert {provider for provider, *_ in failed} == {"openai", "anthropic", "custom"}
    assert [one for one in day.scraped.samples if "" in one.labels.values()] == []


def test_runs_are_those_of_the_journal_a_batch_beside_its_items(day):
    expected = Counter((run.kind, run.status, run.reason or "none") for run in day.ledger.runs)

    assert day.scraped.by("jackstay_runs_total", "kind", "status", "reason") == expected
    assert expected["batch", "succeeded", "none"] == 1
    assert day.scraped.sum("jackstay_runs_total", name="items", kind="crew") == 2
    assert {(status, reason) for _, status, reason in expected} == {
        ("succeeded", "none"), ("failed", "error"), ("failed", "budget"), ("waiting", "none"), ("cancelled", "interrupted"),
    }  # fmt: skip
    assert day.scraped.sum("jackstay_runs_started_total", start="new") == len(day.ledger.runs)
    assert day.scraped.sum("jackstay_run_duration_seconds_count") == len(day.ledger.runs)
    assert day.scraped.sum("jackstay_run_queue_seconds_count") == len(day.ledger.runs)


def test_kickoffs_inside_of_runs_are_kickoffs_and_no_runs(day):
    kickoffs = day.scraped.by("jackstay_kickoffs_total", "kind", "name", "status")

    assert kickoffs["crew", "inner", "succeeded"] == 1
    assert kickoffs["flow", "evening", "succeeded"] == 1
    assert day.scraped.sum("jackstay_runs_total", name="inner") == 0


def test_steps_and_tools_are_the_rows_of_the_journal(day):
    rows = Counter((step.kind, step.status) for step in day.ledger.steps)
    counted = day.scraped.by("jackstay_steps_total", "kind", "status")

    assert counted == {key: n for key, n in rows.items() if key[0] not in ("llm", "tool", "crew", "flow", "agent")}
    assert counted["task", "succeeded"] > 10
    assert day.scraped.by("jackstay_tool_calls_total", "tool", "status") == {
        ("look_up", "succeeded"): rows["tool", "succeeded"]
    }
    assert rows["tool", "succeeded"] > 0


def test_retries_fallbacks_limits_budgets_and_waits(day):
    scraped = day.scraped

    assert scraped.by("jackstay_retries_total", "kind") == {("model",): 2}
    assert scraped.by("jackstay_fallbacks_total", "model") == {("gpt-4o",): 5}
    assert scraped.by("jackstay_breaker_open", "breaker").keys() == {
        (name,) for (name,) in scraped.by("jackstay_breaker_failures", "breaker") if name.endswith("gpt-4o")
    }
    assert scraped.sum("jackstay_breaker_open") == 1
    assert scraped.sum("jackstay_limiter_wait_seconds_count") == 1
    assert scraped.sum("jackstay_limiter_wait_seconds_sum") > 0.1
    assert scraped.by("jackstay_budgets_exceeded_total", "scope") == {("run",): 2}
    assert scraped.by("jackstay_waits_open", "kind") == {("budget",): 1}


def test_budget_left_is_what_the_ledger_leaves(day):
    scraped, used = day.scraped, sum(float(row.known_usd) for row in day.usage)

    assert scraped.by("jackstay_budget_usd", "budget") == {("project",): 5}
    assert scraped.sum("jackstay_budget_left_usd", budget="project") == pytest.approx(5 - used)
    assert scraped.sum("jackstay_budget_left_calls", budget="project") == 1000 - sum(row.requests for row in day.usage)
    assert scraped.sum("jackstay_runs_running") == 0
    assert scraped.sum("jackstay_journal_up") == 1


def test_labels_hold_no_secret_and_no_run(day):
    names = {name for (name,) in day.scraped.by("jackstay_runs_total", "name")}

    assert SECRET not in day.scraped.text
    assert "desk of [secret CANARY_API_KEY]" in names
    assert [run.id for run in day.ledger.runs if run.id[:13] in day.scraped.text] == []


def test_resumed_run_counts_what_it_does_and_not_what_was_done_before(make_runtime, stub):
    stub.rule(Fault.http(401), user="Write 1", times=1)
    made = crew("desk", "gpt-4o-mini", tasks=2)
    make_runtime()
    with pytest.raises(ModelError) as failed:
        made.kickoff(inputs=TOPIC)
    make_runtime()
    registry()

    made.kickoff(inputs=TOPIC, resume=failed.value.run_id)

    scraped = Scraped.read(exposition())
    assert scraped.by("jackstay_runs_started_total", "start") == {("resumed",): 1}
    assert scraped.by("jackstay_runs_total", "status") == {("succeeded",): 1}
    assert scraped.sum("jackstay_run_queue_seconds_count") == 0
    assert scraped.by("jackstay_steps_reused_total", "kind") == {("task",): 1}
    assert scraped.sum("jackstay_model_calls_total") == scraped.sum("jackstay_model_requests_total") == 1
    assert len(stub.requests) == 3


def test_metric_names_follow_prometheus_conventions(day):
    kinds = {metric.name: metric.kind for metric in (*COUNTED, *OF_PROCESS, *OF_JOURNAL)}

    for name in {one.name for one in day.scraped.samples}:
        base = name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        kind = kinds[base if kinds.get(base) == "histogram" else name.removesuffix("_total")]
        assert name.endswith("_total") is (kind == "counter")
        assert (kind == "histogram") is (name != base and base.endswith("_seconds"))
