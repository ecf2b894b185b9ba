"""Pitfall 1, practice 1: nothing around `kickoff()`."""

from jackstay import Agent, Crew, Task

analyst = Agent(role="Analyst", goal="Know {topic}", backstory="Thorough.", llm="gpt-4o-mini")
task = Task(description="Research {topic}", expected_output="Three facts", agent=analyst)
crew = Crew(agents=[analyst], tasks=[task])


def report(topic: str) -> str:
    result = crew.kickoff(inputs={"topic": topic})  # finds: unhandled-kickoff
    return f"{result.raw} ({result.token_usage.total_tokens} tokens)"
