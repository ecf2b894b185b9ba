"""Which flow method runs next: decided from the definition and the completions so far, in the order recorded.

The same completions in the same order give the same calls, so that a resumed flow is fed what the journal has and goes
on from there. Semantics: CrewAI's (starts, listeners, routers and their label chains, `or_`, `and_`); see
`docs/flows.md`.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from jackstay.core.feedback import FeedbackSpec, HumanFeedbackResult
from jackstay.core.retry import Retry
from jackstay.errors import MaxMethodCallsExceeded


@dataclass(frozen=True, slots=True)
class Trigger:
    """The completion of a method, or a router's label, by name."""

    name: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    conditions: tuple[Condition, ...]


Condition = Trigger | AnyOf | AllOf


def names_in(condition: Condition) -> Iterator[str]:
    """Every method name and label that a condition mentions."""
    match condition:
        case Trigger(name):
            yield name
        case AnyOf(parts) | AllOf(parts):
            for part in parts:
                yield from names_in(part)


@dataclass(frozen=True, slots=True)
class MethodSpec:
    name: str
    call: Callable[..., Any]
    start: bool = False
    condition: Condition | None = None
    """What it listens to; of a start: what starts it again (None: only the kickoff)."""
    router: bool = False
    emits: tuple[str, ...] | None = None
    """A router's labels where they are known (from `emit=` or the return annotation)."""
    takes_argument: bool = False
    retry: Retry | None = None
    """How often, and when, it is called again when it has failed."""
    feedback: FeedbackSpec | None = None
    """A person is asked about what it has returned."""


@dataclass(frozen=True, slots=True)
class FlowGraph:
    methods: dict[str, MethodSpec] = field(default_factory=dict)
    max_method_calls: int = 100


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a method. `number` counts the method's calls in this run from 1."""

    method: str
    number: int
    argument: Any = None


def label_of(result: Any) -> str | None:
    """The label that a router's return value, or a person's word on it, stands for; None: no label."""
    if isinstance(result, HumanFeedbackResult):
        return result.outcome
    if isinstance(result, enum.Enum):
        result = result.value
    return None if result is None else str(result)


def problems(graph: FlowGraph) -> list[str]:
    """What is wrong with a flow's definition, in sentences; empty when it can run."""
    found = []
    if not any(method.start for method in graph.methods.values()):
        found.append("no method is decorated with @start(), so that nothing would run")
    dynamic = any(method.router and method.emits is None for method in graph.methods.values())
    known = set(graph.methods) | {label for m in graph.methods.values() for label in m.emits or ()}
    for method in graph.methods.values():
        if method.feedback is not None and not method.start and method.condition is None:
            found.append(
                f"{method.name} has @human_feedback, but neither @start() nor @listen(…), so that it never runs"
            )
        listens_to = list(names_in(method.condition)) if method.condition else []
        if method.name in listens_to:
            found.append(f"{method.name} listens to itself, which would never end")
        missing = [name for name in listens_to if name not in known]
        if missing and not dynamic:
            listed = ", ".join(sorted(graph.methods))
            found.append(
                f"{method.name} listens to {missing[0]!r}, which is no method and no router's label ({listed})"
            )
    return found


def unheard(graph: FlowGraph) -> list[str]:
    """Labels that routers are known to return and that nothing listens to, in sentences."""
    heard = {name for method in graph.methods.values() if method.condition for name in names_in(method.condition)}
    return [
        f"nothing listens to {label!r}, which {method.name} may return"
        for method in graph.methods.values()
        if method.router
        for label in method.emits or ()
        if label not in heard
    ]


def rivals(graph: FlowGraph) -> dict[str, str]:
    """The methods that only an `or_` of several is waiting for, and the listener that has it: started by one event, two of
    them race."""
    found: dict[str, list[str]] = {}
    for method in graph.methods.values():
        parts = method.condition.conditions if isinstance(method.condition, AnyOf) and _fires_once(method) else ()
        direct = [part.name for part in parts if isinstance(part, Trigger)]
        for name in names_in(method.condition) if method.condition else ():
            # Twice in one condition, or inside an `and_`, is no rival of the others.
            found.setdefault(name, []).extend([method.name] if direct.count(name) == 1 else ["", ""])
    return {name: waiting[0] for name, waiting in found.items() if name in graph.methods and len(waiting) == 1}


def _fires_once(method: MethodSpec) -> bool:
    """Of several branches the first one counts, until the `or_` is armed again."""
    return isinstance(method.condition, AnyOf) and len(method.condition.conditions) > 1 and not method.router


