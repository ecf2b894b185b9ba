"""The dashboard, the alerts and the page: what they ask for is what is exposed, and their settings work as they stand."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml
from typer.testing import CliRunner

from jackstay import Agent, Crew, Runtime, Task
from jackstay.cli.app import app
from jackstay.observe.metrics import COUNTED, OF_JOURNAL, OF_PROCESS, STORED, Metric
from tests.docs.pages import ROOT
from tests.e2e.metrics.scraping import Scraped, free_port

PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
OF_PROMETHEUS = {"job", "instance"}
"""Labels that a scrape adds."""


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["metrics", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(printed("--dashboard"))
    return found


def rules() -> list[dict[str, Any]]:
    [group] = yaml.safe_load(printed("--alerts"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def expressions() -> dict[str, str]:
    """By where each stands."""
    found = {
        f"{panel['title']} {target['refId']}": target["expr"].replace("$__rate_interval", "5m")
        for panel in dashboard()["panels"]
        for target in panel.get("targets", ())
    }
    return found | {rule["alert"]: rule["expr"] for rule in rules()}


def asked_for(node: Any) -> Iterator[tuple[str, set[str]]]:
    """Every series of an expression, with the labels that are looked at around it."""
    if isinstance(node, promql.VectorSelector):
        assert node.name is not None
        yield node.name, {matcher.name for matcher in node.matchers.matchers}
    elif isinstance(node, promql.MatrixSelector):
        yield from asked_for(node.vector_selector)
    elif isinstance(node, promql.AggregateExpr):
        grouped = set(node.modifier.labels) if node.modifier is not None else set()
        yield from ((name, labels | grouped) for name, labels in asked_for(node.expr))
    elif isinstance(node, promql.BinaryExpr):
        yield from asked_for(node.lhs)
        yield from asked_for(node.rhs)
    elif isinstance(node, promql.Call):
        for argument in node.args:
            yield from asked_for(argument)
    elif isinstance(node, promql.ParenExpr | promql.UnaryExpr | promql.SubqueryExpr):
        yield from asked_for(node.expr)
    else:
        assert isinstance(node, promql.NumberLiteral | promql.StringLiteral), node


@pytest.mark.parametrize(("where", "expression"), expressions().items(), ids=expressions().keys())
def test_every_expression_parses_and_asks_for_what_is_exposed(day, where, expression):
    series = list(asked_for(promql.parse(expression)))

    assert series
    for name, labels in series:
        assert name in day.scraped.labels, f"{where}: {name} is not exposed"
        assert labels <= day.scraped.labels[name] | OF_PROMETHEUS, f"{where}: {name} has no label {labels}"


def test_legends_and_texts_name_labels_that_their_expressions_keep():
    texts = [
        (target["expr"].replace("$__rate_interval", "5m"), target["legendFormat"])
        for panel in dashboard()["panels"]
        for target in panel.get("targets", ())
    ]
    texts += [(rule["expr"], text) for rule in rules() for text in rule["annotations"].values()]

    for expression, text in texts:
        named = set(re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", text))
        kept = set.intersection(*(labels for _, labels in asked_for(promql.parse(expression))))
        assert named <= kept, (expression, text)


def test_dashboard_and_alerts_are_whole():
    board, alerts = dashboard(), rules()

    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"]) > 20
    assert {panel["datasource"]["uid"] for panel in board["panels"] if panel["type"] != "row"} == {"${datasource}"}
    assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource", "job"]
    assert {alert["labels"]["severity"] for alert in alerts} == {"info", "warning", "critical"}
    assert all(alert["annotations"].keys() == {"summary", "description"} for alert in alerts)


def test_page_lists_every_metric_with_its_labels():
    table = PAGE.partition("<!-- metrics -->")[2].partition("<!-- /metrics -->")[0]
    listed = {
        name: set(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(r"^\| `(\w+)` \|([^|]*)\|", table, re.MULTILINE)
    }

    assert listed == {exposed(metric): set(metric.labels) for metric in (*COUNTED, *OF_PROCESS, *OF_JOURNAL, *STORED)}


def exposed(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.kind == "counter" else metric.name


def block(language: str, after: str) -> str:
    found = re.search(rf"## {after}.*?```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def test_settings_of_the_page_are_scraped_as_the_page_says(tmp_path: Path):
    scrape, toml = yaml.safe_load(block("yaml", "Prometheus")), block("toml", "Prometheus")
    [job] = scrape["scrape_configs"]
    [target] = job["static_configs"][0]["targets"]
    host, _, port = target.partition(":")
    assert tomllib.loads(toml)["metrics"]["port"] == int(port)
    # Any port but the page's: another program may have that one.
    mine = free_port()
    (tmp_path / "jackstay.toml").write_text(toml.replace(port, str(mine)), encoding="utf-8")
    agent = Agent(role="Writer", goal="Write", backstory="b", llm="sim/demo")
    crew = Crew(name="desk", agents=[agent], tasks=[Task(description="d", expected_output="Text", agent=agent)])

    with Runtime(folder=tmp_path, environ={"HOME": str(tmp_path)}):
        crew.kickoff()
        scraped = Scraped.of(f"http://{host}:{mine}{job['metrics_path']}")

    assert scraped.sum("jackstay_runs_total", name="desk", status="succeeded") == 1
    assert f"jackstay metrics --alerts > {scrape['rule_files'][0]}" in PAGE


def test_metrics_of_the_journal_are_its_sums(day, monkeypatch):
    monkeypatch.chdir(day.folder)
    stored = Scraped.read(CliRunner(env=day.environ).invoke(app, ["metrics"]).stdout)

    assert stored.sum("jackstay_stored_runs") == len(day.ledger.runs)
    assert stored.sum("jackstay_stored_runs", status="failed", reason="budget") == 1
    assert stored.by("jackstay_stored_model_requests", "model") == {
        (row.key,): row.requests for row in day.usage if row.requests
    }
    for name in ("calls", "tokens", "cost_usd"):
        live = day.scraped.by(f"jackstay_model_{name}_total", "model")
        assert stored.by(f"jackstay_stored_model_{name}", "model") == pytest.approx(live)
    for metric in ("waits_open", "breaker_failures", "budget_left_usd"):
        assert stored.sum(f"jackstay_{metric}") == day.scraped.sum(f"jackstay_{metric}") > 0
    assert not stored.sum("jackstay_runs_total")
