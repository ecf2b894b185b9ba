"""Planning: how an agent makes a plan for its task (`PlanningConfig`), and a crew one for all its tasks."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jackstay.core.specs import ModelConfig, Planner, Planning
from jackstay.crew.forms import output_form
from jackstay.llm.llm import as_config

if TYPE_CHECKING:
    from jackstay.crew.crew import Crew

PLANNING_MODEL = "gpt-5.4-mini"
"""Of a crew's planner that is given none (CrewAI's)."""
_ATTEMPTS = {"low": 1, "medium": 2, "high": 3}
_IDLE = ("observe_steps", "max_replans", "max_step_iterations", "step_timeout")


class PlanningConfig(BaseModel):
    """How an agent makes its plan before the work: one model call (`llm`, else the agent's own), and others while the plan
    says that it is not ready, up to `max_attempts`; without that figure, 1, 2 or 3 as `reasoning_effort` says. `max_steps`
    bounds the plan. `system_prompt` is a template around who the agent is (`{{ .System }}`), `plan_prompt` and `refine_prompt`
    stand in place of ours. The work itself is the agent's loop: plans are not carried out step by step."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    reasoning_effort: Literal["low", "medium", "high"] = "medium"
    observe_steps: bool | None = None
    max_attempts: int | None = Field(default=None, ge=1)
    max_steps: int = Field(default=20, ge=1)
    max_replans: int = 3
    max_step_iterations: int = 15
    step_timeout: float | None = None
    system_prompt: str | None = None
    plan_prompt: str | None = None
    refine_prompt: str | None = None
    llm: Any = None

    def model_post_init(self, _: Any) -> None:
        idle = [name for name in _IDLE if getattr(self, name) != type(self).model_fields[name].default]
        if idle:
            listed = ", ".join(f"{name}=" for name in idle)
            warnings.warn(
                f"PlanningConfig: {listed} has no effect: a plan is given to the agent, not carried out step by step",
                UserWarning,
                stacklevel=3,
            )

    def frozen(self, owner: str) -> Planning:
        """What the engine sees."""
        return Planning(
            model=None if self.llm is None else as_config(self.llm, f"the planning of {owner}"),
            max_attempts=self.max_attempts or _ATTEMPTS[self.reasoning_effort],
            max_steps=self.max_steps,
            system_prompt=self.system_prompt,
            plan_prompt=self.plan_prompt,
            refine_prompt=self.refine_prompt,
        )


def planning_of(
    planning: bool, config: PlanningConfig | None, *, reasoning: bool, attempts: int | None
) -> PlanningConfig | None:
    """What an agent's arguments come to; `reasoning` and its attempts are the older names."""
    if config is not None:
        return config
    if planning:
        return PlanningConfig(reasoning_effort="low", max_attempts=1)
    return PlanningConfig(max_attempts=attempts) if reasoning else None


class TaskPlan(BaseModel):
    """The plan for one task."""

    task_number: int
    plan: str


class TaskPlans(BaseModel):
    """A plan for each task."""

    plans: list[TaskPlan]


def planner_of(crew: Crew) -> Planner | None:
    """Who plans a crew's tasks before they begin."""
    if not crew.planning:
        return None
    form = output_form(TaskPlans, json_form=False)
    assert form is not None
    return Planner(planning_model(crew), form, lambda said: {each.task_number: each.plan for each in said.plans})


def planning_model(crew: Crew) -> ModelConfig:
    return as_config(PLANNING_MODEL if crew.planning_llm is None else crew.planning_llm, "the crew's planning_llm")


def planning_outline(crew: Crew) -> dict[str, Any]:
    """What a crew's outline has of it: nothing without planning, so that other fingerprints stay as they are."""
    return {"planning": planning_model(crew).model} if crew.planning else {}
