"""A flow that logs JSON and lets its crew's failure through. Arguments: topics, one kickoff each."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from jackstay import Agent, Crew, Task
from jackstay.flow.flow import Flow, start

log = logging.getLogger("watch")

watcher = Agent(role="Watcher", goal="Watch {topic}", backstory="Awake.", llm="gpt-4o-mini")
crew = Crew(
    agents=[watcher],
    tasks=[Task(description="Watch {topic}", expected_output="What was seen", agent=watcher)],
)


def tell(level: int, event: str, **fields: Any) -> None:
    log.log(level, json.dumps({"event": event, "at": datetime.now(UTC).isoformat(), **fields}))


class WatchedFlow(Flow):
    @start()
    def watch(self):
        run_id = self.state["id"]
        tell(logging.INFO, "begun", run_id=run_id, topic=self.state.get("topic"))
        try:
            result = crew.kickoff(inputs={"topic": self.state["topic"]})
        except Exception as error:
            tell(logging.ERROR, "broken", run_id=run_id, error=str(error))
            raise
        tell(logging.INFO, "ended", run_id=run_id, tokens=result.token_usage.total_tokens, length=len(result.raw))
        return result.raw


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    for topic in sys.argv[1:]:
        flow = WatchedFlow()
        raw = flow.kickoff(inputs={"topic": topic})
        print(json.dumps({"raw": raw, "run_id": flow.run_id, "state_id": flow.state["id"]}))
