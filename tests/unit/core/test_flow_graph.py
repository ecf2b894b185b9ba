"""Which flow method runs when: by hand, for each rule of section 5.1."""

from __future__ import annotations

import enum
from typing import Any

import pytest

from jackstay.core.flow_graph import (
    AllOf,
    AnyOf,
    Call,
    Condition,
    FlowGraph,
    FlowProgress,
    MethodSpec,
    Trigger,
    label_of,
    names_in,
    problems,
)
from jackstay.errors import MaxMethodCallsExceeded


def on(given: Any) -> Condition:
    return Trigger(given) if isinstance(given, str) else given


def any_of(*given: Any) -> AnyOf:
    return AnyOf(tuple(on(one) for one in given))


def all_of(*given: Any) -> AllOf:
    return AllOf(tuple(on(one) for one in given))


def start(name: str, condition: Any = None, **more: Any) -> MethodSpec:
    return MethodSpec(name, print, start=True, condition=None if condition is None else on(condition), **more)


def listen(name: str, condition: Any) -> MethodSpec:
    return MethodSpec(name, print, condition=on(condition))


def route(name: str, condition: Any, emits: tuple[str, ...] | None = None) -> MethodSpec:
    return MethodSpec(name, print, condition=on(condition), router=True, emits=emits)


def graph(*methods: MethodSpec, limit: int = 100) -> FlowGraph:
    return FlowGraph({method.name: method for method in methods}, limit)


class Driven:
    """A flow whose methods return what they are told; the calls that may run, by name."""

    def __init__(self, *methods: MethodSpec, limit: int = 100) -> None:
        self.progress = FlowProgress(graph(*methods, limit=limit))
        self.open: dict[str, Call] = {}
        self.order: list[str] = []
        self._take(self.progress.begin())

    def done(self, name: str, result: Any = "result") -> list[str]:
        """The names of the calls that may start once this one has completed."""
        call = self.open.pop(name)
        return self._take(self.progress.complete(name, call.number, result))

    def _take(self, calls: list[Call]) -> list[str]:
        names = [call.method for call in calls]
        self.open.update({call.method: call for call in calls})
        self.order += names
        return names


# --- starts and listeners -----------------------------------------------------------------------------------------


@pytest.mark.promise("flow.start", "flowing.starts")
def test_unconditional_starts_run_side_by_side() -> None:
    flow = Driven(start("a"), start("b"), start("c", "label"))

    assert flow.order == ["a", "b"]


@pytest.mark.promise("flowing.starts")
def test_without_an_unconditional_start_all_starts_are_entry_points() -> None:
    assert Driven(start("a", "again"), start("b", "other")).order == ["a", "b"]


@pytest.mark.promise("flow.listen", "flowing.argument")
def test_a_listener_is_given_the_result() -> None:
    flow = Driven(start("a"), listen("x", "a"), listen("y", "a"))

    assert flow.done("a", {"k": 1}) == ["x", "y"]
    assert flow.open["x"].argument == flow.open["y"].argument == {"k": 1}


def test_the_flow_is_finished_when_nothing_runs() -> None:
    flow = Driven(start("a"), listen("x", "a"))
    flow.done("a")

    assert not flow.progress.finished
    assert flow.done("x") == []
    assert flow.progress.finished


def test_completing_what_does_not_run_is_an_error() -> None:
    flow = Driven(start("a"))

    with pytest.raises(KeyError):
        flow.progress.complete("a", 2, None)


# --- and_, or_ ----------------------------------------------------------------------------------------------------


@pytest.mark.promise("flow.and_", "flowing.and_fires")
def test_and_fires_once_all_are_there_with_the_last_result() -> None:
    flow = Driven(start("a"), start("b"), listen("x", all_of("a", "b")))

    assert flow.done("b", "B") == []
    assert flow.done("a", "A") == ["x"]
    assert flow.open["x"].argument == "A"


