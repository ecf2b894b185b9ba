"""Budgets: no call is sent whose worst price does not fit, nearly all of a budget can be used, and what happens at its
edge. The prices are the listed ones of gpt-4o-mini (0.15 and 0.60 US dollars per million tokens)."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from jackstay import LLM, Agent, Budget, Crew, Flow, Retry, Task, listen, start
from jackstay.core.usage import Usage
from jackstay.engine.script import script_run
from jackstay.errors import BudgetExceeded, ConfigurationError, RunSuspended, RunWaiting
from jackstay.testing import Fault, Reply, ScriptedModel, StubRequest, tool_call
from jackstay.tools import tool
from tests.e2e.ledger import HurriedClock, Ledger

MODEL = "gpt-4o-mini"
GIVEN, SAID = Decimal("0.15"), Decimal("0.60")


def crew_of(model: Any = MODEL, *, tasks: int = 1, tools: Any = (), **more: Any) -> Crew:
    agent = Agent(role="Writer", goal="g", backstory="b", llm=model, tools=list(tools))
    made = [
        Task(description=f"Write {number} {{topic}}", expected_output="Text", agent=agent) for number in range(tasks)
    ]
    return Crew(agents=[agent], tasks=made, **more)


def costly(request: StubRequest, tokens: int = 900) -> Reply:
    """An answer that is billed with so many tokens, or with as many as it was allowed."""
    allowed = request.max_tokens or tokens
    cut = allowed < tokens
    return Reply(
        "Text",
        usage=Usage(input_tokens=100, output_tokens=min(tokens, allowed)),
        finish_reason="length" if cut else "stop",
    )


def spent(runtime: Any) -> Decimal:
    return sum((Decimal(call.cost_pico or 0) for call in Ledger.of(runtime).calls), Decimal(0)) / 10**12


def worst_in_flight(runtime: Any) -> Decimal:
    """The largest sum of what was spent and what was reserved, at any reservation, by the journal's own order."""
    ledger = Ledger.of(runtime)
    moments: list[tuple[Any, int, int]] = []
    for one in ledger.reservations:
        moments.append((one.created_at, 1, one.worst_pico or 0))
        if one.settled_at is not None:
            moments.append((one.settled_at, 0, (one.cost_pico or 0) - (one.worst_pico or 0)))
    total = most = 0
    for _, _, change in sorted(moments):
        total += change
        most = max(most, total)
    return Decimal(most) / 10**12


# --- stop -----------------------------------------------------------------------------------------------------------


def test_run_stops_before_the_call_that_does_not_fit(stub, runtime):
    stub.rule(costly)
    crew = crew_of(LLM(MODEL, max_tokens=1_000), tasks=5)

    with pytest.raises(BudgetExceeded, match=r"budget of 0.0015 USD of run .* reached.*raise Budget\(usd=") as caught:
        crew.kickoff({"topic": "t"}, budget=Budget(usd="0.0015"))

    assert spent(runtime) <= Decimal("0.0015")
    assert len(stub.requests) == 2
    (run,) = Ledger.of(runtime).runs
    assert (run.status, run.reason) == ("failed", "budget")
    assert any("jackstay resume" in note for note in caught.value.__notes__)


def test_budget_in_calls_counts_requests_failed_ones_too(stub, runtime):
    stub.fault_at(0, "500")

    with pytest.raises(BudgetExceeded, match="3 calls"):
        crew_of(tasks=5).kickoff({"topic": "t"}, budget=Budget(calls=3))

    assert len(stub.requests) == 3


def test_budget_in_tokens_bounds_what_is_used(stub, runtime):
    with pytest.raises(BudgetExceeded, match="tokens"):
        crew_of(LLM(MODEL, max_tokens=100), tasks=50).kickoff({"topic": "t"}, budget=Budget(tokens=3_000))

    used = sum(call.input_tokens + call.output_tokens for call in Ledger.of(runtime).calls)
    assert 1_000 < used <= 3_000


def test_failed_attempt_gives_its_room_back(stub, make_runtime):
    make_runtime(retry=Retry(backoff_s=0.01))
    stub.rule(costly)
    stub.fault_at(0, "500")
    # Room for one worst case, not for two.
    assert crew_of(LLM(MODEL, max_tokens=1_000)).kickoff({"topic": "t"}, budget=Budget(usd="0.0009")).raw


