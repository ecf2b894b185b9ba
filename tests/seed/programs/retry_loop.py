"""A retry loop of the program's own around the kickoff; how long it would have waited is told, not waited.

Arguments: topics, one loop each. With the seed's block beside it, the block's loop instead.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from pasting import paste  # type: ignore[import-not-found]

from jackstay import Agent, Crew, Task

crier = Agent(role="Crier", goal="Cry out {topic}", backstory="Loud.", llm="gpt-4o-mini")
crew = Crew(
    agents=[crier],
    tasks=[Task(description="Cry out {topic}", expected_output="One sentence", agent=crier)],
)
waits: list[float] = []


def insist(crew: Crew, inputs: dict[str, str], attempts: int = 3, wait: Callable[[float], None] = waits.append) -> str:
    for attempt in range(1, attempts):
        try:
            return crew.kickoff(inputs=inputs).raw
        except Exception as error:  # noqa: BLE001 - what the row is about
            print(f"attempt {attempt}: {error}")
            wait(2.0 ** (attempt - 1))
    return crew.kickoff(inputs=inputs).raw


if __name__ == "__main__":
    loop: Callable[..., str] = insist
    if Path("seed_block_2.py").exists():
        names = {"__name__": "block"}
        loop = paste(2, names).run_with_retry
        names["time"] = SimpleNamespace(sleep=waits.append)  # type: ignore[assignment]
    told = []
    for topic in sys.argv[1:]:
        waits.clear()
        try:
            outcome = {"raw": loop(crew, {"topic": topic})}
        except Exception as error:  # noqa: BLE001 - what the row is about
            outcome = {"error": str(error)}
        told.append({**outcome, "waits": list(waits)})
    print(json.dumps(told))
