"""Definitions as the journal has them: which tasks and methods there were, what each depends on, what has changed since.

An *outline* is the JSON value whose hash is a definition's fingerprint (`Crew.fingerprint`, `Flow.fingerprint`): names,
prompts, schemas, graph. It is stored once per fingerprint, under it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jackstay.core.canonical import canonical_json
from jackstay.core.flow_graph import AllOf, AnyOf, Call, Condition, FlowGraph, FlowProgress, MethodSpec, Trigger
from jackstay.core.interpolation import placeholders
from jackstay.core.paths import escape, slug
from jackstay.core.tasks import task_keys

_QUESTION = ("description", "expected_output", "output")
_AGENT_QUESTION = ("role", "goal", "backstory")
_MANNER = {"async": "runs side by side with others or not", "markdown": "asks for Markdown or not"}
_AGENT_MANNER = {
    "model": "the model",
    "fallbacks": "the fallbacks",
    "sampling": "the sampling settings",
    "max_iter": "max_iter",
    "templates": "the templates",
    "date": "the date in the prompt",
    "response_template": "the template of the answer",
    "planning": "how it plans",
    "executes": "the class that does its tasks",
}
_COWORKER_QUESTION = {
    "goal": "the goal",
    "backstory": "the backstory",
    "tools": "the tools",
    "delegates": "what it may delegate",
    "servers": "the servers of its tools",
}
_MANY_CALLS = 1_000_000


@dataclass(frozen=True, slots=True)
class TaskOutline:
    """A task of a crew, as it stood in the definition (variables not filled in)."""

    index: int
    part: str
    """Its part of a path: `research#1`."""
    label: str
    agent: str
    body: Mapping[str, Any]
    doer: Mapping[str, Any]
    """The agent that does it: its own, or the manager."""
    managed: bool = False
    coworkers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Whom that agent may delegate to, by role."""

    def needs(self, other: TaskOutline) -> bool:
        """Whether it is told the other task's output. (A condition looks at the output before it.)"""
        if other.index >= self.index:
            return False
        if self.body.get("conditional"):
            return True
        context = self.body["context"]
        return not self.body["async"] if context is None else other.index in context

    @property
    def variables(self) -> set[str]:
        """The inputs that its question mentions."""
        agents = (self.doer, *self.coworkers.values())
        texts = [self.body[name] for name in _QUESTION[:2]]
        texts += [agent.get(name, "") for agent in agents for name in _AGENT_QUESTION]
        # Braces of JSON are no placeholders.
        texts.append(canonical_json(self.body.get("on_error")))
        return {name for text in texts for name in placeholders(text)}


def tasks_of(outline: Any) -> list[TaskOutline]:
    """A crew's tasks in their order."""
    bodies: Sequence[Mapping[str, Any]] = outline[2]
    team: Mapping[str, Any] = outline[3] if len(outline) > 3 else {}
    keyed = task_keys([slug(body["name"] or body["description"]) for body in bodies])
    found = []
    for index, (body, (key, number)) in enumerate(zip(bodies, keyed, strict=True)):
        manager, others = team.get("manager"), team.get("agents", ())
        doer = manager or body["agent"] or {}
        part, label, role = f"{escape(key)}#{number}", body["name"] or key, doer.get("role", "")
        coworkers = {agent["role"]: agent for agent in others if manager or (doer.get("delegates") and agent != doer)}
        found.append(TaskOutline(index, part, label, role, body, doer, manager is not None, coworkers))
    return found


def dependents(tasks: Sequence[TaskOutline], seeds: Collection[int]) -> set[int]:
    """The tasks with these indexes, and all that are told of one of them, directly or not."""
    found: set[int] = set()
    for task in tasks:  # what a task needs stands before it
        if task.index in seeds or any(task.needs(tasks[index]) for index in found):
            found.add(task.index)
    return found


# --- flows ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Completion:
    """A recorded call of a flow's method. `result` is what a router's label is made of."""

    method: str
    number: int
    result: Any


def follows(
    outline: Any, completions: Sequence[Completion], calls: Collection[tuple[str, int]]
) -> set[tuple[str, int]]:
    """The completions that would not have come about without these calls: themselves, and what followed from them.
    `completions` in the order recorded."""
    progress = FlowProgress(graph_of(outline))
    ready = {(call.method, call.number): call for call in progress.begin()}
    left = [each for each in completions if (each.method, each.number) not in calls]
    while True:
        fed = [each for each in left if _feed(progress, ready, each)]
        left = [each for each in left if each not in fed]
        if not fed:
            break
    return {(each.method, each.number) for each in left} | set(calls)


