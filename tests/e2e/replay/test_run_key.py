"""A retry loop of one's own becomes durable by one argument."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from jackstay import Agent, Crew, Retry, Task
from jackstay.testing import Fault
from tests.e2e.ledger import Ledger


def crew_of_five(retry: Retry | None) -> Crew:
    worker = Agent(role="Worker", goal="g", backstory="b", llm="gpt-4o-mini", retry=retry)
    tasks = [Task(description=f"Step {n} on {{topic}}", expected_output="t", agent=worker) for n in range(1, 6)]
    return Crew(agents=[worker], tasks=tasks)


def run_with_retry(crew: Crew, inputs: dict, max_retries: int = 3) -> str:
    """The seed's own, with a `run_key` in it."""
    for attempt in range(max_retries):
        try:
            result = crew.kickoff(inputs=inputs, run_key="report")
            return result.raw
        except Exception as e:
            wait_time = 2**attempt
            if attempt < max_retries - 1:
                time.sleep(wait_time)
            else:
                raise RuntimeError(f"Failed after {max_retries} attempts: {e}") from e
    raise AssertionError("unreachable")


@pytest.mark.parametrize("retry", [Retry(max_attempts=1), None], ids=["one attempt", "ours as well"])
def test_tasks_that_were_done_are_asked_once(stub, runtime, monkeypatch, retry):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    stub.rule(Fault.http(500), user="Step 4", times=2)

    said = run_with_retry(crew_of_five(retry), {"topic": "boats"})

    asked = Counter(
        next(
            f"step {n}"
            for n in range(1, 6)
            if f"Step {n} on boats" in request.messages[-1].content.partition("\n\n")[0]
        )
        for request in stub.requests
    )
    assert asked == {"step 1": 1, "step 2": 1, "step 3": 1, "step 4": 3, "step 5": 1}
    (run,) = Ledger.of(runtime).runs
    assert (run.status, run.run_key) == ("succeeded", "report")
    assert said == crew_of_five(retry).kickoff(inputs={"topic": "boats"}, run_key="report").raw
    assert len(stub.requests) == 7
