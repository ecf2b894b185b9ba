"""Ours: the journal on, as it is always."""

from __future__ import annotations

from bench.peers.flow_workloads import TURNS, flow_workloads
from bench.peers.measuring import serve
from jackstay.flow import Flow, and_, listen, or_, router, start


class Bench(Flow):  # type: ignore[type-arg]
    max_method_calls = TURNS + 1


def main() -> None:
    serve(
        flow_workloads(Bench, start, listen, router, and_, or_, lambda cls: cls),
        packages=("jackstay",),
        durability="each method in SQLite before the next one, WAL, synchronous=NORMAL",
    )


if __name__ == "__main__":
    main()
