"""`retry=` of a flow's method: it is called again, with the state that it found and with what was recorded in it."""

from __future__ import annotations

from typing import Any

import pytest

from jackstay import Agent, Crew, Flow, Retry, Runtime, Task, listen, router, start
from jackstay.core.records import RunFilter
from jackstay.errors import DefinitionError, ModelServerError
from jackstay.llm import LLM
from jackstay.testing import ScriptedModel

AT_ONCE = Retry(max_attempts=3, backoff_s=0)


class Counting(Flow):
    """Fails as often as `failures` says."""

    failures = 2
    seen: list[Any]

    @start(retry=AT_ONCE)
    def work(self) -> int:
        self.seen.append(dict(self.state)["n"])
        self.state["n"] += 1
        if len(self.seen) <= self.failures:
            raise ConnectionError("no answer")
        return len(self.seen)

    @listen(work)
    def after(self, tries: int) -> tuple[int, int]:
        return tries, self.state["n"]


def counting(failures: int) -> Counting:
    made = Counting()
    made.seen, made.failures = [], failures
    return made


@pytest.mark.promise("flowing.retry")
def test_a_method_that_failed_is_called_again_with_the_state_that_it_found(runtime: Runtime) -> None:
    flow = counting(2)

    assert flow.kickoff(inputs={"n": 7}) == (3, 8)
    assert flow.seen == [7, 7, 7]
    (run,) = runtime.journal.runs(RunFilter())
    rows = [
        (row.path, row.status, row.rev)
        for row in runtime.journal.steps(run.id, latest_only=False)
        if row.kind == "method"
    ]
    assert rows == [("work#1", "succeeded", 1), ("after#1", "succeeded", 1)]


@pytest.mark.parametrize("given", [3, "3", {"max_attempts": 3}, True])
@pytest.mark.parametrize("decorated", [lambda retry: start(retry=retry), lambda retry: listen("x", retry=retry)])
def test_what_is_no_retry_is_refused_where_it_is_written(decorated: Any, given: Any) -> None:
    with pytest.raises(DefinitionError, match=r"retry=Retry\(max_attempts=3, backoff_s=1\)"):
        decorated(given)(lambda self: None)


def test_the_last_failure_is_raised_as_it_was(runtime: Runtime) -> None:
    flow = counting(99)

    with pytest.raises(ConnectionError, match="no answer"):
        flow.kickoff(inputs={"n": 0})
    assert len(flow.seen) == 3


class Crewed(Flow):
    model: Any
    calls = 0

    @start()
    def begin(self) -> None: ...

    @router(begin, retry=AT_ONCE)
    async def work(self) -> str:
        agent = Agent(role="Writer", goal="g", backstory="b", llm=self.model)
        tasks = [Task(name=n, description=n, expected_output="x", agent=agent) for n in ("one", "two")]
        first = await LLM("sim/demo").acall("Begin.")
        output = await Crew(agents=[agent], tasks=tasks).akickoff()
        Crewed.calls += 1
        return "done" if first and output.raw == "second" else "odd"

    @listen("done")
    def last(self) -> str:
        return "listened"


def test_what_was_answered_in_it_is_not_asked_again() -> None:
    flow = Crewed()
    Crewed.calls = 0
    flow.model = ScriptedModel(["first", ModelServerError("busy"), "second"])

    assert flow.kickoff() == "listened"
    assert Crewed.calls == 1
    assert flow.usage_metrics.successful_requests == 3
    assert len(flow.model.calls) == 3
