"""`[prices]` of jackstay.toml in runs: what calls cost, what is stored with them, and when a mistake is said."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace

import pytest

import jackstay
from jackstay import LLM, Agent, BaseLLM, Budget, Crew, Task, UsageMetrics
from jackstay.errors import BudgetExceeded, ConfigurationError
from tests.e2e.ledger import Ledger


class Echo(BaseLLM):
    def call(self, *args, **more):
        return "x" * 400


def crew_of(llm, **options) -> Crew:
    agent = Agent(role="Writer", goal="g", backstory="b", llm=llm)
    return Crew(agents=[agent], tasks=[Task(description="Write", expected_output="Text", agent=agent)], **options)


@pytest.fixture
def prices(tmp_path, make_runtime):
    """Writes the section and makes the runtime."""

    def write(text: str):
        (tmp_path / "jackstay.toml").write_text(text)
        return make_runtime()

    return write


def test_own_prices_are_what_a_run_costs_and_their_version_is_stored_with_the_call(stub, prices):
    runtime = prices('[[prices."openai/gpt-4o"]]\ninput_mtok = 0.1\noutput_mtok = 0.3\nfrom = 2026-01-01\n')

    output = crew_of("openai/gpt-4o").kickoff()

    used = stub.total_usage()
    assert output.cost_usd == (used.input_tokens * Decimal("0.1") + used.output_tokens * Decimal("0.3")) / 1_000_000
    (call,) = Ledger.of(runtime).calls
    assert call.price_version is not None
    assert call.price_version.startswith("jackstay.toml openai/gpt-4o from 2026-01-01 ")


def test_a_class_of_one_s_own_has_the_price_that_is_given_for_its_name(stub, prices):
    runtime = prices("[prices.echo]\ninput_mtok = 0\noutput_mtok = 5\n")

    output = crew_of(Echo("echo")).kickoff()

    assert output.cost_usd == Decimal("0.0005")  # 400 characters are estimated at 100 tokens
    assert Ledger.of(runtime).calls[0].flags == "estimated"


def test_a_call_to_a_class_of_one_s_own_is_held_in_budgets_at_its_worst(stub, prices):
    prices("[prices.echo]\ninput_mtok = 0\noutput_mtok = 5\n")

    assert crew_of(Echo("echo"), budget=Budget(usd=0.1)).kickoff().cost_usd == Decimal("0.0005")
    with pytest.raises(BudgetExceeded):
        crew_of(Echo("echo"), budget=Budget(usd=0.01)).kickoff()


@pytest.mark.parametrize("llm", ["openai/gpt-4o", Echo("echo")])
def test_a_mistake_is_said_before_any_request(stub, prices, tmp_path, llm):
    prices('[prices."gpt-4o"]\ninput_mtok = "3"\noutput_mtok = 0\n')

    with pytest.raises(ConfigurationError) as caught:
        crew_of(llm).kickoff()

    assert str(caught.value).startswith(f"{tmp_path / 'jackstay.toml'}: prices.gpt-4o.input_mtok is '3'; ")
    assert stub.requests == []


def test_an_estimate_uses_the_list_and_needs_no_key(make_runtime):
    make_runtime(environ={})

    assert jackstay.estimate_cost(SimpleNamespace(prompt_tokens=400, completion_tokens=100)) == 0.00012
    cached = UsageMetrics(prompt_tokens=1000, cached_prompt_tokens=400, completion_tokens=50)
    assert jackstay.estimate_cost(cached, model="anthropic/claude-sonnet-4-5") == 0.00267
    assert jackstay.estimate_cost({"prompt_tokens": 1_000_000}, "gpt-4o-mini") == 0.15


def test_an_estimate_of_an_unknown_model_is_minus_one(make_runtime):
    make_runtime(environ={})

    assert [jackstay.estimate_cost({}, model) for model in ("mystery", "nobody/x", "ollama/llama3", "")] == [-1.0] * 4


def test_an_estimate_uses_own_prices_first(stub, prices):
    prices(
        "[prices.'gpt-4o-mini']\ninput_mtok = 2\noutput_mtok = 0\n[prices.'nobody/x']\ninput_mtok = 0\noutput_mtok = 0\n"
    )

    assert jackstay.estimate_cost({"prompt_tokens": 1_000_000}) == 2.0
    assert jackstay.estimate_cost({"prompt_tokens": 1_000_000}, "openai/gpt-4o-mini") == 2.0
    assert jackstay.estimate_cost({"prompt_tokens": 1_000_000}, "nobody/x") == 0.0


def test_an_estimate_of_many_calls_does_not_reach_the_threshold_of_one(make_runtime):
    make_runtime(environ={})
    one = UsageMetrics(prompt_tokens=300_000, successful_requests=1)
    three = UsageMetrics(prompt_tokens=300_000, successful_requests=3)

    assert jackstay.estimate_cost(one, "gemini/gemini-2.5-pro") == 0.75
    assert jackstay.estimate_cost(three, "gemini/gemini-2.5-pro") == 0.375


def test_an_estimate_equals_what_the_run_cost(stub, runtime):
    output = crew_of(LLM("gpt-4o-mini")).kickoff()

    assert output.cost_usd is not None
    assert jackstay.estimate_cost(output.token_usage, "gpt-4o-mini") == pytest.approx(float(output.cost_usd), abs=1e-12)
