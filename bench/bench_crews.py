"""Crews beside CrewAI and LangGraph in one run, against the same stub; a bare httpx client is the floor.

Every side is a process of its own with one client that is kept; what is counted is the CPU time of that process (the
stub is another one). Short rounds, interleaved, and the ratio is the median of the rounds' ratios, since the machine's
speed changes between rounds. That all sides sent the same number of requests is asserted at the stub, after each round.

    python bench/bench_crews.py               beside the peers that are installed
    python bench/bench_crews.py --install     installs them first, outside the repository (1.2 GB)

Goals: CPU at most a fifth of CrewAI's, at most 1.25 × LangGraph's without a saver, below LangGraph's with SqliteSaver;
at 50 at once and a model of 200 ms, 80 % of the ideal rate or the bare client's, whichever is lower.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.harness import heading, scratch_folder, stub_process
from bench.peers.measuring import AT_ONCE, TASKS
from bench.peers.sides import KINDS, Side, install, interpreter
from jackstay.testing import RemoteStub

LATENCY_S = 0.2


@dataclass(frozen=True)
class Workload:
    name: str
    shown: str
    requests: int
    count: int
    """Kickoffs of a round: enough for the clock's grain (10 ms on some systems), few enough for a short run."""


WORKLOADS = (
    Workload("one_task", "1 task, crew kept", 1, 20),
    Workload("ten_tasks", f"{TASKS} sequential tasks", TASKS, 4),
    Workload("tool_call", "a tool call", 2, 12),
    Workload("fresh", "a fresh crew per kickoff", 1, 12),
    Workload("construction", "construction alone", 0, 60),
)
GOALS = {"CrewAI": 0.2, "LangGraph": 1.25, "LangGraph+SQLite": 1.0}
Figures = dict[str, dict[str, list[float]]]
"""CPU ms per kickoff, of each round, by workload and side."""


def main() -> int:
    options = _arguments()
    for peer in ("crewai", "langgraph") if options.install else ():
        install(peer)
    kinds = [kind for kind in KINDS if interpreter(kind.peer) is not None]
    with scratch_folder() as folder:
        with stub_process() as stub:
            sides = [Side(kind, stub.openai_url, folder) for kind in kinds]
            figures = cpu_figures(sides, stub, options.rounds)
            for side in sides:
                side.close()
        report_cpu(sides, figures)
        with stub_process("--latency", str(LATENCY_S), "--text", "The summary is short.") as stub:
            report_rates(rates(folder / "at-once", stub, options.kickoffs), options.kickoffs)
    for kind in KINDS:
        if kind not in kinds:
            print(f"  {kind.name}: not installed, not measured; --install does it (see the head of this script)")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--install", action="store_true", help="install the peers first, outside the repository")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kickoffs", type=int, default=500, help="of the part with many at once")
    return parser.parse_args()


# --- CPU ---------------------------------------------------------------------------------------------------------------


def cpu_figures(sides: list[Side], stub: RemoteStub, rounds: int) -> Figures:
    figures: Figures = {work.name: {} for work in WORKLOADS}
    for number in range(rounds + 1):
        for work in WORKLOADS:
            for side in sides:
                if side.kind.peer is None and side.kind.module == "raw_side" and work.requests == 0:
                    continue
                cpu_ms = one_round(side, stub, work)
                if number > 0:  # the first one warms up
                    figures[work.name].setdefault(side.kind.name, []).append(cpu_ms)
    return figures


def one_round(side: Side, stub: RemoteStub, work: Workload) -> float:
    stub.reset()
    cpu_s, _ = side.run(work.name, work.count)
    same_requests(side, stub, work.requests * work.count, work.shown)
    return cpu_s * 1000 / work.count


def same_requests(side: Side, stub: RemoteStub, expected: int, shown: str) -> None:
    seen = len(stub.requests)
    assert seen == expected, f"{side.kind.name}, {shown}: {seen} requests at the stub, not {expected}"


def report_cpu(sides: list[Side], figures: Figures) -> None:
    print(heading("crews beside their peers, CPU"))
    for side in sides:
        versions = ", ".join(f"{name} {number}" for name, number in side.versions.items())
        print(f"  {side.kind.name:<17} {versions}; on disk: {side.durability}")
    names = [side.kind.name for side in sides]
    print(f"\n  {'CPU ms per kickoff':<26}" + "".join(f"{name:>18}" for name in names))
    for work in WORKLOADS:
        cells = [figures[work.name].get(name) for name in names]
        print(f"  {work.shown:<26}" + "".join(f"{statistics.median(c):18.2f}" if c else f"{'–':>18}" for c in cells))
    compared = [name for name in names if name in GOALS]
    if not compared:
        return
    limits = "".join(f"{f'{name} (≤ {GOALS[name]:g})':>26}" for name in compared)
    print(f"\n  {'Jackstay, as × of':<26}{limits}")
    for work in WORKLOADS:
        print(f"  {work.shown:<26}" + "".join(f"{_ratio(figures[work.name], name):>26}" for name in compared))


def _ratio(figures: dict[str, list[float]], peer: str) -> str:
    ratio = statistics.median(ours / theirs for ours, theirs in zip(figures["Jackstay"], figures[peer], strict=True))
    met = "met" if ratio <= GOALS[peer] else "MISSED" if ratio <= 1 else "MISSED: it is ahead"
    return f"{ratio:.2f} {met}"


# --- many at once ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rate:
    per_s: float
    cpu_ms: float
    in_flight: int


def rates(folder: Path, stub: RemoteStub, kickoffs: int) -> dict[str, Rate]:
    """One side after the other, none beside another; the better of two, since a loaded machine only makes it lower."""
    found = {}
    for kind in KINDS:
        if interpreter(kind.peer) is None or "saver" in kind.options:
            continue
        side = Side(kind, stub.openai_url, folder)
        side.run("at_once", AT_ONCE)
        best = Rate(0.0, 0.0, 0)
        for _ in range(2):
            stub.reset()
            cpu_s, wall_s = side.run("at_once", kickoffs)
            same_requests(side, stub, kickoffs, "many at once")
            rate = Rate(kickoffs / wall_s, cpu_s * 1000 / kickoffs, stub.max_in_flight)
            best = max(best, rate, key=lambda each: each.per_s)
        found[kind.name] = best
        side.close()
    return found


def report_rates(found: dict[str, Rate], kickoffs: int) -> None:
    ideal, raw = AT_ONCE / LATENCY_S, found["httpx"].per_s
    what = f"{kickoffs} kickoffs, {AT_ONCE} at once, a model that takes {LATENCY_S * 1000:.0f} ms"
    print(f"\n  {what}; ideal {ideal:.0f}/s")
    print(f"  {'':<17}{'kickoffs/s':>12}{'of the ideal':>14}{'of httpx':>10}{'CPU ms each':>13}{'in flight':>11}")
    for name, rate in found.items():
        print(
            f"  {name:<17}{rate.per_s:12.1f}{rate.per_s / ideal:14.0%}{rate.per_s / raw:10.0%}"
            f"{rate.cpu_ms:13.2f}{rate.in_flight:11}"
        )
    goal = min(0.8 * ideal, raw)
    met = "met" if found["Jackstay"].per_s >= goal else "MISSED"
    print(f"  goal: {goal:.0f}/s, the lower of 80 % of the ideal and the bare client's: {met}")


if __name__ == "__main__":
    sys.exit(main())
