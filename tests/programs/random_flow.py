"""Flows made of random graphs: what each method returns, and leaves in the state, depends on its call alone."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

from jackstay import Flow
from jackstay.core.flow_graph import FlowGraph, MethodSpec, rivals
from jackstay.engine.scope import current_scope
from jackstay.errors import MaxMethodCallsExceeded
from jackstay.flow.decorators import Mark, parse
from jackstay.testing import FaultPoints
from tests.unit.core.test_flow_random import Label, random_graph, random_result

KNOWN = (Label,)
"""Results of this class are read again, since the flow's module names it."""


class RandomFlow(Flow):
    """`asked` counts how often each call's step was executed, in this process."""

    asked: Counter[str]

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.asked = Counter()


def outcome(seed: int, method: MethodSpec, number: int) -> Any:
    return random_result(random.Random(f"{seed} {method.name} {number}"), method, number)


def flow_of(seed: int, graph: FlowGraph) -> type[RandomFlow]:
    racing = rivals(graph)
    methods = {name: _method(seed, spec, name not in racing) for name, spec in graph.methods.items()}
    for name, spec in graph.methods.items():
        condition = None if spec.condition is None else parse(spec.condition, name)
        methods[name].__jackstay_flow__ = Mark(spec.start, condition, spec.router, takes=True)
    named = {"max_method_calls": graph.max_method_calls, "__module__": __name__}
    return type(f"Random{seed}", (RandomFlow,), {**methods, **named})


def _method(seed: int, spec: MethodSpec, tells: bool) -> Any:
    async def method(self: Any, given: Any = None) -> Any:
        scope = current_scope()
        assert scope is not None
        call = scope.path.rpartition("/")[2]
        if tells:  # what has lost a race may have done so or not
            self.state[call] = repr(given)

        def ask() -> str:
            self.asked[call] += 1
            return call

        if spec.name[-1] in "02468":
            assert await self.astep("ask", ask) == call
        return outcome(seed, spec, int(call.rpartition("#")[2]))

    method.__name__ = method.__qualname__ = spec.name
    return method


def drawn(first: int) -> Iterator[tuple[int, FlowGraph]]:
    """Graphs from that seed on, without those that no run can end well."""
    seed = first
    while True:
        yield seed, random_graph(random.Random(seed))
        seed += 1


def finished(flow: RandomFlow, key: str) -> Any:
    """The result; `MaxMethodCallsExceeded` counts as one."""
    try:
        return flow.kickoff(run_key=key)
    except MaxMethodCallsExceeded as error:
        return type(error).__name__


def run(points: FaultPoints, key: str | None) -> dict[str, Any]:
    """The graph of PROGRAM_SEED."""
    seed = int(os.environ["PROGRAM_SEED"])
    flow = flow_of(seed, random_graph(random.Random(seed)))()
    result = finished(flow, str(key))
    return {"result": repr(result), "state": {name: value for name, value in flow.state.items() if name != "id"}}
