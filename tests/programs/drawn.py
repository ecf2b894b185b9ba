"""Programs drawn by a seed: what they consist of, as plain values. `generated` builds and runs them.

The result and the number of calls of a drawn program depend on nothing but its seed: methods that run side by side
write fields of their own, and nobody is told who of them was first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

TRAITS = ("tool", "delegate", "structured", "stream", "context", "callback", "guardrail", "conditional")
"""What a task may have beside its text; `generated.TRAITS` says what each of them means."""
WORKS = ("call", "acall", "stream", "crew", "acrew", "gather", "each", "swallow", "think")
"""What a method may do: one or more model calls, crews, nothing."""
SHAPES: dict[str, dict[str, tuple[str, str]]] = {
    "chain": {"one": ("start", ""), "two": ("listen", "one"), "three": ("listen", "two")},
    "fan": {
        "one": ("start", ""),
        "left": ("listen", "one"),
        "right": ("listen", "one"),
        "both": ("and", "left right"),
    },
    "starts": {"one": ("start", ""), "other": ("start", ""), "both": ("and", "one other")},
    "routed": {
        "one": ("start", ""),
        "judge": ("router", "one"),
        "left": ("listen", "odd"),
        "right": ("listen", "even"),
        "last": ("or", "left right"),
    },
    "cycle": {
        "one": ("start", "again"),
        "judge": ("repeat", "one"),
        "last": ("listen", "done"),
    },
}
"""Flows by the names of their methods: the kind of each and what it listens to."""


@dataclass(frozen=True)
class TaskPlan:
    name: str
    asynchronous: bool = False
    traits: frozenset[str] = frozenset()
    context: tuple[int, ...] = ()
    """With the trait `context`: the tasks whose outputs it is given."""


@dataclass(frozen=True)
class CrewPlan:
    name: str
    tasks: tuple[TaskPlan, ...]


@dataclass(frozen=True)
class MethodPlan:
    name: str
    kind: str
    after: tuple[str, ...]
    work: str
    crews: tuple[CrewPlan, ...] = ()


@dataclass(frozen=True)
class ProgramPlan:
    """A crew, or a flow if there are methods."""

    seed: int
    crew: CrewPlan | None = None
    methods: tuple[MethodPlan, ...] = field(default=())

    @property
    def contents(self) -> frozenset[str]:
        """Every trait, work and kind of method in it."""
        crews = [self.crew] if self.crew else [crew for method in self.methods for crew in method.crews]
        tasks = [task for crew in crews for task in crew.tasks]
        said = {trait for task in tasks for trait in task.traits} | {m.work for m in self.methods}
        said |= {m.kind for m in self.methods} | {"async" for task in tasks if task.asynchronous}
        return frozenset(said)


def drawn(seed: int) -> ProgramPlan:
    """The program of that number."""
    rng = Random(seed)
    if rng.random() < 0.4:
        return ProgramPlan(seed, crew=_crew(rng, "crew", rng.randint(2, 5)))
    shape = SHAPES[rng.choice(sorted(SHAPES))]
    methods = (_method(rng, name, kind, after) for name, (kind, after) in shape.items())
    return ProgramPlan(seed, methods=tuple(methods))


def _method(rng: Random, name: str, kind: str, after: str) -> MethodPlan:
    work = "think" if kind in ("router", "repeat") else rng.choice(WORKS)
    crews = {"crew": 1, "acrew": 1, "gather": rng.randint(2, 3), "each": 1, "swallow": 1}.get(work, 0)
    made = tuple(_crew(rng, f"{name} {number}", rng.randint(1, 2)) for number in range(crews))
    return MethodPlan(name, kind, tuple(after.split()), work, made)


def _crew(rng: Random, name: str, size: int) -> CrewPlan:
    tasks: list[TaskPlan] = []
    for number in range(size):
        # As in CrewAI, again: at most one at a crew's end.
        alone = number + 1 < size or not (tasks and tasks[-1].asynchronous)
        asynchronous = rng.random() < 0.35 and alone
        traits = frozenset(trait for trait in TRAITS if rng.random() < 0.25)
        if asynchronous or number == 0:
            traits -= {"conditional"}
        # As in CrewAI: an asynchronous task is not given the output of one that runs beside it.
        earlier = _before(tasks) if asynchronous else range(number)
        context = tuple(index for index in earlier if rng.random() < 0.5)
        tasks.append(TaskPlan(f"Part {number}", asynchronous, traits, context))
    return CrewPlan(name, tuple(tasks))


def _before(tasks: list[TaskPlan]) -> range:
    """The tasks that have ended when an asynchronous one behind these begins."""
    last = next((index for index in reversed(range(len(tasks))) if not tasks[index].asynchronous), -1)
    return range(last + 1)
