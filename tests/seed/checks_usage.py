"""Rows on tokens and money: per run, per task, per kickoff, and what one does with them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from jackstay.core.usage import NO_USAGE, Usage
from jackstay.testing import Reply, Stub, StubRequest
from tests.seed import excerpts
from tests.seed.stage import Played, once, play


def _spent(requests: Iterable[StubRequest]) -> Usage:
    return sum((request.usage for request in requests if request.usage is not None), NO_USAGE)


# --- one run ---------------------------------------------------------------------------------------------------------


@once
def _used() -> Played:
    with Stub() as stub:
        return play("usage", stub=stub)


def token_usage() -> None:
    """The result's usage is what the provider counted, in every figure that the seed prints."""
    played = _used()
    usage = played.told["usage"]

    assert len(played.requests) == 3, "one round with the tool, one answer, one article"
    assert usage["prompt_tokens"] == played.usage.input_tokens > 0
    assert usage["completion_tokens"] == played.usage.output_tokens > 0
    assert usage["total_tokens"] == played.usage.total_tokens
    assert usage["successful_requests"] == 3


def per_task_usage() -> None:
    """Every task has its description, its whole output, and the usage of its own calls; together they are the run's."""
    played = _used()
    facts, article = played.told["tasks"]
    of_facts, of_article = _spent(played.requests[:2]), _spent(played.requests[2:])

    assert (facts["description"], article["description"]) == ("Collect facts on ports", "Write an article on ports")
    assert (facts["usage"]["total_tokens"], facts["usage"]["successful_requests"]) == (of_facts.total_tokens, 2)
    assert (article["usage"]["total_tokens"], article["usage"]["successful_requests"]) == (of_article.total_tokens, 1)
    assert facts["raw"] in played.requests[2].last_user, "the first task's whole output is the second's context"
    assert article["raw"] == played.told["raw"] != ""
    assert float(facts["cost_usd"]) + float(article["cost_usd"]) == float(played.told["cost_usd"]) > 0


def several_agents() -> None:
    """Each agent speaks for itself: its role in its own calls, its tool in nobody else's."""
    first, second, third = _used().requests

    assert "Collector" in first.system
    assert [tool.name for tool in first.tools] == [tool.name for tool in second.tools] == ["head_count"]
    assert "head_count" not in json.dumps(third.body)
    assert "Author" in third.system
    assert "Collector" not in third.system


@once
def _blocks_used() -> Played:
    with Stub(answer=lambda request: Reply("Nothing to add.", usage=Usage(200, output_tokens=50))) as stub:
        return play("usage_blocks", stub=stub, blocks={number: excerpts.block(number) for number in (3, 4, 5)})


def _said_by(number: int) -> list[str]:
    return _blocks_used().out.split(f"== {number}\n")[1].split("== ")[0].splitlines()


def token_usage_block() -> None:
    assert _said_by(3) == [
        "Total tokens: 500",
        "Prompt tokens: 400",
        "Completion tokens: 100",
        "Successful requests: 2",
    ]


def estimate_block() -> None:
    assert _said_by(4) == [f"Estimated cost: ${0.4 * 0.00015 + 0.1 * 0.0006:.4f}"]


def estimate() -> None:
    """The seed's function, with prices of any model; -1.0 for one that is unknown; for the run's own, what it cost."""

    def answer(_: StubRequest) -> Reply:
        return Reply("Noted.", usage=Usage(1000, cached_tokens=400, output_tokens=50))

    with Stub(answer=answer) as stub:
        told = play("estimate", stub=stub).told

    assert (told["usage"]["prompt_tokens"], told["usage"]["cached_prompt_tokens"]) == (1000, 400)
    assert told["cost_usd"] == "0.00015"
    assert told["estimates"] == {
        "gpt-4o-mini": 0.00015,
        "gpt-4o": 0.0025,
        "anthropic/claude-sonnet-4-5": 0.00267,
        "nobody/knows": -1.0,
    }


def per_task_block() -> None:
    length = len("Nothing to add.")

    assert _said_by(5) == [
        "Task 1: Collect facts on AI agents...",
        f"  Output length: {length} chars",
        "Task 2: Write an article on AI agents...",
        f"  Output length: {length} chars",
    ]
    assert len(_blocks_used().requests) == 6, "three kickoffs of two tasks"


# --- many runs -------------------------------------------------------------------------------------------------------


@once
def _booked() -> Played:
    def answer(request: StubRequest) -> Reply:
        return Reply("Noted.", usage=Usage(100 + request.index, output_tokens=50))

    with Stub(answer=answer) as stub:
        return play("ledger", "500", "rope", "tar", "oakum", stub=stub)


def _logged(played: Played) -> list[dict[str, Any]]:
    """The program's log, without the HTTP client's own lines at INFO."""
    return [json.loads(line) for line in played.err.splitlines() if not line.startswith("HTTP Request: ")]


def usage_per_run() -> None:
    """A second kickoff of the same crew counts its own calls only, although agent and model are shared."""
    played = _booked()
    booked = {line["topic"]: line for line in _logged(played)}

    for topic in ("rope", "tar"):
        requests = played.about(topic)
        assert len(requests) == 2
        assert booked[topic]["total_tokens"] == _spent(requests).total_tokens
        assert booked[topic]["successful_requests"] == 2
        assert booked[topic]["cost_usd"] > 0


def usage_looked_at() -> None:
    """A program that adds up `token_usage` stops before the run that it cannot afford."""
    played = _booked()

    assert played.told == {"spent": played.usage.total_tokens, "left_out": ["oakum"]}
    assert played.about("oakum") == []


def structured_logs() -> None:
    """Every line of the log is a JSON object that names its run; added up, the lines are the provider's bill."""
    played = _booked()
    lines = _logged(played)

    assert len({line["run_id"] for line in lines}) == len(lines) == 2
    assert all(re.fullmatch(r"[0-9a-f-]{36}", line["run_id"]) for line in lines)
    assert sum(line["total_tokens"] for line in lines) == played.usage.total_tokens
    assert all(line["event"] == "run" and line["ok"] and len(line["tasks"]) == 2 for line in lines)
