"""A manager that the crew makes gives the work to its agents."""

from jackstay import Agent, Crew, Process, Task

MODEL = "openai/gpt-4o-mini"

cook = Agent(role="Cook", goal="Cook well", backstory="Twenty years at the stove.", llm=MODEL)
buyer = Agent(role="Buyer", goal="Buy cheaply", backstory="Knows every market.", llm=MODEL)
dinner = Task(description="Plan a dinner for {guests} guests", expected_output="A menu with its price")

if __name__ == "__main__":
    crew = Crew(agents=[cook, buyer], tasks=[dinner], process=Process.hierarchical, manager_llm="openai/gpt-4o")
    print(crew.kickoff(inputs={"guests": 4}).raw)
