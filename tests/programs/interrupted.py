"""A crew that is interrupted with Ctrl-C: in a model call, in a `def` tool, in an `async def` tool, in a running loop.

MODE says where it blocks; anything else does not block. STUB_URL is told when the tool has begun.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import threading
from typing import Any
from urllib.parse import urlsplit

from jackstay import Agent, Crew, Task
from jackstay.testing import FaultPoints
from jackstay.tools import tool

MODEL = "openai/gpt-4o-mini"


def tell_stub(path: str) -> None:
    """A request that the stub keeps among its `other_requests`."""
    place = urlsplit(os.environ["STUB_URL"])
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    connection.request("GET", path)
    connection.getresponse().read()
    connection.close()


def _tool(mode: str) -> Any:
    @tool("work")
    def in_pool(topic: str) -> str:
        """Works."""
        tell_stub("/begun")
        if mode == "def tool":
            threading.Event().wait()
        return "worked"

    @tool("work")
    async def on_home(topic: str) -> str:
        """Works."""
        tell_stub("/begun")
        while mode == "busy tool":
            pass
        await asyncio.Event().wait()
        return "worked"

    return on_home if mode in ("async tool", "busy tool") else in_pool


def run(points: FaultPoints, key: str | None) -> dict[str, Any]:
    """How the kickoff ended."""
    mode = os.environ["MODE"]
    agent = Agent(role="Worker", goal="g", backstory="b", llm=MODEL, tools=[_tool(mode)])
    tasks = [Task(description=f"Part {n}", expected_output="Text", agent=agent) for n in range(2)]
    crew = Crew(agents=[agent], tasks=tasks)

    async def in_loop() -> Any:
        return crew.kickoff(run_key=key)

    try:
        output = asyncio.run(in_loop()) if mode == "in a loop" else crew.kickoff(run_key=key)
    except BaseException as error:  # noqa: BLE001 - told to the test
        tell_stub("/stopped")
        return {"raised": type(error).__name__, "notes": getattr(error, "__notes__", [])}
    return {"raised": None, "raw": output.raw}
