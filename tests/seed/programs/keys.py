"""A program without a key in it: first without `.env`, then with it. Every address that it connects to is told."""

import json
import sys
from typing import Any

from dotenv import load_dotenv

from jackstay import Agent, Crew, Runtime, Task

connected: set[str] = set()


def note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        connected.add(f"{arguments[1][0]}:{arguments[1][1]}")


def ask() -> str:
    keeper = Agent(role="Keeper", goal="Keep secrets", backstory="Silent.", llm="gpt-4o-mini")
    task = Task(description="Say that the door is open", expected_output="One sentence", agent=keeper)
    return Crew(agents=[keeper], tasks=[task]).kickoff().raw


if __name__ == "__main__":
    sys.addaudithook(note)
    problem = ""
    with Runtime():
        try:
            ask()
        except Exception as error:  # noqa: BLE001 - what the row is about
            problem = str(error)
    load_dotenv()
    print(json.dumps({"problem": problem, "raw": ask(), "connected": sorted(connected)}))