def _feed(progress: FlowProgress, ready: dict[tuple[str, int], Call], one: Completion) -> bool:
    key = (one.method, one.number)
    if key not in ready:
        return False
    del ready[key]
    for call in progress.complete(one.method, one.number, one.result):
        ready[call.method, call.number] = call
    return True


def graph_of(outline: Any) -> FlowGraph:
    """A flow's methods and what they listen to, without their code."""
    methods = {
        name: MethodSpec(name, _nothing, start, _condition(condition), router, tuple(emits) or None)
        for name, (start, condition, router, emits) in outline[2].items()
    }
    return FlowGraph(methods, _MANY_CALLS)


def _nothing() -> None:
    raise AssertionError("an outline has no code")


def _condition(outline: Any) -> Condition | None:
    if outline is None:
        return None
    if isinstance(outline, str):
        return Trigger(outline)
    kind, *parts = outline
    made = tuple(part for part in map(_condition, parts) if part is not None)
    return AnyOf(made) if kind == "or" else AllOf(made)


# --- what has changed ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two outlines, in words. `part`: the old task whose question is another one now."""

    text: str
    part: str | None = None
    gone: bool = False
    """Of a task or method that is not there any more."""


def changes(old: Any, new: Any) -> list[Change]:
    """What of a definition is not as it was; empty if nothing is."""
    if old[0] != new[0]:
        return [Change(f"{old[0]} '{old[1]}' is a {new[0]} now")]
    found = list(_crew_changes(old, new) if old[0] == "crew" else _flow_changes(old, new))
    if not found and old != new:
        found.append(Change(f"{old[0]} '{old[1]}' is defined otherwise"))
    return found


def likeness(old: Any, new: Any) -> float:
    """The share of tasks or methods that two definitions have in common: 0 to 1."""
    if old[0] != new[0]:
        return 0.0
    if old[0] == "crew":
        before, after = tasks_of(old), tasks_of(new)
        said = {task.body["description"] for task in after} | {task.part for task in after}
        kept = sum(task.part in said or task.body["description"] in said for task in before)
        return kept / max(len(before), len(after))
    return len(set(old[2]) & set(new[2])) / max(1, len(set(old[2]) | set(new[2])))


def _crew_changes(old: Any, new: Any) -> Iterator[Change]:
    before, after = tasks_of(old), tasks_of(new)
    pairs = list(_paired(before, after))
    for was, now in pairs:
        if was is None and now is not None:
            yield Change(f"task '{now.label}' is new")
        elif now is None and was is not None:
            yield Change(f"task '{was.label}' is gone", was.part, gone=True)
        elif was is not None and now is not None:
            yield from _task_changes(was, now, before, after)
    kept = [now.index for was, now in pairs if was is not None and now is not None]
    if kept != sorted(kept):
        yield Change("the tasks are in another order")
    if _callbacks(old) != _callbacks(new):
        yield Change("other kickoff callbacks")
    if _planner(old) != _planner(new):
        yield Change("the crew plans otherwise, or not at all")


def _planner(outline: Any) -> Any:
    return outline[3].get("planning") if len(outline) > 3 else None


def _callbacks(outline: Any) -> list[Any]:
    more: Mapping[str, Any] = outline[3] if len(outline) > 3 else {}
    return [more.get("before_kickoff"), more.get("after_kickoff")]


def _paired(
    before: Sequence[TaskOutline], after: Sequence[TaskOutline]
) -> Iterator[tuple[TaskOutline | None, TaskOutline | None]]:
    """Each old task with what became of it: the one of that name, else one that stands at its place or says the same."""
    by_part = {task.part: task for task in after}
    known = {task.part for task in before}
    unknown = [task for task in after if task.part not in known]
    for was in before:
        now = by_part.get(was.part)
        if now is None:
            now = next((each for each in unknown if _resembles(was, each)), None)
            if now is not None:
                unknown.remove(now)
        yield was, now
    yield from ((None, task) for task in unknown)


def _resembles(was: TaskOutline, now: TaskOutline) -> bool:
    same = was.body["description"] == now.body["description"]
    return same or (was.index == now.index and was.body["expected_output"] == now.body["expected_output"])


