"""What a replay costs beyond the calls that it makes: the last task of crews of 5, 50 and 200 tasks, from the record.

The floor, in the same round: a kickoff of a crew of one task with the same prompt length. Both make one request; the
replay copies the rows of all other tasks into a new run. Wall time of the caller, stub in another process, SQLite.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.harness import heading, scratch_folder, stub_process
from jackstay import LLM, Agent, Crew, Runtime, Task
from jackstay.core.replay import plan
from jackstay.engine.replaying import record_of

ROUNDS, SIZES = 15, (5, 50, 200)


def crew_of(url: str, tasks: int) -> Crew:
    llm = LLM("gpt-4o-mini", base_url=url, api_key="stub-key-0001")
    agent = Agent(role="Analyst", goal="Research AI agents", backstory="Expert researcher.", llm=llm)
    made = [
        Task(name=f"task {n}", description=f"Research topic {n}", expected_output="A line", agent=agent, context=[])
        for n in range(tasks)
    ]
    return Crew(name=f"of {tasks}", agents=[agent], tasks=made)


def wall_ms(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def main() -> None:
    with scratch_folder(), stub_process() as stub, Runtime(environ={"NO_PROXY": "127.0.0.1"}) as runtime:
        print(heading("replay of the last task", "sqlalchemy"))
        one = crew_of(stub.openai_url, 1)
        one.kickoff()
        print(f"  {'tasks':>5} {'rows':>5} {'replay':>9} {'kickoff':>9} {'ratio':>6} {'planned in':>11}")
        for tasks in SIZES:
            crew = crew_of(stub.openai_url, tasks)
            run_id = crew.kickoff().run_id
            row = runtime.journal.run(run_id)
            assert row is not None
            target = f"task_{tasks - 1}#1"
            stub.reset()
            pairs = [(wall_ms(lambda: crew.replay(f"{run_id}/{target}")), wall_ms(one.kickoff)) for _ in range(ROUNDS)]  # noqa: B023
            assert len(stub.requests) == 2 * ROUNDS
            planned = wall_ms(lambda: plan(record_of(runtime.journal, row), target))  # noqa: B023
            ratio = statistics.median(replay / kickoff for replay, kickoff in pairs)
            replay, kickoff = (statistics.median(values) for values in zip(*pairs, strict=True))
            rows = len(runtime.journal.steps(run_id))
            print(f"  {tasks:5} {rows:5} {replay:6.1f} ms {kickoff:6.1f} ms {ratio:6.2f} {planned:8.1f} ms")


if __name__ == "__main__":
    main()
