"""Two tasks side by side, and one that waits for both."""

from jackstay import Agent, Crew, Task

MODEL = "openai/gpt-4o-mini"

historian = Agent(role="Historian", goal="Know the past", backstory="Reads old maps.", llm=MODEL)
engineer = Agent(role="Engineer", goal="Know how it works", backstory="Has built three.", llm=MODEL)
writer = Agent(role="Writer", goal="Put it together", backstory="Brief.", llm=MODEL)

history = Task(description="History of locks", expected_output="Facts", agent=historian, async_execution=True)
technique = Task(description="Technique of locks", expected_output="Facts", agent=engineer, async_execution=True)
article = Task(
    description="Write about locks", expected_output="An article", agent=writer, context=[history, technique]
)

if __name__ == "__main__":
    result = Crew(agents=[historian, engineer, writer], tasks=[history, technique, article]).kickoff()
    print(result.raw)
    print([output.agent for output in result.tasks_output])
