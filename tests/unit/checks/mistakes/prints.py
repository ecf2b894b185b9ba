"""Practice 3: what happened is printed."""

from jackstay import Agent, Crew, Task
from jackstay.flow import Flow, start

analyst = Agent(role="Analyst", goal="Know {topic}", backstory="Thorough.", llm="gpt-4o-mini")
task = Task(description="Research {topic}", expected_output="Three facts", agent=analyst)
crew = Crew(agents=[analyst], tasks=[task])


class Report(Flow):
    @start()
    def write(self) -> str:
        try:
            result = crew.kickoff(inputs={"topic": "boats"})
            print(f"Success: {result.token_usage.total_tokens} tokens")  # finds: print-not-logging
            return result.raw
        except Exception as error:
            print(f"Failed: {error}")
            return ""
