"""The seed's robust flow with the crew that it leaves out. Arguments: topics, one kickoff each."""

import json
import sys

from pasting import paste  # type: ignore[import-not-found]

from jackstay import Agent, Crew, Task

seed = paste(1, globals())


class Built(seed.RobustFlow):  # type: ignore[name-defined,misc]
    def _build_crew(self) -> Crew:
        reporter = Agent(role="Reporter", goal="Report on {topic}", backstory="Brief and exact.", llm="gpt-4o-mini")
        report = Task(description="Write a report on {topic}", expected_output="One paragraph", agent=reporter)
        return Crew(agents=[reporter], tasks=[report])


if __name__ == "__main__":
    states = []
    for topic in sys.argv[1:]:
        flow = Built()
        flow.kickoff(inputs={"topic": topic})
        states.append(flow.state.model_dump())
    print(json.dumps(states))
