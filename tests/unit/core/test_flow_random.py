"""Random flow graphs, completed in random order: the same calls as a reference interpreter's, and again when replayed."""

from __future__ import annotations

import asyncio
import enum
import random
from typing import Any

import pytest

from jackstay.core.flow_graph import AllOf, AnyOf, Call, Condition, FlowGraph, FlowProgress, MethodSpec, Trigger
from jackstay.errors import MaxMethodCallsExceeded
from tests.unit.core.flow_reference import Reference, TooManyCalls

LABELS = ("go", "stop", "again")
Recorded = list[tuple[str, int, Any]]


class Label(enum.Enum):
    GO = "go"


def random_condition(draw: random.Random, names: list[str], depth: int = 0) -> Condition:
    kind = draw.random()
    if depth == 2 or kind < 0.55:
        return Trigger(draw.choice(names))
    parts = tuple(random_condition(draw, names, depth + 1) for _ in range(draw.randint(1, 3)))
    return AnyOf(parts) if kind < 0.8 else AllOf(parts)


def random_graph(draw: random.Random) -> FlowGraph:
    count = draw.randint(4, 9)
    names = [f"m{index}" for index in range(count)]
    methods = []
    for index, name in enumerate(names):
        others = [other for other in names if other != name] + list(LABELS)
        is_start = index == 0 or draw.random() < 0.3
        condition = None if is_start and draw.random() < 0.7 else random_condition(draw, others)
        methods.append(MethodSpec(name, print, is_start, condition, router=draw.random() < 0.35))
    if draw.random() < 0.6:
        methods += racers(draw, names)
    return FlowGraph({method.name: method for method in methods}, draw.randint(3, 8))


def racers(draw: random.Random, names: list[str]) -> list[MethodSpec]:
    """Listeners of one event that mostly only one `or_` waits for."""
    event, others = Trigger(draw.choice(names)), [Trigger(draw.choice([*names, *LABELS]))] * draw.randint(0, 1)
    racing = [MethodSpec(f"r{index}", print, condition=event) for index in range(draw.randint(2, 4))]
    first = AnyOf((*(Trigger(method.name) for method in racing), *others))
    winner = MethodSpec("first", print, condition=first, router=draw.random() < 0.1)
    spoiling = [MethodSpec("spoil", print, condition=Trigger("r0"))] * (draw.random() < 0.2)
    return [*racing, winner, *spoiling]


def random_result(draw: random.Random, method: MethodSpec, number: int) -> Any:
    if method.router:
        return draw.choice([*LABELS, *LABELS, None, Label.GO, False])
    return f"{method.name} number {number}"


def calls_of(progress: FlowProgress) -> set[tuple[str, int, str]]:
    return {(call.method, call.number, repr(call.argument)) for call in progress.running}


async def compare(seed: int) -> tuple[Recorded, FlowGraph]:
    """Drives both with the same completions in a random order; the completions that were made."""
    draw = random.Random(seed)
    made = random_graph(draw)
    progress, reference = FlowProgress(made), Reference(made)
    recorded: Recorded = []
    progress.begin()
    await reference.begin()
    while progress.running and len(recorded) < 60:
        expected = {(name, number, repr(arg)) for (name, number), (arg, _) in reference.started.items()}
        assert calls_of(progress) == expected, f"seed {seed} after {recorded}"
        call = draw.choice(sorted(progress.running, key=lambda c: (c.method, c.number)))
        if draw.random() < 0.15:
            out = progress.fail(call.method, call.number)
            assert out == await reference.fail(call.method, call.number), f"seed {seed} after {recorded}: {call}"
            if out:
                continue  # what failed is not recorded as a completion
        result = random_result(draw, made.methods[call.method], call.number)
        recorded.append((call.method, call.number, result))
        await reference.complete(call.method, call.number, result)
        try:
            progress.complete(call.method, call.number, result)
        except MaxMethodCallsExceeded:
            assert isinstance(reference.error, TooManyCalls), f"seed {seed} after {recorded}"
            await reference.end()
            return recorded, made
        assert reference.error is None, f"seed {seed} after {recorded}: {reference.error!r}"
    assert progress.finished == (not reference.started)
    await reference.end()
    return recorded, made


def replayed(made: FlowGraph, recorded: Recorded) -> list[list[Call]]:
    progress = FlowProgress(made)
    steps = [progress.begin()]
    for method, number, result in recorded:
        try:
            steps.append(progress.complete(method, number, result))
        except MaxMethodCallsExceeded:
            break
    return steps


BLOCKS = (*range(4), *(pytest.param(block, marks=pytest.mark.prove) for block in range(4, 20)))


@pytest.mark.parametrize("block", BLOCKS)
def test_random_graphs_run_as_the_reference_says(block: int) -> None:
    lengths = []
    for seed in range(block * 100, block * 100 + 100):
        recorded, made = asyncio.run(compare(seed))
        lengths.append(len(recorded))
        assert replayed(made, recorded) == replayed(made, recorded), f"seed {seed}"

    assert sum(length > 8 for length in lengths) > 10, "the graphs are too small to say much"


@pytest.mark.parametrize("seed", range(40))
def test_fed_with_recorded_completions_the_same_calls_are_ready(seed: int) -> None:
    recorded, made = asyncio.run(compare(seed + 5000))
    cut = random.Random(seed).randint(0, len(recorded))

    whole = FlowProgress(made)
    ready = {(call.method, call.number): call for call in whole.begin()}
    for method, number, result in recorded[:cut]:
        del ready[method, number]
        try:
            ready |= {(call.method, call.number): call for call in whole.complete(method, number, result)}
        except MaxMethodCallsExceeded:
            return

    # Who has lost a race is ready no more.
    still = [key for key, call in ready.items() if whole.is_running(call)]
    assert sorted(still) == sorted((call.method, call.number) for call in whole.running)
