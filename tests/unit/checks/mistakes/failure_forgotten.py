"""Pitfall 1: caught, and nobody learns of it."""

from jackstay import Agent, Crew, Task

analyst = Agent(role="Analyst", goal="Know {topic}", backstory="Thorough.", llm="gpt-4o-mini")
task = Task(description="Research {topic}", expected_output="Three facts", agent=analyst)
crew = Crew(agents=[analyst], tasks=[task])


def report(topic: str) -> str:
    try:
        result = crew.kickoff(inputs={"topic": topic})
        return f"{result.raw} ({result.token_usage.total_tokens} tokens)"
    except Exception:  # finds: unhandled-kickoff
        pass
    return ""
