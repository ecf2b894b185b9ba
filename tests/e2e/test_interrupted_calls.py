"""Whatever ends a call, and wherever: every request is in a row, no reservation stays open, budgets count what rows say."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import Any

import pytest

from jackstay import LLM, Agent, BaseLLM, Budget, Crew, Flow, Retry, Task, start
from jackstay.core.usage import Usage
from jackstay.errors import BudgetExceeded, DeadlineExceeded, RunWaiting
from jackstay.testing import Fault, Reply, Stub, StubRequest
from tests.e2e.ledger import Ledger

MODEL = "gpt-4o-mini"


def one(llm: Any, **more: Any) -> Crew:
    agent = Agent(role="Writer", goal="g", backstory="b", llm=llm)
    return Crew(agents=[agent], tasks=[Task(description="Write", expected_output="Text", agent=agent)], **more)


def check_books(runtime: Any, stub: Stub) -> None:
    """Law of usage, and the shared budget's counters against the reservations."""
    ledger = Ledger.of(runtime)
    assert ledger.open == []
    assert ledger.counted == len(stub.requests)
    spent, reserved = runtime.journal.budget("project")
    assert (reserved.pico, reserved.tokens, reserved.calls) == (0, 0, 0)
    assert spent.pico == sum(one.cost_pico or 0 for one in ledger.reservations)
    assert all(breaker.in_flight == 0 for breaker in runtime.breakers._known.values())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_calls_cancelled_at_random_under_a_shared_budget_leave_the_books_right(stub, make_runtime, tmp_path, seed):
    (tmp_path / "jackstay.toml").write_text("[budgets.project]\nusd = 0.006\n")
    runtime = make_runtime(retry=Retry(backoff_s=0.01))
    rng = random.Random(seed)

    def told(request: StubRequest) -> Any:
        return Fault.http(500) if rng.random() < 0.25 else Reply("Text", usage=Usage(input_tokens=10, output_tokens=20))

    stub.rule(told)
    LLM(MODEL, max_tokens=10).call("so that libraries are loaded")

    class Impatient(Flow):  # type: ignore[type-arg]
        @start()
        async def begin(self) -> str:
            async def ask(number: int) -> None:
                others = ["gpt-4.1-nano", MODEL] if number % 3 else []
                llm = LLM(MODEL, max_tokens=1_500, stream=number % 2 == 0, fallbacks=others)
                await asyncio.wait_for(llm.acall(f"q{number}"), rng.random() * 0.5 + 0.002)

            await asyncio.gather(*(ask(number) for number in range(40)), return_exceptions=True)
            return "done"

    for _ in range(2):
        try:
            Impatient().kickoff()
        except BudgetExceeded:
            break

    check_books(runtime, stub)


def test_run_whose_first_call_has_to_wait_goes_on_with_its_second(stub, make_runtime, tmp_path):
    (tmp_path / "jackstay.toml").write_text("[budgets.project]\ntokens = 2000\n")
    runtime = make_runtime()
    stub.hold()
    first = threading.Thread(target=one(LLM(MODEL, max_tokens=900)).kickoff)
    first.start()
    stub.wait_for(lambda s: s.in_flight == 1)
    big, small = (
        Agent(role=role, goal="g", backstory="b", llm=LLM(MODEL, max_tokens=most))
        for role, most in (("Big", 1_000), ("Small", 10))
    )
    tasks = [
        Task(description="Big", expected_output="T", agent=big, async_execution=True),
        Task(description="Small", expected_output="T", agent=small, async_execution=True),
        Task(description="Sum", expected_output="T", agent=small),
    ]
    second = threading.Thread(target=Crew(agents=[big, small], tasks=tasks).kickoff)
    second.start()
    stub.wait_for(lambda s: s.in_flight == 2)
    stub.release()
    for thread in (first, second):
        thread.join(20)

    assert [run.status for run in Ledger.of(runtime).runs] == ["succeeded", "succeeded"]
    check_books(runtime, stub)


def test_budget_that_ends_a_call_between_two_attempts_leaves_its_row(stub, make_runtime):
    runtime = make_runtime(retry=Retry(backoff_s=0.01))
    stub.fault_at(0, "500")

    with pytest.raises(BudgetExceeded):
        one(MODEL).kickoff(budget=Budget(calls=1))

    (call,) = Ledger.of(runtime).calls
    assert (call.status, call.attempts) == ("cancelled", 1)
    assert "server_error" in (call.tried or "")


class Router(BaseLLM):
    """A model of the user's own that asks others."""

    def call(self, messages: Any, *_: Any, **__: Any) -> Any:
        LLM(MODEL, max_tokens=10).call("one")
        return LLM(MODEL, max_tokens=1_000).call("two")


def test_model_that_asks_models_pauses_with_no_reservation_left(stub, runtime):
    with pytest.raises(RunWaiting):
        one(Router("router")).kickoff(budget=Budget(tokens=600, on_exceed="pause"))
    assert Ledger.of(runtime).open == []


def test_model_that_asks_models_does_not_wait_for_what_itself_holds(stub, runtime):
    with pytest.raises(BudgetExceeded):
        one(Router("router")).kickoff(budget=Budget(calls=1), deadline_s=20)


def test_downgrade_is_to_the_budgets_model_though_another_was_set_for_every_agent(stub, make_runtime):
    make_runtime(model="gpt-4o")

    one(LLM("gpt-4.1", max_tokens=1_000)).kickoff(
        budget=Budget(usd="0.002", on_exceed="downgrade", model=MODEL), deadline_s=20
    )
    assert [request.model for request in stub.requests] == [MODEL]


def test_two_budgets_do_not_send_a_call_back_and_forth(stub, runtime):
    class Outer(Flow):  # type: ignore[type-arg]
        budget = Budget(usd="0.002", on_exceed="downgrade", model=MODEL)

        @start()
        def begin(self) -> Any:
            inner = Budget(tokens=300, on_exceed="downgrade", model="gpt-4o")
            return one(LLM("gpt-4.1", max_tokens=1_000)).kickoff(budget=inner).raw

    with pytest.raises(BudgetExceeded):
        Outer().kickoff(deadline_s=20)
    assert stub.requests == []


def test_our_own_time_limit_does_not_speak_against_the_model(stub, runtime):
    stub.rule(Fault.hang(), model="^gpt-4o$")
    for _ in range(3):
        with pytest.raises(DeadlineExceeded):
            one(LLM("gpt-4o", deadline_s=0.2, fallbacks=[MODEL])).kickoff()

    assert runtime.journal.breakers() == []


def test_fallback_without_a_price_is_passed_over_under_a_budget_in_money(stub, runtime):
    stub.rule(Fault.http(500), model="^gpt-4o$")

    output = one([LLM("gpt-4o"), Router("mine"), LLM(MODEL)]).kickoff(budget=Budget(usd=1))

    assert output.raw
    assert [request.model for request in stub.requests] == ["gpt-4o", MODEL]
    assert "unpriced" in (Ledger.of(runtime).calls[0].tried or "")


def test_larger_of_what_a_person_and_the_program_allow_counts(stub, runtime):
    crew = one(LLM(MODEL, max_tokens=100))
    with pytest.raises(BudgetExceeded) as caught:
        crew.kickoff(budget=Budget(tokens=1))
    run_id = caught.value.run_id  # type: ignore[attr-defined]
    runtime.journal.allow(run_id, '{"tokens":2}', by="me").result(5)

    assert crew.kickoff(resume=run_id, budget=Budget(tokens=100_000)).raw
