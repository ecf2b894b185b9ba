"""Practice 6: the large model before anything has run."""

from jackstay import LLM, Agent

analyst = Agent(role="Analyst", goal="Know it", backstory="Thorough.", llm="gpt-4o")  # finds: large-model-first
writer = Agent(role="Writer", goal="Write", backstory="Brief.", llm=LLM("anthropic/claude-opus-4-1"))
