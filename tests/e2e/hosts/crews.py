"""Crews and answers that show which input went through which layer, so that cross talk cannot hide."""

from __future__ import annotations

import re
from typing import Any

from jackstay import Agent, Crew, Task
from jackstay.testing import StubRequest, tool_call

MODEL = "openai/gpt-4o-mini"


def crew_of(*tools: Any, name: str = "crew", tasks: int = 1) -> Crew:
    """One task after the other on `{topic}`; each calls every tool once, with the topic."""
    agent = Agent(role="Worker", goal="Work", backstory="b", llm=MODEL, tools=list(tools))
    made = [
        Task(description=f"{name} {number}: topic=<{{topic}}>", expected_output="Text", agent=agent)
        for number in range(tasks)
    ]
    return Crew(name=name, agents=[agent], tasks=made)


def answer(request: StubRequest) -> Any:
    """Calls the tools in their order, then says the topic and what the tools said: `topic(tool, tool)`."""
    topic = topic_of(request)
    said = [message.content for message in request.messages if message.role == "tool"]
    if len(said) < len(request.tools):
        return tool_call(request.tools[len(said)].name, topic=topic)
    return f"{topic}({', '.join(said)})" if said else topic


def topic_of(request: StubRequest) -> str:
    found = re.findall(r"topic=<(.*?)>", request.messages[-1].content if not request.tools else request.last_user)
    return str(found[0]) if found else "?"
