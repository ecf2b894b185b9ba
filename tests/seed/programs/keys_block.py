"""The seed's two lines on `.env`, then a kickoff."""

import json

from pasting import paste  # type: ignore[import-not-found]

from jackstay import Agent, Crew, Task

if __name__ == "__main__":
    paste(11, globals())
    keeper = Agent(role="Keeper", goal="Keep secrets", backstory="Silent.", llm="gpt-4o-mini")
    task = Task(description="Say that the door is open", expected_output="One sentence", agent=keeper)
    print(json.dumps({"raw": Crew(agents=[keeper], tasks=[task]).kickoff().raw}))
