"""Answers that fit a model class."""

from pydantic import BaseModel

from jackstay import Agent, Crew, Task


class Ship(BaseModel):
    name: str
    built: int


class Fleet(BaseModel):
    ships: list[Ship]


clerk = Agent(role="Clerk", goal="Keep the register", backstory="Exact.", llm="openai/gpt-4o-mini")
register = Task(description="List the ships in port", expected_output="The ships", agent=clerk, output_pydantic=Fleet)
oldest = Task(description="Which ship is the oldest?", expected_output="One ship", agent=clerk, output_json=Ship)

if __name__ == "__main__":
    result = Crew(agents=[clerk], tasks=[register, oldest]).kickoff()
    fleet = result.tasks_output[0].pydantic
    assert isinstance(fleet, Fleet)
    print([ship.name for ship in fleet.ships])
    print(result.json_dict, result["built"])
