"""A manager with two coworkers, one of which has a tool: two tasks, the second delegated twice in one turn."""

from __future__ import annotations

from typing import Any

from jackstay import Agent, Crew, Process, Task
from jackstay.testing import FaultPoints, Reply, StubRequest, tool_call
from jackstay.tools import tool

MODEL = "openai/gpt-4o-mini"
DELEGATE, ASK = "delegate_work_to_coworker", "ask_question_to_coworker"
REQUESTS = {"Crew Manager": 4, "Writer": 4, "Critic": 1}
TOTAL = sum(REQUESTS.values())


def run(points: FaultPoints, key: str | None) -> dict[str, Any]:
    """The tool passes the fault point `look_up`."""

    @tool
    def look_up(word: str) -> str:
        """Finds facts."""
        points.hit("look_up")
        return f"facts on {word}"

    output = crew_of(look_up).kickoff({"topic": "tides"}, run_key=key)
    return {
        "tasks": [task.raw for task in output.tasks_output],
        "usage": output.token_usage.model_dump(),
        "called": points.hits.count("look_up"),
    }


def crew_of(*tools: Any, **more: Any) -> Crew:
    writer = Agent(role="Writer", goal="Write on {topic}", backstory="Brief.", llm=MODEL, tools=list(tools))
    critic = Agent(role="Critic", goal="Find faults", backstory="Strict.", llm=MODEL)
    tasks = [
        Task(name="first", description="First on {topic}", expected_output="Text"),
        Task(name="last", description="Last on {topic}", expected_output="Text", agent=critic),
    ]
    given: dict[str, Any] = {"agents": [writer, critic], "tasks": tasks, "manager_llm": MODEL, **more}
    return Crew(name="managed", process=Process.hierarchical, **given)


def answer(request: StubRequest) -> Reply | str:
    """By what was asked, so that a resumed run is answered alike."""
    found = [message.content for message in request.messages if message.role == "tool"]
    if who(request) == "Crew Manager":
        if found:
            return f"managed: {', '.join(found)}"
        if "First" in request.messages[-1].content:
            return Reply(tool_calls=(delegate("Writer"),))
        return Reply(tool_calls=(delegate("Writer"), tool_call(ASK, question="Good?", context="c", coworker="Critic")))
    if who(request) == "Writer":
        return f"written with {found[0]}" if found else Reply(tool_calls=(tool_call("look_up", word="tides"),))
    return "criticised"


def who(request: StubRequest) -> str:
    """Whose request it is."""
    said = request.messages[0].content
    return next(role for role in REQUESTS if f"You are {role}." in said)


def delegate(coworker: str) -> Any:
    return tool_call(DELEGATE, task="Write it", context="c", coworker=coworker)
