"""Kickoffs that share agent and model, each logged as one JSON line; no new one once a number of tokens is spent.

Arguments: the number of tokens, then topics.
"""

import json
import logging
import sys

from jackstay import LLM, Agent, Crew, Task

log = logging.getLogger("ledger")

model = LLM("gpt-4o-mini")
clerk = Agent(role="Clerk", goal="Sum up {topic}", backstory="Counts twice.", llm=model)
crew = Crew(
    agents=[clerk],
    tasks=[
        Task(description="List what is known of {topic}", expected_output="A list", agent=clerk),
        Task(description="Sum up {topic}", expected_output="One sentence", agent=clerk),
    ],
)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    allowed, spent, left_out = int(sys.argv[1]), 0, []
    for topic in sys.argv[2:]:
        if spent >= allowed:
            left_out.append(topic)
            continue
        result = crew.kickoff(inputs={"topic": topic})
        spent += result.token_usage.total_tokens
        log.info(json.dumps({"event": "run", "topic": topic, **result.summary()}))
    print(json.dumps({"spent": spent, "left_out": left_out}))
