"""CrewAI: without persistence, or with `persist` on each class (SQLite, its default backend)."""

from __future__ import annotations

import sys
from typing import Any

from crewai.flow.flow import Flow, and_, listen, or_, router, start
from crewai.flow.persistence import persist

from bench.peers.flow_workloads import TURNS, flow_workloads
from bench.peers.measuring import serve


class Bench(Flow):  # type: ignore[type-arg, misc]
    def __init__(self, **more: Any) -> None:
        super().__init__(max_method_calls=TURNS + 1, suppress_flow_events=True, **more)


def main(*options: str) -> None:
    persisted = "persist" in options
    wrap = persist() if persisted else lambda cls: cls
    serve(
        flow_workloads(Bench, start, listen, router, and_, or_, wrap),
        packages=("crewai",),
        durability="the state after each method, in SQLite (@persist)" if persisted else "none",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