def test_stop_is_sticky_though_a_flow_swallows_it(stub, runtime):
    stub.rule(costly)

    class Swallowing(Flow):  # type: ignore[type-arg]
        budget = Budget(usd="0.0009")

        @start()
        def begin(self) -> str:
            for _ in range(3):
                try:
                    crew_of(LLM(MODEL, max_tokens=1_000)).kickoff({"topic": "t"})
                except Exception:  # noqa: BLE001 - as users write it
                    pass
            return "done"

        @listen(begin)
        def after(self) -> str:
            return "after"

    with pytest.raises(BudgetExceeded):
        Swallowing().kickoff()

    assert len(stub.requests) == 1
    assert not any(step.kind == "method" and step.status == "succeeded" for step in Ledger.of(runtime).steps)


def test_crew_inside_a_flow_has_its_own_budget_and_the_flow_goes_on(stub, runtime):
    stub.rule(costly)

    class Careful(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> str:
            try:
                crew_of(LLM(MODEL, max_tokens=1_000), tasks=3, budget=Budget(usd="0.0009")).kickoff({"topic": "t"})
            except BudgetExceeded:
                return str(crew_of(LLM(MODEL, max_tokens=1_000)).kickoff({"topic": "other"}).raw)
            return "never"

    assert Careful().kickoff() == "Text"
    assert [run.status for run in Ledger.of(runtime).runs] == ["succeeded"]
    assert len(stub.requests) == 2


def test_both_budgets_hold(stub, runtime):
    stub.rule(costly)

    class Both(Flow):  # type: ignore[type-arg]
        budget = Budget(calls=2)

        @start()
        def begin(self) -> Any:
            return crew_of(LLM(MODEL, max_tokens=1_000), tasks=9, budget=Budget(usd=1)).kickoff({"topic": "t"})

    with pytest.raises(BudgetExceeded, match="2 calls"):
        Both().kickoff()
    assert len(stub.requests) == 2


# --- many at once ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_tokens", [1_000, None], ids=["bounded", "unbounded"])
def test_fifty_calls_at_once_never_exceed_and_use_nearly_all(stub, make_runtime, tmp_path, max_tokens):
    (tmp_path / "jackstay.toml").write_text('[budgets.project]\nusd = "0.025"\n')
    runtime = make_runtime()
    stub.rule(costly)
    crew = crew_of(LLM(MODEL, max_tokens=max_tokens), tasks=1)

    async def program() -> list[Any]:
        return await asyncio.gather(*(crew.akickoff({"topic": "t"}) for _ in range(50)), return_exceptions=True)

    outcomes = asyncio.run(program())

    refused = [one for one in outcomes if isinstance(one, BaseException)]
    assert refused
    assert all(isinstance(one, BudgetExceeded) for one in refused)
    assert worst_in_flight(runtime) <= Decimal("0.025")
    assert Decimal("0.0225") <= spent(runtime) <= Decimal("0.025")
    assert runtime.journal.budget("project")[1].pico == 0


# --- without max_tokens ------------------------------------------------------------------------------------------------


def test_call_without_max_tokens_is_sent_with_one_and_the_record_says_so(stub, runtime):
    crew_of().kickoff({"topic": "t"}, budget=Budget(usd="0.001"))

    (request,) = stub.requests
    (call,) = Ledger.of(runtime).calls
    sent = request.max_tokens
    assert sent is not None
    assert json.loads(call.request or "{}")["max_tokens"] == sent
    (reservation,) = Ledger.of(runtime).reservations
    assert reservation.worst_output_tokens == sent
    assert reservation.worst_pico is not None
    assert reservation.worst_pico <= 10**9


def test_answer_that_the_budget_cut_off_is_paid_and_not_passed_off_as_whole(stub, runtime):
    stub.rule(lambda request: costly(request, tokens=5_000))

    with pytest.raises(BudgetExceeded, match="cut off at"):
        crew_of().kickoff({"topic": "t"}, budget=Budget(usd="0.0012"))

    (call,) = Ledger.of(runtime).calls
    assert call.status == "failed"
    assert call.output_tokens > 1_000
    assert call.cost_pico is not None


def test_without_a_budget_no_max_tokens_is_sent(stub, runtime):
    crew_of().kickoff({"topic": "t"})
    assert stub.requests[0].max_tokens is None


# --- unknown prices ----------------------------------------------------------------------------------------------------


def test_model_without_a_price_is_refused_under_money_unless_allowed_by_name(stub, runtime):
    own = ScriptedModel(["first", "second"], model="mine")

    with pytest.raises(BudgetExceeded, match=r"price of mine is unknown.*unpriced=\('mine',\)"):
        crew_of(own).kickoff({"topic": "t"}, budget=Budget(usd=1))
    assert own.calls == []

    assert crew_of(own).kickoff({"topic": "t"}, budget=Budget(usd=1, unpriced=("mine",))).raw == "first"
    assert crew_of(own).kickoff({"topic": "t"}, budget=Budget(calls=1)).raw == "second"


# --- downgrade ---------------------------------------------------------------------------------------------------------


def test_downgrade_asks_the_cheaper_model_and_stops_when_that_does_not_fit_either(stub, runtime):
    stub.rule(costly)
    crew = crew_of(LLM("gpt-4o", max_tokens=1_000), tasks=9)
    budget = Budget(usd="0.012", on_exceed="downgrade", model=MODEL)

    with pytest.raises(BudgetExceeded):
        crew.kickoff({"topic": "t"}, budget=budget)

    models = [request.model for request in stub.requests]
    assert models[0] == "gpt-4o"
    assert set(models[1:]) == {MODEL}
    assert spent(runtime) <= Decimal("0.012")
    second = Ledger.of(runtime).calls[1]
    (tried,) = json.loads(second.tried or "[]")
    assert (tried["model"], tried["code"]) == ("gpt-4o", "budget")


# --- pause -------------------------------------------------------------------------------------------------------------


def test_pause_waits_for_a_person_and_goes_on_with_a_raised_budget(stub, runtime):
    stub.rule(costly)
    crew = crew_of(LLM(MODEL, max_tokens=1_000), tasks=4)
    small = Budget(usd="0.0015", on_exceed="pause")

    with pytest.raises(RunWaiting, match=r"budget of 0\.0015 USD") as caught:
        crew.kickoff({"topic": "t"}, budget=small, run_key="k")
    (run,) = Ledger.of(runtime).runs
    assert (run.status, run.id) == ("waiting", caught.value.run_id)
    (wait,) = runtime.journal.waits(run.id)
    assert (wait.kind, wait.answered_at) == ("budget", None)

    assert runtime.journal.answer_wait(wait, json.dumps({"usd": "1"}), by="me").result(5)
    assert not runtime.journal.answer_wait(wait, json.dumps({"usd": "2"}), by="you").result(5)
    output = crew.kickoff({"topic": "t"}, budget=small, run_key="k")

    assert output.run_id == run.id
    assert len(stub.requests) == 4
    assert [one.status for one in Ledger.of(runtime).runs] == ["succeeded"]


def test_waiting_run_asked_again_without_an_answer_waits_on_and_asks_nothing(stub, runtime):
    stub.rule(costly)
    crew = crew_of(LLM(MODEL, max_tokens=1_000), tasks=4)
    small = Budget(usd="0.0015", on_exceed="pause")

    for _ in range(2):
        with pytest.raises(RunWaiting):
            crew.kickoff({"topic": "t"}, budget=small, run_key="k")

    assert len(stub.requests) == 2


def test_pause_passes_through_a_flow_that_catches_exceptions(stub, runtime):
    stub.rule(costly)

    class Catching(Flow):  # type: ignore[type-arg]
        budget = Budget(usd="0.0009", on_exceed="pause")

        @start()
        def begin(self) -> str:
            try:
                return str(crew_of(LLM(MODEL, max_tokens=1_000), tasks=3).kickoff({"topic": "t"}).raw)
            except Exception:  # noqa: BLE001 - as users write it
                return "swallowed"

    with pytest.raises(RunWaiting):
        Catching().kickoff()
    assert [run.status for run in Ledger.of(runtime).runs] == ["waiting"]


def test_pause_inside_a_script_is_told_as_such(stub, runtime):
    stub.rule(costly)
    told: list[str] = []
    runtime.observers.append(lambda event: told.append(event.name))
    small = Budget(usd="0.0009", on_exceed="pause")

    with pytest.raises(RunSuspended), script_run(runtime, "script", entry={}, budget=small):
        crew_of(LLM(MODEL, max_tokens=1_000), tasks=3).kickoff({"topic": "t"})

    assert [run.status for run in Ledger.of(runtime).runs] == ["waiting"]
    assert told[-1] == "run_waiting"


# --- resume ------------------------------------------------------------------------------------------------------------


def test_resumed_run_goes_on_counting(stub, runtime):
    stub.rule(costly)
    crew = crew_of(LLM(MODEL, max_tokens=1_000), tasks=4)
    for _ in range(2):
        with pytest.raises(BudgetExceeded):
            crew.kickoff({"topic": "t"}, budget=Budget(usd="0.0015"), run_key="k")
    assert len(stub.requests) == 2

    assert crew.kickoff({"topic": "t"}, budget=Budget(usd="0.01"), run_key="k").raw
    assert len(stub.requests) == 4


# --- the file ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[budgets.projcet]\nusd = 1", "budgets.projcet is unknown"),
        ("[budgets.project]\nusd = -1", "cannot be negative"),
        ("[budgets.project]\nusdollars = 1", "budgets.project.usdollars is unknown"),
        ("[budgets.project]\n", "at least one of"),
        ("[budgets]\nproject = 3", "is one value"),
        ('[budgets.project]\nusd = 1\nper = "week"', "'day' or 'month'"),
        ("[budget.project]\nusd = 1", r"\[budget\] is unknown"),
        ("[budgets.project\nusd = 1", "no TOML file"),
    ],
)
def test_mistakes_in_the_file_are_said_before_anything_is_asked(stub, make_runtime, tmp_path, text, said):
    (tmp_path / "jackstay.toml").write_text(text)
    make_runtime()

    with pytest.raises(ConfigurationError, match=f"jackstay.toml.*{said}"):
        crew_of().kickoff({"topic": "t"})

    assert stub.requests == []


