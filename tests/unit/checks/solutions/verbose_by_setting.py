"""Pitfall 3: off, or where a setting asks for it; structured logs instead."""

import os

from jackstay import Agent, Crew, Task

analyst = Agent(role="Analyst", goal="Know it", backstory="Thorough.", llm="gpt-4o-mini")
task = Task(description="Research it", expected_output="Three facts", agent=analyst)
quiet = Crew(agents=[analyst], tasks=[task], verbose=False)
asked = Crew(agents=[analyst], tasks=[task], verbose=bool(os.environ.get("VERBOSE")))