@pytest.mark.promise("flow.or_", "flowing.or_fires")
def test_or_fires_once_with_the_first() -> None:
    flow = Driven(start("a"), start("b"), listen("x", any_of("a", "b")))

    assert flow.done("b", "B") == ["x"]
    assert flow.done("a", "A") == []
    assert flow.open["x"].argument == "B"


def test_or_of_one_is_a_plain_listener() -> None:
    flow = Driven(start("a"), route("r", "a"), listen("x", any_of("again")), route("r2", "x"))
    flow.done("a")

    assert flow.done("r", "again") == ["x"]
    assert flow.done("x") == ["r2"]
    assert flow.done("r2", "again") == ["x"]


def test_nested_conditions() -> None:
    flow = Driven(start("a"), start("b"), start("c"), listen("x", any_of(all_of("a", "b"), "c")))

    assert flow.done("a") == []
    assert flow.done("b") == ["x"]
    assert flow.done("c") == []


def test_an_and_of_ors() -> None:
    flow = Driven(start("a"), start("b"), start("c"), listen("x", all_of(any_of("a", "b"), "c")))

    assert flow.done("a") == []
    assert flow.done("b") == []
    assert flow.done("c") == ["x"]


@pytest.mark.promise("flowing.and_fires")
def test_an_and_can_fire_again_in_a_cycle() -> None:
    flow = Driven(
        start("a"),
        route("r", "a"),
        listen("p", "go"),
        listen("q", "go"),
        listen("x", all_of("p", "q")),
        route("r2", "x"),
    )
    flow.done("a")
    for _ in range(2):
        assert flow.done("r" if "r" in flow.open else "r2", "go") == ["p", "q"]
        assert flow.done("p") == []
        assert flow.done("q") == ["x"]
        assert flow.done("x") == ["r2"]


# --- routers ------------------------------------------------------------------------------------------------------


@pytest.mark.promise("flowing.order")
def test_routers_run_before_listeners_and_one_at_a_time() -> None:
    flow = Driven(start("a"), listen("x", "a"), route("r1", "a"), route("r2", "a"), listen("y", "go"))

    assert flow.done("a") == ["r1"]
    assert flow.done("r1", "go") == ["r2"]
    assert flow.done("r2", None) == ["x"]
    assert flow.done("x") == ["y"]


def test_listeners_of_a_routers_name_run_before_those_of_its_label() -> None:
    flow = Driven(start("a"), route("r", "a"), listen("by_label", "go"), listen("by_name", "r"))
    flow.done("a")

    assert flow.done("r", "go") == ["by_name"]
    assert flow.done("by_name") == ["by_label"]


@pytest.mark.promise("flow.router", "flowing.order", "flowing.argument")
def test_a_label_chain_gives_routers_the_original_result_and_listeners_the_label() -> None:
    flow = Driven(start("a"), route("r1", "a"), route("r2", "first"), listen("x", "second"))
    flow.done("a", 1)

    assert flow.done("r1", "first") == ["r2"]
    assert flow.open["r2"].argument == 1
    assert flow.done("r2", "second") == ["x"]
    assert flow.open["x"].argument == "second"


class Label(enum.Enum):
    GO = "go"
    SEVEN = 7


@pytest.mark.promise("flowing.labels")
@pytest.mark.parametrize(
    ("returned", "label"), [("go", "go"), (Label.GO, "go"), (Label.SEVEN, "7"), (False, "False"), (3, "3"), ("", "")]
)
def test_what_a_router_returns_becomes_a_label(returned: Any, label: str) -> None:
    flow = Driven(start("a"), route("r", "a"), listen("x", label))
    flow.done("a")

    assert label_of(returned) == label
    assert flow.done("r", returned) == ["x"]
    assert flow.open["x"].argument is returned


@pytest.mark.promise("flowing.labels")
def test_none_is_no_label() -> None:
    flow = Driven(start("a"), route("r", "a"), listen("x", "None"))
    flow.done("a")

    assert flow.done("r", None) == []
    assert flow.progress.finished


