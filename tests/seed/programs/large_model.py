"""A program written for a large model: one agent names it, the other has it in an LLM object."""

import json

from jackstay import LLM, Agent, Crew, Task

thinker = Agent(role="Thinker", goal="Think", backstory="Slow.", llm="gpt-4o")
talker = Agent(role="Talker", goal="Talk", backstory="Quick.", llm=LLM("gpt-4o", temperature=0.2))
tasks = [
    Task(description="Think about tides", expected_output="A thought", agent=thinker),
    Task(description="Talk about tides", expected_output="A sentence", agent=talker),
]

if __name__ == "__main__":
    print(json.dumps({"raw": Crew(agents=[thinker, talker], tasks=tasks).kickoff().raw}))
