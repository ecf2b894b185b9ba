"""Pitfall 4: no retry for failures of the API; with Jackstay they have to be switched off."""

from jackstay import LLM, Agent, Retry

once = Retry(max_attempts=1)  # finds: retries-off
model = LLM("gpt-4o-mini", max_retries=0)  # finds: retries-off
analyst = Agent(role="Analyst", goal="Know it", backstory="Thorough.", llm=model, retry=once)
