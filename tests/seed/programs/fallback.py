"""An agent whose first model may fail: the second answers."""

import json

from jackstay import Agent, Crew, Task

agent = Agent(role="Guide", goal="Guide", backstory="Knows ways.", llm=["gpt-4o", "gpt-4o-mini"])
task = Task(description="Say the way", expected_output="A way", agent=agent)

if __name__ == "__main__":
    result = Crew(agents=[agent], tasks=[task]).kickoff()
    print(json.dumps({"raw": result.raw, "cost_usd": float(result.cost_usd or -1)}))
