"""The seed's function that makes an agent with a fallback, and the agent at work."""

import json

from seed_block_12 import create_agent_with_fallback  # type: ignore[import-not-found]

from jackstay import Crew, Task

agent = create_agent_with_fallback("Guide", "Guide", "Knows ways.")
task = Task(description="Say the way", expected_output="A way", agent=agent)

if __name__ == "__main__":
    print(json.dumps({"raw": Crew(agents=[agent], tasks=[task]).kickoff().raw}))
