"""Four tasks; a mistake of the program's own makes the third fail."""

from jackstay import Agent, Crew, Task, TaskOutput


def file_it(output: TaskOutput) -> None:
    if "third" in output.description:
        raise OSError("the archive is closed")


clerk = Agent(role="Clerk", goal="File reports", backstory="Orderly.", llm="gpt-4o-mini")
crew = Crew(
    agents=[clerk],
    tasks=[
        Task(
            name=f"task_{number}",
            description=f"Write the {place} report on {{topic}}",
            expected_output="A report",
            agent=clerk,
            callback=file_it,
        )
        for number, place in enumerate(("first", "second", "third", "fourth"), 1)
    ],
)

if __name__ == "__main__":
    print(crew.kickoff(inputs={"topic": "boats"}).raw)
