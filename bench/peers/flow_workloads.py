"""What `bench_flows.py` has flows do: CrewAI's decorators, or ours; what is written with them is the same.

Each kickoff is of a fresh object of one class, since CrewAI's objects keep their state. That every method ran is asserted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.peers.measuring import Workload

METHODS, TURNS = 100, 1000


def flow_workloads(
    flow: Any, start: Any, listen: Any, router: Any, and_: Any, or_: Any, wrap: Any
) -> dict[str, Workload]:
    """`wrap` is done to each class: `@persist`, or nothing."""
    made = {
        "chain": (wrap(_chain(flow, start, listen)), METHODS),
        "fan_out": (wrap(_fan_out(flow, start, listen, and_)), METHODS),
        "loop": (wrap(_loop(flow, start, router, listen, or_)), TURNS),
    }
    return {name: _kickoffs(cls, expected) for name, (cls, expected) in made.items()}


def _kickoffs(cls: Any, expected: int) -> Workload:
    def run(count: int) -> None:
        for _ in range(count):
            result = cls().kickoff()
            assert result == expected, result

    return run


def _chain(flow: Any, start: Any, listen: Any) -> Any:
    def number(at: int) -> Callable[..., Any]:
        def method(self: Any) -> int:
            self.state["count"] = at + 1
            return at + 1

        method.__name__ = method.__qualname__ = f"m{at}"
        return method

    members: dict[str, Any] = {"m0": start()(number(0))}
    for at in range(1, METHODS):
        members[f"m{at}"] = listen(f"m{at - 1}")(number(at))
    return _class(flow, "Chain", members)


def _fan_out(flow: Any, start: Any, listen: Any, and_: Any) -> Any:
    def begin(self: Any) -> int:
        return 0

    def number(at: int) -> Callable[..., Any]:
        def method(self: Any) -> int:
            self.state[f"m{at}"] = at
            return at

        method.__name__ = method.__qualname__ = f"m{at}"
        return method

    def join(self: Any) -> int:
        return sum(f"m{at}" in self.state for at in range(METHODS))

    members: dict[str, Any] = {"begin": start()(begin)}
    for at in range(METHODS):
        members[f"m{at}"] = listen("begin")(number(at))
    members["join"] = listen(and_(*(f"m{at}" for at in range(METHODS))))(join)
    return _class(flow, "FanOut", members)


def _loop(flow: Any, start: Any, router: Any, listen: Any, or_: Any) -> Any:
    def begin(self: Any) -> None:
        self.state["count"] = 0

    def turn(self: Any) -> str:
        self.state["count"] += 1
        return "again" if self.state["count"] < TURNS else "done"

    def end(self: Any) -> int:
        return self.state["count"]

    members = {
        "begin": start()(begin),
        "turn": router(or_("begin", "again"))(turn),
        "end": listen("done")(end),
    }
    return _class(flow, "Loop", members)


def _class(flow: Any, name: str, members: dict[str, Any]) -> Any:
    return type(flow)(name, (flow,), {"__module__": __name__, **members})
