"""A crew whose texts are in YAML files."""

from typing import Any

from jackstay import Agent, Crew, Task
from jackstay.project import CrewBase, after_kickoff, agent, before_kickoff, crew, llm, task


@CrewBase
class NewsCrew:
    agents: list[Agent]
    tasks: list[Task]
    agents_config: Any = "config/agents.yaml"
    tasks_config: Any = "config/tasks.yaml"

    @before_kickoff
    def with_year(self, inputs):
        return {**inputs, "year": "2026"}

    @after_kickoff
    def signed(self, output):
        output.raw += "\n(signed: the news crew)"
        return output

    @llm
    def small(self):
        return "openai/gpt-4o-mini"

    @agent
    def editor(self) -> Agent:
        return Agent(config=self.agents_config["editor"])

    @agent
    def journalist(self) -> Agent:
        return Agent(config=self.agents_config["journalist"])

    @task
    def collect(self) -> Task:
        return Task(config=self.tasks_config["collect"])

    @task
    def edit(self) -> Task:
        return Task(config=self.tasks_config["edit"])

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks)


if __name__ == "__main__":
    result = NewsCrew().crew().kickoff(inputs={"topic": "harbours"})
    print(result.raw)
    print([output.name for output in result.tasks_output])
