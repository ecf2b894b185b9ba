"""What a crew cost, reckoned from its usage and as the run's own figure; and what other models would have cost."""

import json

from jackstay import Agent, Crew, Task, estimate_cost

agent = Agent(role="Author", goal="Write on {topic}", backstory="Writes last.", llm="gpt-4o-mini")
crew = Crew(agents=[agent], tasks=[Task(description="Write on {topic}", expected_output="A text", agent=agent)])

if __name__ == "__main__":
    result = crew.kickoff(inputs={"topic": "ports"})
    models = ("gpt-4o-mini", "gpt-4o", "anthropic/claude-sonnet-4-5", "nobody/knows")
    told = {model: estimate_cost(result.token_usage, model) for model in models}
    print(json.dumps({"usage": result.token_usage.model_dump(), "cost_usd": str(result.cost_usd), "estimates": told}))
