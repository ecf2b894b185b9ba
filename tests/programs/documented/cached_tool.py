"""A tool whose results answer equal calls for a minute."""

from jackstay import Agent, Crew, Task
from jackstay.tools import tool

calls: list[str] = []


@tool(cache_ttl_s=60, cache_function=lambda arguments, result: "unknown" not in result)
def water_level(place: str) -> str:
    """The water level at a place."""
    calls.append(place)
    return f"{place}: 3.2 m" if place == "Kiel" else f"{place}: unknown"


warden = Agent(
    role="Warden", goal="Know the water", backstory="Lives on the dyke.", llm="openai/gpt-4o-mini", tools=[water_level]
)
morning = Task(description="Report the level in the morning", expected_output="Metres", agent=warden)
evening = Task(description="Report the level in the evening", expected_output="Metres", agent=warden)

if __name__ == "__main__":
    print(Crew(agents=[warden], tasks=[morning, evening]).kickoff().raw)
    print(calls)
