"""The law of usage for crews that nobody has thought of: call = task = agent = crew = the stub's own count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from jackstay import Runtime
from jackstay.core.records import RunFilter, StepRow
from jackstay.errors import JackstayError
from jackstay.journal import GROUPINGS, UsageFilter, total
from jackstay.testing import Stub, StubRequest
from tests.e2e.drawn_crews import Drawn

BLOCK = 10
"""Crews in a test: a stub and a journal serve so many."""
SAMPLE, FULL = 40, 200
JUDGE = "Guardrail"
"""Whom a guardrail in words asks, by its own prompt; in the journal it is asked for the task's agent."""


@pytest.mark.promise("llm.usage", "run.usage.own")
@pytest.mark.parametrize("first", range(0, SAMPLE, BLOCK))
def test_law_of_usage_holds_for_drawn_crews(stub, runtime, first):
    for seed in range(first, first + BLOCK):
        check(stub, runtime, seed)


@pytest.mark.prove
@pytest.mark.parametrize("first", range(SAMPLE, FULL, BLOCK))
def test_law_of_usage_holds_for_many_drawn_crews(stub, runtime, first):
    for seed in range(first, first + BLOCK):
        check(stub, runtime, seed)


def test_what_is_drawn_has_everything_that_the_law_is_about():
    drawn = [Drawn(seed) for seed in range(SAMPLE)]

    assert {each.how for each in drawn} == {"kickoff", "akickoff", "for_each", "stream", "stream_for_each"}
    assert {each.crew.process for each in drawn} == {"sequential", "hierarchical"}
    tasks = [task for each in drawn for task in each.crew.tasks]
    assert {True} <= {task.async_execution for task in tasks}
    assert {True} <= {task.conditional for task in tasks}
    assert {"abort", "skip", "retry"} <= {task.on_error for task in tasks}
    assert sum(task.guardrail is not None for task in tasks) > len(tasks) // 5
    assert any(len({id(agent.llm) for agent in each.agents}) < len(each.agents) for each in drawn)


@dataclass(frozen=True)
class Books:
    """What one drawn crew has left behind: at the stub, and in the journal."""

    requests: Sequence[StubRequest]
    runs: tuple[str, ...]
    calls: Sequence[StepRow]

    @property
    def answered(self) -> Counter[tuple[int, int]]:
        """Tokens of each call whose usage the provider has told."""
        told = (call for call in self.calls if "estimated" not in (call.flags or "") and call.status == "succeeded")
        return Counter((call.input_tokens, call.output_tokens) for call in told)

    @property
    def at_stub(self) -> Counter[tuple[int, int]]:
        return Counter((r.usage.input_tokens, r.usage.output_tokens) for r in self.requests if r.usage is not None)

    @property
    def cancelled(self) -> int:
        """Calls that ended with what ran beside them: whether they were answered, the stub alone knows."""
        return sum(call.status == "cancelled" for call in self.calls)


def check(stub: Stub, runtime: Runtime, seed: int) -> None:
    drawn = Drawn(seed)
    stub.reset()
    known = {run.id for run in runtime.journal.runs(RunFilter(limit=10_000))}
    drawn.faults(stub)
    try:
        outputs = drawn.run()
    except JackstayError:
        outputs = None
    stub.wait_for(lambda s: s.in_flight == 0)
    books = _books(stub, runtime, known)
    assert books.requests, f"seed {seed} asked nothing"
    _check_calls(books, seed)
    _check_groupings(books, runtime, seed)
    if not books.cancelled:
        _check_agents(books, runtime, seed)
    if outputs is not None:
        _check_outputs(outputs, books, runtime, seed)


def _books(stub: Stub, runtime: Runtime, known: set[str]) -> Books:
    runs = tuple(run.id for run in runtime.journal.runs(RunFilter(limit=10_000)) if run.id not in known)
    steps = [step for run in runs for step in runtime.journal.steps(run, latest_only=False)]
    requests = [request for request in stub.requests if request.index >= 0]
    return Books(requests, runs, [step for step in steps if step.kind == "llm"])


def _check_calls(books: Books, seed: int) -> None:
    """Each answer of the stub's is one call's, with the tokens that the stub has told."""
    missing, beyond = books.at_stub - books.answered, books.answered - books.at_stub
    assert sum(call.attempts for call in books.calls) == len(books.requests), seed
    assert not beyond, (seed, beyond)
    assert missing.total() <= books.cancelled, (seed, missing)


def _check_groupings(books: Books, runtime: Runtime, seed: int) -> None:
    totals = {by: total(runtime.journal.usage(UsageFilter(by, run_ids=books.runs))) for by in GROUPINGS}
    calls = books.calls
    for by, sums in totals.items():
        assert sums.requests + sums.lost == len(books.requests), (seed, by)
        assert sums.calls == len(calls), (seed, by)
        assert sums.prompt_tokens == sum(call.input_tokens for call in calls), (seed, by)
        assert sums.completion_tokens == sum(call.output_tokens for call in calls), (seed, by)
        assert sums == totals["run"], (seed, by)


def _check_agents(books: Books, runtime: Runtime, seed: int) -> None:
    """The stub knows by the system prompt who has asked."""
    at_stub: Counter[str] = Counter()
    for request in books.requests:
        if request.usage is not None:
            at_stub[request.system.removeprefix("You are ").partition(".")[0]] += request.usage.total_tokens
    in_journal: Counter[str] = Counter()
    of_agents: Counter[str] = Counter()
    for call in books.calls:
        tokens = call.input_tokens + call.output_tokens
        of_agents[call.agent or ""] += tokens
        if "estimated" not in (call.flags or ""):
            in_journal[JUDGE if "/guardrail:" in call.path else call.agent or ""] += tokens
    assert in_journal == at_stub, seed
    rows = runtime.journal.usage(UsageFilter("agent", run_ids=books.runs))
    assert {row.key: row.prompt_tokens + row.completion_tokens for row in rows} == of_agents, seed


def _check_outputs(outputs, books: Books, runtime: Runtime, seed: int) -> None:
    """Tasks add up to their crew, crews to the runs, and the tasks are those of the journal."""
    whole = total(runtime.journal.usage(UsageFilter("run", run_ids=books.runs)))
    used = [output.token_usage for output in outputs]
    assert sum(each.prompt_tokens for each in used) == whole.prompt_tokens, seed
    assert sum(each.completion_tokens for each in used) == whole.completion_tokens, seed
    for output in outputs:
        if not output.ok:
            continue
        rows = runtime.journal.usage(UsageFilter("task", run_ids=(output.run_id,)))
        of_tasks = {row.key: row.prompt_tokens + row.completion_tokens for row in rows}
        shown = {task.name: task.token_usage.total_tokens for task in output.tasks_output}
        assert {name: tokens for name, tokens in shown.items() if tokens} == of_tasks, seed
        assert sum(shown.values()) == output.token_usage.total_tokens, seed
        assert output.token_usage.successful_requests == sum(
            t.token_usage.successful_requests for t in output.tasks_output
        ), seed
