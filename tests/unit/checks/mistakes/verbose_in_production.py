"""Pitfall 3: `verbose=True` is left in."""

from jackstay import Agent, Crew, Task

analyst = Agent(
    role="Analyst",
    goal="Know it",
    backstory="Thorough.",
    llm="gpt-4o-mini",
    verbose=True,  # finds: verbose
)
task = Task(description="Research it", expected_output="Three facts", agent=analyst)
crew = Crew(
    agents=[analyst],
    tasks=[task],
    verbose=True,  # finds: verbose
)