def test_budgets_of_a_definition_and_a_key_are_shared_by_runs(stub, make_runtime, tmp_path):
    (tmp_path / "jackstay.toml").write_text(
        '[budgets."crew:weekly"]\ncalls = 2\nper = "month"\n[budgets."key:ANTHROPIC_API_KEY"]\ncalls = 1\n'
    )
    make_runtime()
    weekly = crew_of(name="weekly")
    weekly.kickoff({"topic": "t"})
    weekly.kickoff({"topic": "t"})
    with pytest.raises(BudgetExceeded, match="2 calls per month of crew 'weekly'"):
        weekly.kickoff({"topic": "t"})

    other = crew_of("anthropic/claude-sonnet-4-5")
    other.kickoff({"topic": "t"})
    with pytest.raises(BudgetExceeded, match="key 'ANTHROPIC_API_KEY'"):
        other.kickoff({"topic": "t"})
    assert crew_of().kickoff({"topic": "t"}).raw


def test_stop_by_a_shared_budget_is_one_runs_and_no_longer_than_its_period(stub, make_runtime, tmp_path):
    (tmp_path / "jackstay.toml").write_text('[budgets.project]\ncalls = 1\nper = "day"\n')
    clock = Tomorrow()
    make_runtime(clock=clock)
    crew_of().kickoff({"topic": "t"})
    with pytest.raises(BudgetExceeded):
        crew_of().kickoff({"topic": "t"})

    clock.days = 1
    assert crew_of().kickoff({"topic": "t"}).raw


