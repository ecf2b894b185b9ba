"""Equal questions answered from the journal, where an `LLM` asks for it; and prompts marked for the provider's cache."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from jackstay import LLM, Agent, Budget, Crew, Task
from jackstay.testing import StubRequest
from jackstay.tools import tool
from tests.e2e.ledger import Ledger


def crew_of(llm: LLM, description: str = "Write", tools: Any = ()) -> Crew:
    agent = Agent(role="Writer", goal="g", backstory="b", llm=llm, tools=list(tools))
    return Crew(agents=[agent], tasks=[Task(description=description, expected_output="Text", agent=agent)])


def test_equal_question_is_answered_without_a_request_at_no_cost(stub, runtime):
    llm = LLM("gpt-4o-mini", cache_ttl_s=60)
    first = crew_of(llm).kickoff()

    second = crew_of(llm).kickoff(budget=Budget(calls=0))

    assert len(stub.requests) == 1
    assert second.raw == first.raw
    assert second.cost_usd == Decimal(0)
    assert (second.token_usage.total_tokens, second.token_usage.successful_requests) == (0, 0)
    hit = next(call for call in Ledger.of(runtime).calls if call.flags == "cached")
    saved = json.loads(hit.request or "{}")["saved"]
    assert (Decimal(saved["cost_usd"]), saved["tokens"]) == (first.cost_usd, first.token_usage.total_tokens)
    assert saved["from"][0] == first.run_id
    assert runtime.journal.bill(second.run_id).recorded.requests == 0


@pytest.mark.parametrize(
    "other",
    [
        lambda: crew_of(LLM("gpt-4o-mini")),
        lambda: crew_of(LLM("gpt-4o", cache_ttl_s=60)),
        lambda: crew_of(LLM("gpt-4o-mini", cache_ttl_s=60, temperature=0.5)),
        lambda: crew_of(LLM("gpt-4o-mini", cache_ttl_s=60), "Write more"),
        lambda: crew_of(LLM("gpt-4o-mini", cache_ttl_s=0)),
    ],
    ids=["not asked for", "another model", "another setting", "another question", "too old"],
)
def test_anything_else_is_asked(stub, runtime, other):
    crew_of(LLM("gpt-4o-mini", cache_ttl_s=60)).kickoff()
    other().kickoff()
    assert len(stub.requests) == 2


def test_another_server_of_the_same_name_is_asked(stub, runtime):
    crew_of(LLM("gpt-4o-mini", cache_ttl_s=60)).kickoff()
    crew_of(LLM("gpt-4o-mini", cache_ttl_s=60, base_url=stub.openai_url.replace("127.0.0.1", "localhost"))).kickoff()
    assert len(stub.requests) == 2


def test_hit_of_a_resumed_run_is_its_record(stub, runtime):
    llm = LLM("gpt-4o-mini", cache_ttl_s=60)
    crew_of(llm).kickoff()
    crew_of(llm).kickoff(run_key="k")
    crew_of(llm).kickoff(run_key="k")
    assert len(stub.requests) == 1


def test_failure_is_not_remembered(stub, runtime):
    llm = LLM("gpt-4o-mini", cache_ttl_s=60)
    stub.fault_at(0, "400")
    with pytest.raises(Exception, match="400"):
        crew_of(llm).kickoff()
    assert crew_of(llm).kickoff().raw


def test_anthropics_prompts_are_marked_for_its_cache_where_asked(stub, runtime):
    @tool
    def look_up(query: str) -> str:
        """Finds facts."""
        return "facts"

    crew_of(LLM("anthropic/claude-sonnet-4-5", prompt_caching=True), tools=[look_up]).kickoff()
    crew_of(LLM("anthropic/claude-sonnet-4-5"), tools=[look_up]).kickoff()

    marked, plain = stub.requests[0], stub.requests[-1]
    assert _marks(marked) >= 2
    assert _marks(plain) == 0


def test_mark_is_no_part_of_the_question(stub, runtime):
    def crew(**more: Any) -> Crew:
        return crew_of(LLM("anthropic/claude-sonnet-4-5", cache_ttl_s=60, **more))

    crew().kickoff()
    crew(prompt_caching=True).kickoff()
    assert len(stub.requests) == 1


def _marks(request: StubRequest) -> int:
    return json.dumps(request.body).count("cache_control")