def _listening(graph: FlowGraph, *, routers: bool) -> dict[str, list[tuple[str, Condition]]]:
    """Which methods' conditions an event can meet, in the order of their definition: the routers', or the others'."""
    found: dict[str, list[tuple[str, Condition]]] = {}
    for method in graph.methods.values():
        if method.condition is not None and method.router is routers:
            for name in dict.fromkeys(names_in(method.condition)):
                found.setdefault(name, []).append((method.name, method.condition))
    return found


_Process = Generator["list[_Node]", list[Any], Any]
_LOST = object()
"""The result of a call that another one has made needless."""


class _Node:
    """A call (leaf) or a process that waits for its children."""

    __slots__ = ("argument", "method", "number", "parent", "pending", "process", "race", "results")

    def __init__(
        self,
        *,
        process: _Process | None = None,
        method: str = "",
        argument: Any = None,
        race: list[_Node] | None = None,
    ) -> None:
        self.process, self.method, self.argument = process, method, argument
        self.race = race
        """The calls that it races with, itself among them, as long as they run."""
        self.number = 0
        self.parent: tuple[_Node, int] | None = None
        self.pending = 0
        self.results: list[Any] = []


class _Join:
    """An `and_`, and which of its parts have been seen."""

    __slots__ = ("nested", "seen", "triggers")

    def __init__(self, parts: tuple[Condition, ...]) -> None:
        self.seen: set[int] = set()
        self.triggers: dict[str, list[int]] = {}
        self.nested = [(i, part) for i, part in enumerate(parts) if not isinstance(part, Trigger)]
        for i, part in enumerate(parts):
            if isinstance(part, Trigger):
                self.triggers.setdefault(part.name, []).append(i)


