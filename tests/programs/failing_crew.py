"""A crew whose tasks fail: rejected twice and done by a deputy, ended by a tool and done again, left out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jackstay import Agent, Crew, Retry, Task, TaskOutput
from jackstay.testing import FaultPoints, StubRequest, tool_call
from jackstay.tools import ToolFailure, tool

MODEL = "openai/gpt-4o-mini"
CALLS = {"Pay": "pay", "Sound": "sound", "Peer": "peer"}
REQUESTS = {"Pay": 6, "Sound": 3, "Peer": 1, "Close": 1}
"""Of each task, undisturbed."""


def run(points: FaultPoints, key: str | None) -> dict[str, Any]:
    """What the crew gave back. `pay` adds a line to the file that COUNTER names."""

    @tool(side_effect=True)
    def pay(amount: int) -> str:
        """Pays an amount."""
        with Path(os.environ["COUNTER"]).open("a") as counter:
            counter.write(f"{amount}\n")
        return f"paid {amount}"

    @tool(tool_failure_policy="raise")
    def sound(amount: int) -> Any:
        """Sounds the depth."""
        return ToolFailure("no ground", code="no_ground")

    @tool(tool_failure_policy="raise")
    def peer(amount: int) -> Any:
        """Looks into the fog."""
        return ToolFailure("fog", code="fog")

    def by_the_deputy(output: TaskOutput) -> tuple[bool, Any]:
        return (True, output) if output.agent == "Deputy" else (False, "the deputy is to do it")

    clerk = Agent(role="Clerk", goal="g", backstory="b", llm=MODEL, tools=[pay, sound, peer])
    deputy = Agent(role="Deputy", goal="g", backstory="b", llm=MODEL, tools=[pay])
    common: dict[str, Any] = {"expected_output": "A receipt", "agent": clerk}
    again: dict[str, Any] = {
        "on_error": "fallback",
        "fallback": deputy,
        "retries": Retry(max_attempts=2, backoff_s=0.05),
    }
    tasks = [
        Task(name="pay", description="Pay", guardrail=by_the_deputy, guardrail_max_retries=0, **again, **common),
        Task(name="sound", description="Sound", **again, **common),
        Task(name="peer", description="Peer", on_error="skip", **common),
        Task(name="close", description="Close", **common),
    ]
    output = Crew(name="failing", agents=[clerk, deputy], tasks=tasks).kickoff(run_key=key)
    return {
        "tasks": [(task.raw, task.agent, task.error) for task in output.tasks_output],
        "tool_failures": sorted((each.code or "", each.path) for each in output.tool_failures),
        "requests": output.token_usage.successful_requests,
    }


def answer(request: StubRequest) -> Any:
    """By what was asked, so that a resumed run is answered alike."""
    name, role = which(request), "Deputy" if "You are Deputy" in request.messages[0].content else "Clerk"
    said = [message.content for message in request.messages if message.role == "tool"]
    if said or name == "Close" or (role, name) == ("Deputy", "Sound"):
        return f"{role}: {'; '.join([name, *said])}"
    return tool_call(CALLS[name], amount=3)


def which(request: StubRequest) -> str:
    """The task that a request is for."""
    return next(name for name in REQUESTS if f"Current Task: {name}" in request.last_user)
