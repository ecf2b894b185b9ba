"""`jackstay usage`: for people, for programs, and what is said where there is nothing."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from jackstay.cli.moments import moment_of
from jackstay.cli.outcome import UsageError
from tests.e2e.cli.conftest import KICKOFF, PROGRAM, Folder

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def with_run(folder) -> Folder:
    folder.write("crew.py", PROGRAM, KICKOFF)
    assert folder.run("run", "crew.py", "--run-key", "monday").returncode == 0
    return folder


def told(folder: Folder, *arguments: str) -> dict:
    told: dict = json.loads(folder.here("usage", *arguments, "--json").stdout)
    return told


def test_groups_and_total_are_told_to_programs_and_agree_with_the_run(with_run):
    shown = json.loads(with_run.here("runs", "--json").stdout)[0]
    by_agent = told(with_run, "--by", "agent")

    assert [group["key"] for group in by_agent["groups"]] == ["Analyst", "Writer"]
    assert [group["calls"] for group in by_agent["groups"]] == [2, 1]
    for by in ("model", "crew", "agent", "task", "tool", "flow", "run", "day"):
        total = told(with_run, "--by", by)["total"]
        assert total["prompt_tokens"] + total["completion_tokens"] == shown["tokens"]
        assert total["cost_usd"] == shown["cost_usd"]
        assert (total["requests"], total["simulated"], total["lost"]) == (3, 3, 0)


def test_a_table_has_the_groups_a_total_and_what_is_to_be_said_of_it(with_run):
    shown = with_run.here("usage", "--by", "task", "--since", "1h", "--run", "monday")

    lines = shown.stdout.splitlines()
    assert [line.split()[0] for line in (lines[0], lines[2], lines[3], lines[-1])] == [
        "task",
        "research",
        "write",
        "total",
    ]
    assert "cancelled" not in shown.stdout
    assert "3 calls simulated" in shown.stderr
    assert "\x1b" not in shown.stdout


def test_csv_has_every_column_and_exact_money(with_run):
    rows = list(csv.DictReader(io.StringIO(with_run.here("usage", "--by", "day", "--csv").stdout)))

    assert len(rows) == 1
    assert rows[0]["day"] == f"{datetime.now(UTC).date()}"
    assert float(rows[0]["cost_usd"]) == told(with_run)["total"]["cost_usd"]
    assert {"cached_tokens", "cache_write_tokens", "reasoning_tokens", "retried", "lost_cost_usd"} <= rows[0].keys()


def test_nothing_is_said_to_be_nothing(with_run):
    later = with_run.here("usage", "--since", "2999-01-01")

    assert (later.exit_code, later.stdout) == (0, "")
    assert "no model calls since then" in later.stderr


def test_a_look_without_a_journal_makes_none(folder):
    shown = folder.here("usage", "--json")

    assert json.loads(shown.stdout)["groups"] == []
    assert "no runs yet" in shown.stderr
    assert not (folder.path / ".jackstay").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--by", "colour"), "known are model, crew"),
        (("--since", "monday"), "write 24h"),
        (("--json", "--csv"), "choose one"),
        (("--run", "nobody"), "there is no run 'nobody'"),
    ],
)
def test_a_mistake_says_what_to_write(with_run, arguments, words):
    shown = with_run.here("usage", *arguments)

    assert shown.exit_code != 0
    assert words in shown.stderr


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("24h", "2026-11-24T12:00+00:00"),
        ("90m", "2026-11-25T10:30+00:00"),
        ("2w", "2026-11-11T12:00+00:00"),
        ("2026-11-01", "2026-11-01T00:00+00:00"),
        ("2026-11-01T08:00+02:00", "2026-11-01T06:00+00:00"),
        ("999999w", "0001-01-01T00:00+00:00"),
    ],
)
def test_since_is_a_span_or_a_moment_in_utc(text, moment):
    assert moment_of(text, NOW, "--since") == datetime.fromisoformat(moment)


def test_since_is_not_a_number_alone():
    with pytest.raises(UsageError):
        moment_of("24", NOW, "--since")
