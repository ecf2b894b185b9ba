"""The seed's agent with its limits, at work."""

import json

from seed_block_8 import agent  # type: ignore[import-not-found]

from jackstay import Crew, Task

task = Task(description="Say what is new", expected_output="News", agent=agent)

if __name__ == "__main__":
    output = Crew(agents=[agent], tasks=[task]).kickoff()
    print(json.dumps({"raw": output.raw, "max_iter": agent.max_iter, "max_rpm": agent.max_rpm}))
