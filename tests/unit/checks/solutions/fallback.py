"""A fallback where the model is asked."""

from jackstay import LLM, Agent


def create_agent_with_fallback(role: str, goal: str, backstory: str) -> Agent:
    return Agent(role=role, goal=goal, backstory=backstory, llm=LLM("gpt-4o", fallbacks=["gpt-4o-mini"]))
