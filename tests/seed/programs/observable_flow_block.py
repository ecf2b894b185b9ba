"""The seed's observable flow with the names that it takes for granted. Arguments: topics, one kickoff each."""

import json
import sys

from pasting import paste  # type: ignore[import-not-found]

from jackstay import Agent, Crew, Task
from jackstay.flow.flow import Flow, start  # noqa: F401 - the block uses them

watcher = Agent(role="Watcher", goal="Watch {topic}", backstory="Awake.", llm="gpt-4o-mini")
crew = Crew(
    agents=[watcher],
    tasks=[Task(description="Watch {topic}", expected_output="What was seen", agent=watcher)],
)
seed = paste(6, globals())

if __name__ == "__main__":
    for topic in sys.argv[1:]:
        flow = seed.ObservableFlow()
        raw = flow.kickoff(inputs={"topic": topic})
        print(json.dumps({"raw": raw, "run_id": flow.run_id, "state_id": flow.state["id"]}))
