"""Two agents, two tasks, one after the other."""

from jackstay import Agent, Crew, Process, Task

MODEL = "openai/gpt-4o-mini"

researcher = Agent(role="Researcher", goal="Find out about {topic}", backstory="You read everything.", llm=MODEL)
reporter = Agent(role="Reporter", goal="Report on {topic}", backstory="You write clearly.", llm=MODEL)

research = Task(description="Research {topic}", expected_output="Three bullet points", agent=researcher)
report = Task(
    description="Write a report on {topic}",
    expected_output="A report in Markdown",
    agent=reporter,
    output_file="report.md",
    markdown=True,
)

if __name__ == "__main__":
    crew = Crew(agents=[researcher, reporter], tasks=[research, report], process=Process.sequential)
    result = crew.kickoff(inputs={"topic": "tidal power"})
    print(result.raw)
    print(result.token_usage.successful_requests, "requests")
