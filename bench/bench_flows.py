"""Flows beside CrewAI and LangGraph in one run: a chain, a fan-out with a join, a loop; without a model, so that what is
measured is the flow.

Ours has its journal on, as always: it is compared with the peers without their persistence, and with it (CrewAI's
`@persist`, LangGraph's SqliteSaver, `durability="sync"`). Every side is a process of its own; methods are `def`. Short
rounds, interleaved, and the ratio is the median of the rounds' ratios, since the machine's speed changes between rounds.

    python bench/bench_flows.py               beside the peers that are installed
    python bench/bench_flows.py --install     installs them first, outside the repository (1.2 GB)

Goals: CPU per method at most CrewAI's and 1.5 × LangGraph's without their persistence, at most a fifth of CrewAI's and half
of LangGraph's with it; wall time of the fan-out at most a tenth of CrewAI's with it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.harness import heading, scratch_folder
from bench.peers.flow_workloads import METHODS, TURNS
from bench.peers.sides import FLOW_KINDS, Side, install, interpreter


@dataclass(frozen=True)
class Workload:
    name: str
    shown: str
    methods: int
    count: int
    """Kickoffs of a round."""


WORKLOADS = (
    Workload("chain", f"chain of {METHODS}", METHODS, 5),
    Workload("fan_out", f"fan-out of {METHODS}, join", METHODS + 2, 5),
    Workload("loop", f"router loop of {TURNS:,}", TURNS + 2, 1),
)
CPU_GOALS = {"CrewAI": 1.0, "LangGraph": 1.5, "CrewAI+@persist": 0.2, "LangGraph+SQLite": 0.5}
WALL_GOALS = {("fan_out", "CrewAI+@persist"): 0.1}
Figures = dict[str, dict[str, list[tuple[float, float]]]]
"""Microseconds of CPU and of the clock per method, of each round, by workload and side."""


def main() -> int:
    options = _arguments()
    for peer in ("crewai", "langgraph") if options.install else ():
        install(peer)
    kinds = [kind for kind in FLOW_KINDS if interpreter(kind.peer) is not None]
    with scratch_folder() as folder:
        sides = [Side(kind, "", folder) for kind in kinds]
        found = figures(sides, options.rounds)
        for side in sides:
            side.close()
    report(sides, found)
    for kind in FLOW_KINDS:
        if kind not in kinds:
            print(f"  {kind.name}: not installed, not measured; --install does it (see the head of this script)")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--install", action="store_true", help="install the peers first, outside the repository")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def figures(sides: list[Side], rounds: int) -> Figures:
    found: Figures = {work.name: {} for work in WORKLOADS}
    for number in range(rounds + 1):
        for work in WORKLOADS:
            for side in sides:
                cpu_s, wall_s = side.run(work.name, work.count)
                each = 1e6 / (work.count * work.methods)
                if number > 0:  # the first one warms up
                    found[work.name].setdefault(side.kind.name, []).append((cpu_s * each, wall_s * each))
    return found


def report(sides: list[Side], found: Figures) -> None:
    print(heading("flows beside their peers"))
    for side in sides:
        versions = ", ".join(f"{name} {number}" for name, number in side.versions.items())
        print(f"  {side.kind.name:<17} {versions}; on disk: {side.durability}")
    names = [side.kind.name for side in sides]
    for index, what in enumerate(("CPU µs per method", "wall µs per method")):
        print(f"\n  {what:<26}" + "".join(f"{name:>19}" for name in names))
        for work in WORKLOADS:
            cells = [[each[index] for each in found[work.name][name]] for name in names]
            print(f"  {work.shown:<26}" + "".join(f"{statistics.median(c):19.0f}" for c in cells))
    compared = [name for name in names if name in CPU_GOALS]
    if not compared:
        return
    print(
        f"\n  {'CPU of Jackstay, as × of':<26}"
        + "".join(f"{f'{name} (≤ {CPU_GOALS[name]:g})':>26}" for name in compared)
    )
    for work in WORKLOADS:
        ratios = [_ratio(found[work.name], name, 0, CPU_GOALS[name]) for name in compared]
        print(f"  {work.shown:<26}" + "".join(f"{cell:>26}" for cell in ratios))
    for (name, peer), goal in WALL_GOALS.items():
        if peer in compared:
            shown = next(work.shown for work in WORKLOADS if work.name == name)
            print(f"  wall of the {shown}, as × of {peer} (≤ {goal:g}): {_ratio(found[name], peer, 1, goal)}")


def _ratio(figures: dict[str, list[tuple[float, float]]], peer: str, index: int, goal: float) -> str:
    pairs = zip(figures["Jackstay"], figures[peer], strict=True)
    ratio = statistics.median(ours[index] / theirs[index] for ours, theirs in pairs)
    return f"{ratio:.2f} {'met' if ratio <= goal else 'MISSED'}"


if __name__ == "__main__":
    sys.exit(main())
