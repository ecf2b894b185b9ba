"""The seed's own fallback: the constructor asks no model, so the `except` never sees an outage."""

from jackstay import Agent


def create_agent_with_fallback(role: str, goal: str, backstory: str) -> Agent:
    try:
        return Agent(role=role, goal=goal, backstory=backstory, llm="gpt-4o")  # finds: fallback-in-constructor
    except Exception:
        return Agent(role=role, goal=goal, backstory=backstory, llm="gpt-4o-mini")
