"""What the models say, while they say it."""

from typing import Any

from jackstay import Agent, Crew, Task

MODEL = "openai/gpt-4o-mini"

first = Agent(role="First", goal="Begin", backstory="Early.", llm=MODEL)
second = Agent(role="Second", goal="End", backstory="Late.", llm=MODEL)
crew = Crew(
    agents=[first, second],
    tasks=[
        Task(name="begin", description="Begin the story", expected_output="A beginning", agent=first),
        Task(name="end", description="End the story", expected_output="An end", agent=second),
    ],
    stream=True,
)

if __name__ == "__main__":
    said: dict[str, str] = {}
    streaming: Any = crew.kickoff()
    with streaming:
        for chunk in streaming:
            said[chunk.task_name] = said.get(chunk.task_name, "") + chunk.content
    print(said)
    print(streaming.result.raw)
