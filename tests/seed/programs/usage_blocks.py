"""The seed's three blocks on usage, one after the other; each asks the crew anew."""

from pasting import paste  # type: ignore[import-not-found]

from jackstay import Agent, Crew, Task

collector = Agent(role="Collector", goal="Collect facts on {topic}", backstory="Asks first.", llm="gpt-4o-mini")
author = Agent(role="Author", goal="Write on {topic}", backstory="Writes last.", llm="gpt-4o-mini")
crew = Crew(
    agents=[collector, author],
    tasks=[
        Task(description="Collect facts on {topic}", expected_output="A list of facts", agent=collector),
        Task(description="Write an article on {topic}", expected_output="Two paragraphs", agent=author),
    ],
)

if __name__ == "__main__":
    for number in (3, 4, 5):
        print(f"== {number}")
        paste(number, globals())
