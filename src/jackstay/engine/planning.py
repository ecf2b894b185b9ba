"""Plans that are made before the work: by an agent for its task, by a crew's planner for all tasks. Each is a conversation of
its own below a step (`@plan#1`), recorded and counted like all others; a resumed run works by the plan that it has."""

from __future__ import annotations

from dataclasses import replace

from jackstay.core import prompts
from jackstay.core.specs import AgentSpec, CrewSpec
from jackstay.engine.agent_loop import run_agent
from jackstay.engine.scope import Scope


async def planned(scope: Scope, agent: AgentSpec, user: str, tools: tuple[str, ...]) -> str:
    """The agent's prompt with the plan that it has made for it; the prompt itself if it makes none. `tools`: the names of
    those that it has. Raises what model calls raise."""
    planning = agent.planning
    if planning is None:
        return user
    who = replace(
        agent,
        model=planning.model or agent.model,
        tools=(),
        planning=None,
        system_template=planning.system_prompt or agent.system_template,
        prompt_template=None,
        response_template=None,
        step_callback=None,
    )
    quiet = _quiet(scope)
    answer = await run_agent(quiet, who, prompts.plan_text(planning, user, tools), ())
    for _ in range(planning.max_attempts - 1):
        if prompts.is_ready(answer.text):
            break
        answer = await run_agent(quiet, who, prompts.refine_text(planning), (), after=answer.conversation)
    return f"{user}\n\n{prompts.planned_text(prompts.plan_in(answer.text))}"


async def planned_crew(scope: Scope, crew: CrewSpec) -> CrewSpec:
    """The crew whose tasks have the planner's plans, if it has a planner. Raises what model calls raise, `OutputError`."""
    planner = crew.planner
    if planner is None:
        return crew
    who = AgentSpec(prompts.PLANNER_ROLE, prompts.PLANNER_GOAL, prompts.PLANNER_BACKSTORY, planner.model)
    quiet = _quiet(scope)
    quiet.agent = who.role
    asked = f"{prompts.crew_plan_text(crew.tasks)}\n\n{prompts.schema_text(planner.output.schema.schema)}"
    plans = planner.plans((await run_agent(quiet, who, asked, (), planner.output)).value)
    tasks = tuple(replace(task, plan=plans.get(number, "")) for number, task in enumerate(crew.tasks, start=1))
    return replace(crew, tasks=tasks)


def _quiet(scope: Scope) -> Scope:
    """Who streams a crew hears what is said of the work, not the plans for it."""
    inner = scope.child(scope.numbered("@plan"))
    inner.listener = None
    return inner