def _task_changes(
    was: TaskOutline, now: TaskOutline, before: Sequence[TaskOutline], after: Sequence[TaskOutline]
) -> Iterator[Change]:
    if was.part != now.part:
        yield Change(f"task '{was.label}' is called '{now.label}' now", was.part)
    of = f"task '{now.label}'"
    for name in _QUESTION:
        if was.body[name] != now.body[name]:
            yield Change(f"{of}: its {name} has changed", was.part)
    if _context(was, before) != _context(now, after):
        yield Change(f"{of}: it is given other tasks' outputs", was.part)
    for name, what in _MANNER.items():
        if was.body[name] != now.body[name]:
            yield Change(f"{of}: it {what}")
    for text in _tool_changes(_tools(was), _tools(now)):
        yield Change(f"{of}: {text}", was.part)
    yield from _agent_changes(was, now)
    rest = set(was.body) | set(now.body)
    for name in sorted(rest - {*_QUESTION, *_MANNER, "name", "agent", "context", "tools"}):
        if was.body.get(name) != now.body.get(name):
            yield Change(f"{of}: other {name}")


def _context(task: TaskOutline, tasks: Sequence[TaskOutline]) -> list[str] | None:
    context = task.body["context"]
    return None if context is None else [tasks[index].body["description"] for index in context]


def _agent_changes(was: TaskOutline, now: TaskOutline) -> Iterator[Change]:
    old, new, task = was.doer, now.doer, f"task '{now.label}'"
    if was.managed != now.managed:
        yield Change(f"{task}: {'the manager' if now.managed else 'its agent'} '{now.agent}' does it now", was.part)
        return
    if now.managed and _own_role(was) != _own_role(now):
        yield Change(f"{task}: it is meant for another agent", was.part)
    yield from _coworker_changes(was, now)
    of = f"{task}: {'manager' if now.managed else 'agent'} '{now.agent}'"
    for name in _AGENT_QUESTION:
        if old.get(name) != new.get(name):
            yield Change(f"{of}: the {name} has changed", was.part)
    if old.get("servers") != new.get("servers"):
        yield Change(f"{of}: the servers of its tools have changed", was.part)
    for name, what in _AGENT_MANNER.items():
        if old.get(name) != new.get(name):
            yield Change(f"{of}: {what} changed; what is recorded is kept")


def _own_role(task: TaskOutline) -> Any:
    return (task.body["agent"] or {}).get("role")


def _coworker_changes(was: TaskOutline, now: TaskOutline) -> Iterator[Change]:
    old, new, of = was.coworkers, now.coworkers, f"task '{now.label}': coworker"
    yield from (Change(f"{of} '{role}' is gone", was.part) for role in old if role not in new)
    yield from (Change(f"{of} '{role}' is new", was.part) for role in new if role not in old)
    for role in (role for role in old if role in new):
        for name, what in {**_COWORKER_QUESTION, **_AGENT_MANNER}.items():
            if old[role].get(name) == new[role].get(name):
                continue
            if name in _COWORKER_QUESTION:
                yield Change(f"{of} '{role}': {what} changed", was.part)
            else:
                yield Change(f"{of} '{role}': {what} changed; what is recorded is kept")


def _tools(task: TaskOutline) -> dict[str, Any]:
    """Those that the agent has at the task, by name."""
    tools = task.body["tools"] or task.doer.get("tools", [])
    return {tool["name"]: tool for tool in tools}


def _tool_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"the tool '{name}' is gone" for name in old if name not in new)
    yield from (f"the tool '{name}' is new" for name in new if name not in old)
    yield from (
        f"the tool '{name}' has another description or other arguments"
        for name in old
        if name in new and old[name] != new[name]
    )


def _flow_changes(old: Any, new: Any) -> Iterator[Change]:
    before, after = old[2], new[2]
    for name in before:
        if name not in after:
            yield Change(f"method '{name}' is gone", gone=True)
        elif before[name] != after[name]:
            yield Change(f"method '{name}' starts otherwise than before")
    yield from (Change(f"method '{name}' is new") for name in after if name not in before)
    yield from (Change(f"the state's field '{name}' is gone") for name in old[3] if name not in new[3])
    yield from (Change(f"the state's field '{name}' is new") for name in new[3] if name not in old[3])
