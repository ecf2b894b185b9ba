"""A program that leaves `.env` to the command that starts it."""

import json
import os

from jackstay import Agent, Crew, Task

if __name__ == "__main__":
    keeper = Agent(role="Keeper", goal="Keep secrets", backstory="Silent.", llm="gpt-4o-mini")
    task = Task(description="Say that the door is open", expected_output="One sentence", agent=keeper)
    raw = Crew(agents=[keeper], tasks=[task]).kickoff().raw
    print(json.dumps({"raw": raw, "telemetry": os.environ["CREWAI_TELEMETRY_ENABLED"]}))
