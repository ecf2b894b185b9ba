"""One crew for a list of inputs, two at a time; one of them fails."""

from jackstay import Agent, Crew, Retry, Task

guide = Agent(
    role="Guide", goal="Show {city}", backstory="Born there.", llm="openai/gpt-4o-mini", retry=Retry(max_attempts=1)
)
tour = Task(description="Plan a tour of {city}", expected_output="Three stops", agent=guide)

if __name__ == "__main__":
    cities = ("Kiel", "Atlantis", "Bremen")
    results = Crew(agents=[guide], tasks=[tour]).kickoff_for_each([{"city": city} for city in cities], concurrency=2)
    for city, result in zip(cities, results, strict=True):
        print(city, result.raw if result.ok else "failed")
    print(len(results.failed), "failed")
