"""An agent that asks its coworker."""

from jackstay import Agent, Crew, Task

MODEL = "openai/gpt-4o-mini"

lead = Agent(role="Lead", goal="Deliver", backstory="Knows whom to ask.", llm=MODEL, allow_delegation=True)
lawyer = Agent(role="Lawyer", goal="Know the law", backstory="Of the sea.", llm=MODEL)
contract = Task(description="Write the contract of {ship}", expected_output="A contract", agent=lead)

if __name__ == "__main__":
    result = Crew(agents=[lead, lawyer], tasks=[contract]).kickoff(inputs={"ship": "the Aurora"})
    print(result.raw)
    print(result.token_usage.successful_requests, "requests")
