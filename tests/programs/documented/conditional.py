"""A task that is done only if the one before it has found too little."""

from jackstay import Agent, ConditionalTask, Crew, Task, TaskOutput

scout = Agent(role="Scout", goal="Find events", backstory="Is out every night.", llm="openai/gpt-4o-mini")


def too_few(output: TaskOutput) -> bool:
    return len(output.raw.split(",")) < 3


find = Task(description="Find events in {city}", expected_output="A list with commas", agent=scout)
find_more = ConditionalTask(
    description="Find more events in {city}", expected_output="A list", agent=scout, condition=too_few
)
summary = Task(description="Sum up the events", expected_output="One sentence", agent=scout)

if __name__ == "__main__":
    crew = Crew(agents=[scout], tasks=[find, find_more, summary])
    for city in ("Kiel", "Hamburg"):
        result = crew.kickoff(inputs={"city": city})
        print(city, [bool(output.raw) for output in result.tasks_output], result.raw)
