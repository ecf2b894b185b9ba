"""Which task of a crew comes next and what it is told of the others. CrewAI's rules, over specs and raw outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jackstay.core.results import TaskResult
from jackstay.core.specs import CrewSpec, TaskSpec

CONTEXT_SEPARATOR = "\n\n----------\n\n"


def stages(crew: CrewSpec) -> list[tuple[int, ...]]:
    """The tasks' indexes in the order of starting; a stage's tasks run side by side, the next waits for all of them.

    Asynchronous tasks start together with those directly before them; the next synchronous task waits for them.
    """
    planned: list[tuple[int, ...]] = []
    waiting: list[int] = []
    for index, task in enumerate(crew.tasks):
        if task.async_execution:
            waiting.append(index)
            continue
        if waiting:
            planned.append(tuple(waiting))
            waiting = []
        planned.append((index,))
    if waiting:
        planned.append(tuple(waiting))
    return planned


def context_of(task: TaskSpec, index: int, outputs: Mapping[int, str]) -> str:
    """The other tasks' outputs that a task is given: those it names, else all earlier ones in the crew's order."""
    if task.context is None:
        # An asynchronous task without a context of its own gets none (CrewAI, measured).
        indexes: Sequence[int] = () if task.async_execution else sorted(i for i in outputs if i < index)
    else:
        indexes = task.context
    parts = [outputs[i] for i in indexes if i in outputs]
    if task.given_context:
        parts.append(task.given_context)
    return CONTEXT_SEPARATOR.join(parts)


def told_of(result: TaskResult) -> str:
    """What other tasks are told of a task's result."""
    if result.error is None:
        return result.raw
    return f"The result of the task '{result.name or result.description}' is missing: it failed. Do without it."


def final_output(outputs: Mapping[int, str]) -> int | None:
    """The index of the task whose output is the crew's: the last one that said something."""
    spoken = [index for index, raw in outputs.items() if raw]
    return max(spoken) if spoken else None


def task_keys(names: Sequence[str]) -> list[tuple[str, int]]:
    """Each task's key with its number among equal keys, counted from 1."""
    counts: dict[str, int] = {}
    keyed = []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        keyed.append((name, counts[name]))
    return keyed
