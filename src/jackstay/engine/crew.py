"""A crew's tasks in the order that `core.tasks` plans."""

from __future__ import annotations

from jackstay.core.results import CrewResult, TaskResult
from jackstay.core.specs import CrewSpec
from jackstay.core.tasks import context_of, final_output, stages, task_keys, told_of
from jackstay.engine.delegation import Coworkers
from jackstay.engine.planning import planned_crew
from jackstay.engine.scope import Scope
from jackstay.engine.task import run_task
from jackstay.engine.together import together
from jackstay.engine.tool_servers import served
from jackstay.errors import NoTaskOutput


async def run_crew(scope: Scope, crew: CrewSpec) -> CrewResult:
    """All tasks' results in the crew's order. Raises what a failing task raises; side-by-side ones are cancelled."""
    scope.bound(limits=(crew.limit,) if crew.limit else ())
    async with served(scope, crew) as equipped:
        return await _run_tasks(scope, await planned_crew(scope, equipped))


async def _run_tasks(scope: Scope, crew: CrewSpec) -> CrewResult:
    keys = task_keys([task.key for task in crew.tasks])
    coworkers = Coworkers(scope, crew.agents)
    results: dict[int, TaskResult] = {}
    for stage in stages(crew):
        said = {index: told_of(result) for index, result in results.items()}
        last = results[max(results)] if results else None
        done = await together(
            [
                run_task(
                    scope, crew.tasks[i], keys[i][1], context_of(crew.tasks[i], i, said), last, coworkers=coworkers
                )
                for i in stage
            ]
        )
        results.update(zip(stage, done, strict=True))
    final = final_output({index: result.raw for index, result in results.items()})
    if final is None:
        raise NoTaskOutput(
            "No valid task outputs available to create the crew's output: each task was skipped, was left out after a "
            "failure, or said nothing; look at the run with 'jackstay show'"
        )
    return CrewResult(tuple(results[index] for index in sorted(results)), final)
