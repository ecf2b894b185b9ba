"""A program that has to stay up: every kickoff in try/except, every failure logged. Arguments: topics."""

import json
import logging
import sys

from jackstay import Agent, Crew, JackstayError, Task

log = logging.getLogger("service")

server = Agent(role="Server", goal="Serve {topic}", backstory="Always open.", llm="gpt-4o-mini")
crew = Crew(
    agents=[server],
    tasks=[Task(description="Serve {topic}", expected_output="An answer", agent=server)],
)


def serve(inputs: dict[str, str]) -> dict[str, object]:
    try:
        return {"answer": crew.kickoff(inputs=inputs).raw}
    except Exception as error:
        log.exception("kickoff with %s failed", inputs)
        return {"error": str(error), "code": error.code if isinstance(error, JackstayError) else None}


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    first = serve({"subject": "a name that the crew does not ask for"})
    print(json.dumps([first, *(serve({"topic": topic}) for topic in sys.argv[1:])]))