class Tomorrow(HurriedClock):
    days = 0

    def now(self) -> datetime:
        return super().now() + timedelta(days=self.days)


def test_shared_budget_of_a_crew_stops_the_crew_and_not_the_flow_around_it(stub, make_runtime, tmp_path):
    (tmp_path / "jackstay.toml").write_text('[budgets."crew:dear"]\ncalls = 1\n')
    make_runtime()

    class Careful(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> str:
            crew_of(name="dear").kickoff({"topic": "t"})
            try:
                crew_of(name="dear").kickoff({"topic": "u"})
            except BudgetExceeded:
                return str(crew_of(name="cheap").kickoff({"topic": "t"}).raw)
            return "never"

    assert Careful().kickoff() != "never"


@pytest.mark.parametrize("text", ["[limits.openai]\nrequests_per_min = 0", "[prices.m]\ninput_mtok = -1"])
def test_any_section_is_checked_before_a_run_is_made(stub, make_runtime, tmp_path, text):
    (tmp_path / "jackstay.toml").write_text(text)
    runtime = make_runtime()

    for start_ in (lambda: crew_of().kickoff({"topic": "t"}), lambda: crew_of().kickoff_for_each([{"topic": "t"}])):
        with pytest.raises(ConfigurationError, match=r"jackstay\.toml"):
            start_()

    assert Ledger.of(runtime).runs == []


def test_tool_calls_and_their_turns_count(stub, runtime):
    @tool
    def look_up(query: str) -> str:
        """Finds facts."""
        return "facts"

    stub.rule(lambda request: tool_call("look_up", query=str(request.index)))

    with pytest.raises(BudgetExceeded):
        crew_of(tools=[look_up]).kickoff({"topic": "t"}, budget=Budget(calls=3))
    assert len(stub.requests) == 3


def test_fallback_under_a_budget_pays_the_model_that_answers(stub, runtime):
    stub.rule(Fault.http(500), model="^gpt-4o$")
    stub.rule(costly)

    output = crew_of([LLM("gpt-4o", max_tokens=1_000), LLM(MODEL, max_tokens=1_000)]).kickoff(
        {"topic": "t"}, budget=Budget(usd="0.02")
    )

    assert output.cost_usd == (100 * GIVEN + 900 * SAID) / 1_000_000
    run = Ledger.of(runtime).runs[0]
    used, reserved = runtime.journal.budget(f"run:{run.id}:")
    assert (used.calls, reserved.calls, reserved.pico) == (2, 0, 0)
