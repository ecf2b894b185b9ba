"""Tools of an MCP server, of which the agent sees one."""

import sys
from pathlib import Path

from jackstay import Agent, Crew, Task
from jackstay.tools.mcp import MCPServerStdio, create_static_tool_filter

SERVER = Path(__file__).parents[1] / "mcp_server.py"

tides = MCPServerStdio(
    command=sys.executable, args=[str(SERVER)], tool_filter=create_static_tool_filter(allowed_tool_names=["tide"])
)
pilot = Agent(role="Pilot", goal="Know the tide", backstory="Careful.", llm="openai/gpt-4o-mini", mcps=[tides])
sounding = Task(description="How high is the tide at {place}?", expected_output="Metres", agent=pilot)

if __name__ == "__main__":
    print(Crew(agents=[pilot], tasks=[sounding]).kickoff(inputs={"place": "Husum"}).raw)
