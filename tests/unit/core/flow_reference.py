"""A reference interpreter of flows, for the tests only: slow and obvious, written from section 5.1 of the semantics.

Where `core.flow_graph` keeps a tree of processes and an agenda, this one is a recursion of coroutines: a method that is
running is a future, `gather` is "side by side", an `await` after another is "one after the other".
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Iterable
from typing import Any

from jackstay.core.flow_graph import AllOf, AnyOf, Condition, FlowGraph, MethodSpec, Trigger, names_in


class TooManyCalls(Exception):
    pass


LOST = object()


class Reference:
    """`started` are the calls that wait for their result, by method and number."""

    def __init__(self, graph: FlowGraph) -> None:
        self.graph = graph
        self.started: dict[tuple[str, int], tuple[Any, asyncio.Future[Any]]] = {}
        self.numbers: dict[str, int] = {}
        self.completed: set[str] = set()
        self.fired: set[str] = set()
        self.joins: dict[str, set[str]] = {}
        self.races: dict[tuple[str, int], list[tuple[str, int]]] = {}
        self.error: BaseException | None = None
        self.whole: asyncio.Future[Any] | None = None

    # --- driven by the test -------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        self.whole = asyncio.ensure_future(self._flow())
        await self._until_still()

    async def complete(self, method: str, number: int, result: Any) -> None:
        _, future = self.started.pop((method, number))
        future.set_result(result)
        await self._until_still()

    async def fail(self, method: str, number: int) -> bool:
        """Whether the flow goes on: the call was one of several that raced."""
        race = self.races.get((method, number), [])
        race = [call for call in race if call in self.started and call != (method, number)]
        if race:
            self._drop((method, number))
            await self._until_still()
        return bool(race)

    def _drop(self, call: tuple[str, int]) -> None:
        _, future = self.started.pop(call)
        future.set_result(LOST)

    async def end(self) -> None:
        if self.whole is not None:
            self.whole.cancel()
            await asyncio.wait([self.whole])

    async def _until_still(self) -> None:
        loop: Any = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0)
            if not loop._ready:  # nothing else can run
                break
        if self.whole is not None and self.whole.done() and not self.whole.cancelled():
            self.error = self.whole.exception()

    # --- section 5.1 --------------------------------------------------------------------------------------------------

    async def _flow(self) -> None:
        # 1. Unconditional starts run concurrently; without any, all starts are entry points.
        unconditional = [m for m in self._methods() if m.start and m.condition is None]
        entry_points = unconditional or [m for m in self._methods() if m.start]
        await asyncio.gather(*(self._method_and_what_follows(m, None) for m in entry_points))

    async def _method_and_what_follows(
        self, method: MethodSpec, argument: Any, race: list[tuple[str, int]] | None = None
    ) -> None:
        result = await self._run(method, argument, race)
        if result is LOST:
            return
        label = label_of(result) if method.router else None
        await self._listeners_of(method.name, result, own_label=label)

    async def _listeners_of(self, trigger: str, result: Any, own_label: str | None = None) -> None:
        # 5. Routers first, one at a time, then the routers of their labels, until there are none …
        fired_before = set(self.fired)
        if own_label is not None:
            # A start that is a router: the listeners of its name come first, as after any router; then its label, which is a
            # dispatch of its own (CrewAI, measured: what has fired in the first one is armed again by labels in the second).
            await self._listeners_of(trigger, result)
            self._rearm_by_label(own_label, fired_before)
            await self._listeners_of(own_label, result)
            return
        triggers: list[tuple[str, Any]] = [(trigger, result)]
        to_route = [trigger]
        while to_route:
            for router in self._triggered(to_route.pop(0), routers=True):
                outcome = await self._run(router, result)  # 7. the original result, not the label
                await self._listeners_of(router.name, outcome)
                label = label_of(outcome)  # 6.
                if label is not None:
                    self._rearm_by_label(label, fired_before)
                    triggers.append((label, outcome))
                    to_route.append(label)
        # … then the listeners of every trigger: concurrently for one, one trigger after the other.
        for name, value in triggers:
            listeners = self._triggered(name, routers=False)
            # 10. Those that exclusively feed the same or_ race.
            prizes = [self._prize(m) for m in listeners]
            lists: dict[str, list[tuple[str, int]]] = {p: [] for p in prizes if p and prizes.count(p) > 1}
            await asyncio.gather(
                *(
                    self._method_and_what_follows(m, value, lists.get(prize or ""))
                    for m, prize in zip(listeners, prizes, strict=True)
                )
            )

    def _prize(self, racer: MethodSpec) -> str | None:
        """The listener on an `or_` of several that alone waits for this method, and for nothing but that it ends."""
        listeners = [m for m in self._methods() if m.condition and racer.name in names_in(m.condition)]
        if len(listeners) != 1 or listeners[0].router or not isinstance(listeners[0].condition, AnyOf):
            return None
        parts = listeners[0].condition.conditions
        mentions = [name for part in parts for name in names_in(part)].count(racer.name)
        return listeners[0].name if len(parts) > 1 and mentions == 1 and Trigger(racer.name) in parts else None

    async def _run(self, method: MethodSpec, argument: Any, race: list[tuple[str, int]] | None = None) -> Any:
        number = self.numbers[method.name] = self.numbers.get(method.name, 0) + 1
        if not method.start and number > self.graph.max_method_calls:  # 12.
            raise TooManyCalls(method.name)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.started[method.name, number] = (argument, future)
        if race is not None:
            race.append((method.name, number))
            self.races[method.name, number] = race
        result = await future
        if result is LOST:
            return LOST
        for loser in race or ():
            if loser in self.started:
                self._drop(loser)
        if method.name in self.completed:  # 9. ran again: every or_ may fire again
            self.fired.clear()
        self.completed.add(method.name)
        return result

    def _triggered(self, event: str, *, routers: bool) -> list[MethodSpec]:
        candidates = [m for m in self._methods() if m.router is routers and m.condition is not None]
        return [method for method in candidates if self._sees(method, event)]

    def _sees(self, method: MethodSpec, event: str) -> bool:
        """Whether this event completes the method's condition."""
        assert method.condition is not None
        if not self._holds(method.name, method.condition, event):
            return False
        if isinstance(method.condition, AnyOf) and len(method.condition.conditions) > 1 and not method.router:
            if method.name in self.fired:  # 9. once per cycle
                return False
            self.fired.add(method.name)
        return True

    def _holds(self, where: str, condition: Condition, event: str) -> bool:
        if isinstance(condition, Trigger):
            return condition.name == event
        held = {str(i): self._holds(f"{where}.{i}", part, event) for i, part in enumerate(condition.conditions)}
        if isinstance(condition, AnyOf):
            return True in held.values()
        assert isinstance(condition, AllOf)
        seen = self.joins.setdefault(where, set())  # 8. remembered until all have been seen, then forgotten
        seen.update(part for part, holds in held.items() if holds)
        if len(seen) == len(held):
            self.joins[where] = set()
            return True
        return False

    def _rearm_by_label(self, label: str, fired_before: Iterable[str]) -> None:
        for name in fired_before:  # 9. bounded to those that had fired before this dispatch
            condition = self.graph.methods[name].condition
            if condition is not None and label in names_in(condition):
                self.fired.discard(name)

    def _methods(self) -> list[MethodSpec]:
        return list(self.graph.methods.values())


def label_of(result: Any) -> str | None:
    if result is None:
        return None
    return str(result.value) if isinstance(result, enum.Enum) else str(result)
