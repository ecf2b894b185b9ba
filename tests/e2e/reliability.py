"""Every fault × every way to ask: what the caller gets, how many requests that took, how long was waited.

`python -m tests.e2e.reliability` writes the table of docs/reliability.md; `test_reliability.py` compares it.
"""

from __future__ import annotations

import asyncio
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from jackstay import LLM, Agent, Crew, Retry, Runtime, Task
from jackstay.testing import Fault, Stub, StubRequest, tool_call
from jackstay.tools import tool
from tests.e2e.ledger import HurriedClock

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- table -->", "<!-- /table -->"
MODES = ("sync", "async", "stream", "tool", "structured")
LIMIT_S = 0.25
"""`timeout` of the calls that hang."""

FAULTS: tuple[tuple[str, Fault], ...] = (
    ("429, no Retry-After", Fault.rate_limited()),
    ("429, Retry-After: 2", Fault.rate_limited(2)),
    ("429, Retry-After as a date in 2 s", Fault.rate_limited(2, form="date")),
    ("429, retry-after-ms: 1500", Fault.rate_limited(1.5, form="ms")),
    ("429, Retry-After: 300", Fault.rate_limited(300)),
    ("429, quota used up", Fault.quota()),
    ("408", Fault.http(408)),
    ("409", Fault.http(409)),
    ("500", Fault.http(500)),
    ("502", Fault.http(502)),
    ("503", Fault.http(503)),
    ("529", Fault.http(529)),
    ("connection reset", Fault.reset()),
    ("answer cut off", Fault.cut(after_chunks=2)),
    ("error inside the answer", Fault.error_event()),
    ("no answer within the time limit", Fault.hang()),
    ("answer stalls", Fault.stall()),
    ("answer is not JSON", Fault.invalid_json()),
    ("400", Fault.http(400)),
    ("401", Fault.http(401)),
    ("403", Fault.http(403)),
    ("404", Fault.http(404)),
    ("prompt too long", Fault.context_length()),
    ("content refused", Fault.content_filter()),
)


class Note(BaseModel):
    """A structured answer."""

    text: str


@tool
def look_up(query: str) -> str:
    """Finds facts."""
    return "facts"


@dataclass(frozen=True)
class Result:
    """What one asking came to. `requests`: of the call that the fault struck; `waited_s`: between them."""

    outcome: str
    requests: int
    waited_s: float

    def __str__(self) -> str:
        outcome = "answered" if self.outcome == "answered" else f"`{self.outcome}`"
        waited = f", {math.ceil(self.waited_s - 0.05)} s" if self.waited_s else ""
        return f"{outcome} ({self.requests}{waited})"


def answer(request: StubRequest) -> Any:
    if request.tools and not any(message.role == "tool" for message in request.messages):
        return tool_call("look_up", query="x")
    return {"text": "Done"} if request.output is not None else "Done"


def ask(mode: str, fault: Fault, *, times: int | None, stub: Stub, folder: Path) -> Result:
    """One kickoff whose first call (with a tool: whose second) meets the fault, so many times or always."""
    stub.reset()
    struck = [0]

    def told(request: StubRequest) -> Any:
        second_turn = any(message.role == "tool" for message in request.messages)
        if (mode != "tool" or second_turn) and (times is None or struck[0] < times):
            struck[0] += 1
            return fault
        return answer(request)

    stub.rule(told)
    clock = HurriedClock()
    environ = {**stub.environ(), "HOME": str(folder), "JACKSTAY_DURABILITY": "off"}
    with Runtime(environ=environ, folder=folder, clock=clock, retry=Retry(jitter=0)):
        outcome = _outcome(lambda: _kickoff(mode, hangs=fault.kind in ("hang", "stall")))
    others = 1 if mode == "tool" else 0
    return Result(outcome, len(stub.requests) - others, _waited(clock, fault))


def _waited(clock: HurriedClock, fault: Fault) -> float:
    """A date has whole seconds, so that what is left of the 2 s differs from one to the next: each counts as 2."""
    if fault.retry_form == "date" and fault.retry_after_s is not None:
        assert all(0.5 < slept_s <= fault.retry_after_s for slept_s in clock.slept_s)
        return fault.retry_after_s * len(clock.slept_s)
    return sum(clock.slept_s)


def _kickoff(mode: str, *, hangs: bool) -> Any:
    llm = LLM("gpt-4o-mini", stream=mode == "stream", timeout=LIMIT_S if hangs else None)
    agent = Agent(role="Writer", goal="g", backstory="b", llm=llm, tools=[look_up] if mode == "tool" else [])
    form = Note if mode == "structured" else None
    task = Task(description="Write", expected_output="Text", agent=agent, output_pydantic=form)
    crew = Crew(agents=[agent], tasks=[task])
    return asyncio.run(crew.akickoff()) if mode == "async" else crew.kickoff()


def _outcome(kickoff: Callable[[], Any]) -> str:
    try:
        kickoff()
    except Exception as error:  # noqa: BLE001 - its class is what the table tells
        return type(error).__name__
    return "answered"


def rows(stub: Stub, folder: Path) -> Iterator[str]:
    yield f"| fault | strikes | {' | '.join(MODES)} |"
    yield f"| --- | --- | {' | '.join('---' for _ in MODES)} |"
    for name, fault in FAULTS:
        for times, strikes in ((1, "once"), (None, "always")):
            cells = [str(ask(mode, fault, times=times, stub=stub, folder=folder)) for mode in MODES]
            yield f"| {name} | {strikes} | {' | '.join(cells)} |"


def table() -> str:
    """The whole table, measured now."""
    with Stub() as stub, tempfile.TemporaryDirectory() as folder:
        return "\n".join(rows(stub, Path(folder)))


def in_page() -> str:
    text = PAGE.read_text(encoding="utf-8")
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    PAGE.write_text(f"{before}\n{table()}\n{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