class FlowProgress:
    """Where a run of a flow is. `begin()` and each `complete()` return the calls that may start now.

    Listeners that one event starts and that only the same `or_` waits for race: the first one to complete wins, the others
    are no longer `is_running` then. One that fails is out of the race; the last one's failure is the flow's.
    """

    def __init__(self, graph: FlowGraph) -> None:
        self._graph = graph
        self._rivals = rivals(graph)
        self._listeners, self._routers = _listening(graph, routers=False), _listening(graph, routers=True)
        self._running: dict[tuple[str, int], _Node] = {}
        self._counts: dict[str, int] = {}
        self._completed: set[str] = set()
        self._fired: set[str] = set()
        self._joins: dict[tuple[str, tuple[int, ...]], _Join] = {}
        self._ready: list[Call] = []
        self._agenda: deque[tuple[_Node, list[Any] | None]] = deque()

    @property
    def finished(self) -> bool:
        return not self._running

    @property
    def has_races(self) -> bool:
        """A call that completes may make others needless."""
        return bool(self._rivals)

    @property
    def running(self) -> list[Call]:
        return [Call(method, number, node.argument) for (method, number), node in self._running.items()]

    def is_running(self, call: Call) -> bool:
        return (call.method, call.number) in self._running

    def begin(self) -> list[Call]:
        methods = self._graph.methods.values()
        starts = [m.name for m in methods if m.start and m.condition is None]
        # Without an unconditional start every start is an entry point: that is how `@start("again")` loops begin.
        starts = starts or [m.name for m in methods if m.start]
        self._agenda.append((_Node(process=self._all([self._subtree(name, None) for name in starts])), None))
        return self._work()

    def complete(self, method: str, number: int, result: Any) -> list[Call]:
        """The method's call has ended with this result. Raises `KeyError` for a call that is not running."""
        node = self._running.pop((method, number))
        if method in self._completed:
            # Something ran a second time: a cycle, so every `or_` may fire again.
            self._fired.clear()
        self._completed.add(method)
        for loser in node.race or ():
            if loser is not node:
                del self._running[loser.method, loser.number]
                self._done(loser, _LOST)
        self._done(node, result)
        return self._work()

    def fail(self, method: str, number: int) -> bool:
        """The call has failed: takes it out of the race that others still run, and says whether there is one. Without one
        the failure is the flow's, and nothing changes here."""
        node = self._running[method, number]
        if node.race is None or len(node.race) == 1:
            return False
        node.race.remove(node)
        del self._running[method, number]
        self._done(node, _LOST)
        self._work()  # nothing starts: its place in the tree is closed
        return True

    def _all(self, processes: list[_Process]) -> _Process:
        yield [_Node(process=process) for process in processes]

    def _subtree(self, method: str, argument: Any, race: list[_Node] | None = None) -> _Process:
        """A method and everything that follows from it."""
        (result,) = yield [_Node(method=method, argument=argument, race=race)]
        if result is _LOST:
            return
        fired_before = set(self._fired)
        yield from self._dispatch(method, result)
        label = label_of(result) if self._graph.methods[method].router else None
        if label is not None:  # a start that is a router
            self._rearm(label, fired_before)
            yield from self._dispatch(label, result)

    def _dispatch(self, trigger: str, result: Any) -> _Process:
        """Routers first, one at a time, then the routers of their labels, then the listeners of each trigger in turn."""
        open_triggers, triggers = [trigger], [(trigger, result)]
        fired_before = set(self._fired)
        while open_triggers:
            for router in self._fired_by(open_triggers.pop(0), self._routers):
                # A chained router gets the original result, not the label (CrewAI, measured).
                (outcome,) = yield [_Node(method=router, argument=result)]
                yield [_Node(process=self._dispatch(router, outcome))]
                label = label_of(outcome)
                if label is not None:
                    self._rearm(label, fired_before)
                    open_triggers.append(label)
                    triggers.append((label, outcome))
        for name, value in triggers:
            listeners = self._fired_by(name, self._listeners)
            if listeners:
                races = self._races(listeners) if self._rivals else {}
                yield [_Node(process=self._subtree(each, value, races.get(each))) for each in listeners]

    def _races(self, listeners: list[str]) -> dict[str, list[_Node]]:
        """For each of these listeners that races with others of them, the list that their calls share."""
        prizes = [self._rivals[name] for name in listeners if name in self._rivals]
        shared: dict[str, list[_Node]] = {prize: [] for prize in prizes if prizes.count(prize) > 1}
        return {name: shared[prize] for name in listeners if (prize := self._rivals.get(name, "")) in shared}

    def _fired_by(self, trigger: str, listening: dict[str, list[tuple[str, Condition]]]) -> list[str]:
        """Those of them whose condition this event completes, in the order of their definition."""
        fired = []
        for name, condition in listening.get(trigger, ()):
            if not self._satisfied(name, condition, trigger, ()):
                continue
            if _fires_once(self._graph.methods[name]):
                if name in self._fired:
                    continue
                self._fired.add(name)
            fired.append(name)
        return fired

    def _satisfied(self, owner: str, condition: Condition, event: str, at: tuple[int, ...]) -> bool:
        match condition:
            case Trigger(name):
                return name == event
            case AnyOf(parts):
                # Every part sees the event: an `and_` inside an `or_` counts it even if another part fires.
                met = [self._satisfied(owner, part, event, (*at, i)) for i, part in enumerate(parts)]
                return any(met)
            case AllOf(parts):
                join = self._joins.get((owner, at))
                if join is None:
                    join = self._joins[owner, at] = _Join(parts)
                nested = [i for i, part in join.nested if self._satisfied(owner, part, event, (*at, i))]
                join.seen.update(join.triggers.get(event, ()), nested)
                if len(join.seen) < len(parts):
                    return False
                join.seen.clear()
                return True

    def _rearm(self, label: str, fired_before: set[str]) -> None:
        for name in fired_before & self._fired:
            condition = self._graph.methods[name].condition
            if condition is not None and label in names_in(condition):
                self._fired.discard(name)

    def _work(self) -> list[Call]:
        """Advances what can advance; a loop and not a recursion, because a cyclic flow nests deeply."""
        while self._agenda:
            node, results = self._agenda.popleft()
            if node.process is None:
                self._start(node)
                continue
            try:
                children = node.process.send(results) if results is not None else next(node.process)
            except StopIteration:
                self._done(node, None)
                continue
            node.pending, node.results = len(children), [None] * len(children)
            for index, child in enumerate(children):
                child.parent = (node, index)
                self._agenda.append((child, None))
            if not children:
                self._agenda.append((node, []))
        ready, self._ready = self._ready, []
        return ready

    def _start(self, node: _Node) -> None:
        count = self._counts[node.method] = self._counts.get(node.method, 0) + 1
        limit = self._graph.max_method_calls
        if count > limit and not self._graph.methods[node.method].start:
            raise MaxMethodCallsExceeded(
                f"{node.method} was to be called for the {count}th time in one run; max_method_calls is {limit}: "
                "end the cycle, or give the flow a higher max_method_calls"
            )
        node.number = count
        self._running[(node.method, count)] = node
        if node.race is not None:
            node.race.append(node)
        self._ready.append(Call(node.method, count, node.argument))

    def _done(self, node: _Node, result: Any) -> None:
        if node.parent is None:
            return
        parent, index = node.parent
        parent.results[index] = result
        parent.pending -= 1
        if parent.pending == 0:
            self._agenda.append((parent, parent.results))