def test_a_start_that_is_a_router_emits_its_label() -> None:
    flow = Driven(start("a", router=True), listen("by_name", "a"), listen("by_label", "go"))

    assert flow.done("a", "go") == ["by_name"]
    assert flow.done("by_name") == ["by_label"]
    assert flow.open["by_label"].argument == "go"


def test_the_label_of_a_start_is_a_dispatch_of_its_own() -> None:
    """What the start's name has fired is armed again by a label that comes of the start's label (CrewAI, measured)."""
    flow = Driven(start("a", router=True), listen("x", AnyOf((Trigger("a"), Trigger("stop")))), route("r", "go"))

    assert flow.done("a", "go") == ["x"]
    assert flow.done("x") == ["r"]
    assert flow.done("r", "stop") == ["x"]


@pytest.mark.promise("flow.start")
def test_a_start_is_started_again_by_its_condition() -> None:
    flow = Driven(start("a", "again"), route("r", "a"))

    assert flow.done("a") == ["r"]
    assert flow.done("r", "again") == ["a"]
    assert flow.open["a"].number == 2


@pytest.mark.promise("flowing.or_armed_again")
def test_a_label_arms_an_or_that_had_fired_before() -> None:
    flow = Driven(start("a"), start("b"), listen("x", any_of("a", "go")), route("r", "b"))

    assert flow.done("a") == ["x"]
    assert flow.done("b") == ["r"]
    assert flow.done("r", "go") == ["x"]


# --- limits -------------------------------------------------------------------------------------------------------


def cycle(limit: int) -> Driven:
    flow = Driven(start("a"), route("r", "a"), listen("x", "again"), route("r2", "x"), limit=limit)
    flow.done("a")
    flow.done("r", "again")
    return flow


@pytest.mark.promise("flow.max_method_calls")
def test_a_cycle_ends_at_max_method_calls() -> None:
    flow = cycle(3)
    for _ in range(2):
        flow.done("x")
        flow.done("r2", "again")
    flow.done("x")

    with pytest.raises(MaxMethodCallsExceeded, match="x was to be called for the 4th time") as caught:
        flow.done("r2", "again")

    assert isinstance(caught.value, RecursionError)
    assert "max_method_calls is 3" in str(caught.value)


def test_a_long_cycle_is_no_deep_recursion() -> None:
    flow = cycle(5000)
    for _ in range(3000):
        flow.done("x")
        flow.done("r2", "again")

    assert flow.open["x"].number == 3001


@pytest.mark.promise("flow.max_method_calls")
def test_starts_are_not_counted() -> None:
    flow = Driven(start("a"), start("b", "a"), start("c", any_of("b")), start("d", "c"), start("e", "d"), limit=1)
    for name in "abcde":
        flow.done(name)

    again = Driven(start("ping", "pong"), start("pong", "ping"), limit=1)
    for _ in range(5):
        again.done("ping")
        again.done("pong")
    assert again.open["ping"].number > 1


# --- definitions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("methods", "problem"),
    [
        ((listen("x", "y"),), "no method is decorated with @start()"),
        ((start("a"), listen("x", "typo")), "x listens to 'typo', which is no method and no router's label (a, x)"),
        ((start("a"), listen("x", any_of("a", all_of("a", "x")))), "x listens to itself"),
        ((start("a"), route("r", "a", ("yes",)), listen("x", "no")), "x listens to 'no'"),
    ],
)
def test_what_is_wrong_with_a_definition_is_said(methods: tuple[MethodSpec, ...], problem: str) -> None:
    assert any(problem in found for found in problems(graph(*methods)))


def test_a_sound_definition_has_no_problems() -> None:
    known = graph(start("a"), route("r", "a", ("yes", "no")), listen("x", "yes"), listen("y", any_of("no", "x")))
    dynamic = graph(start("a"), route("r", "a"), listen("x", "whatever the router may say"))

    assert problems(known) == problems(dynamic) == []


def test_names_in_a_condition() -> None:
    assert list(names_in(any_of("a", all_of("b", any_of("c"))))) == ["a", "b", "c"]
