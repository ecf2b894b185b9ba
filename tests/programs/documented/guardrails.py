"""An answer that is sent back until it is short enough."""

from typing import Any

from jackstay import Agent, Crew, Task, TaskOutput


def at_most_five_words(output: TaskOutput) -> tuple[bool, Any]:
    words = len(output.raw.split())
    return (True, output.raw) if words <= 5 else (False, f"{words} words are too many: use at most 5")


poet = Agent(role="Poet", goal="Move people", backstory="Sits at the shore.", llm="openai/gpt-4o-mini")
line = Task(
    description="Write a line about the sea",
    expected_output="One line",
    agent=poet,
    guardrail=at_most_five_words,
    guardrail_max_retries=2,
)

if __name__ == "__main__":
    print(Crew(agents=[poet], tasks=[line]).kickoff().raw)
