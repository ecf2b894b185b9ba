"""`@start`, `@listen`, `@router`, `or_`, `and_`: which method runs when. CrewAI's forms."""

from __future__ import annotations

import enum
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from jackstay.core.feedback import FeedbackSpec
from jackstay.core.flow_graph import AllOf, AnyOf, Condition, FlowGraph, MethodSpec, Trigger
from jackstay.core.retry import Retry
from jackstay.errors import DefinitionError

F = TypeVar("F", bound=Callable[..., Any])
Given = str | enum.Enum | Callable[..., Any] | AnyOf | AllOf | Trigger
_MARK = "__jackstay_flow__"
PAYLOAD = "crewai_trigger_payload"
"""What has triggered a run, among its inputs: CrewAI's name."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What the decorators wrote on a method."""

    start: bool = False
    condition: Condition | None = None
    router: bool = False
    emits: tuple[str, ...] | None = None
    retry: Retry | None = None
    feedback: FeedbackSpec | None = None
    takes: bool = False
    """It has a parameter besides `self`. (Asked once: a kickoff looks at every method.)"""


def start(condition: Given | None = None, *, retry: Retry | None = None) -> Callable[[F], F]:
    """The method runs when the flow starts; with a condition, also when that is met. `retry`: as of `listen`."""

    again = _again(retry)

    def decorate(method: F) -> F:
        parsed = None if condition is None else parse(condition, "start")
        return marked(method, start=True, condition=parsed, **again)

    if callable(condition) and not hasattr(condition, _MARK):
        raise DefinitionError(f"@start is written with parentheses: @start() above {condition.__name__}")
    return decorate


def listen(condition: Given, *, retry: Retry | None = None) -> Callable[[F], F]:
    """The method runs when what it listens to has completed: a method, a router's label, `or_(…)`, `and_(…)`.

    A method with a parameter is given what completed last returned. `retry`: how often, and when, it is called again when
    it has raised an exception. It begins with the state that it found the first time, and what was recorded in it
    (kickoffs, model calls, steps) is not done again.
    """
    changes = {"condition": parse(condition, "listen"), **_again(retry)}
    return lambda method: marked(method, **changes)


def router(
    condition: Given | None = None, *, emit: Sequence[str] | None = None, retry: Retry | None = None
) -> Callable[[F], F]:
    """As `listen`; what the method returns is a label that others listen to. May stand on top of `@start()`.

    `emit`, or a `Literal` or Enum as return annotation, says which labels there are. `retry`: as of `listen`.
    """

    again = _again(retry)

    def decorate(method: F) -> F:
        labels = tuple(emit) if emit is not None else labels_of(method)
        if condition is None:
            return marked(method, router=True, emits=labels, **again)
        return marked(method, condition=parse(condition, "router"), router=True, emits=labels, **again)

    if callable(condition) and not hasattr(condition, _MARK) and emit is None and not _is_method(condition):
        raise DefinitionError("@router is written with parentheses: @router(method)")
    return decorate


def or_(*conditions: Given) -> AnyOf:
    """Met when any of them is."""
    return AnyOf(_parsed(conditions, "or_"))


def and_(*conditions: Given) -> AllOf:
    """Met when all of them have been, in any order."""
    return AllOf(_parsed(conditions, "and_"))


def _parsed(conditions: Sequence[Given], where: str) -> tuple[Condition, ...]:
    if not conditions:
        raise DefinitionError(f"{where}() has nothing to wait for: give it methods, their names, or labels")
    return tuple(parse(condition, where) for condition in conditions)


def parse(given: Given | Any, where: str) -> Condition:
    if isinstance(given, Trigger | AnyOf | AllOf):
        return given
    if isinstance(given, enum.Enum):
        return Trigger(str(given.value))
    if isinstance(given, str):
        return Trigger(given)
    if callable(given):
        return Trigger(given.__name__)
    raise DefinitionError(f"{where}({given!r}): give a method, its name, a label, or_(…) or and_(…)")


def method_spec(name: str, method: Callable[..., Any], mark: Mark) -> MethodSpec:
    """The specification of a bound method."""
    takes = mark.takes and mark.condition is not None
    # With feedback the labels are those of the person's word, whatever else the method says of itself.
    emits = mark.feedback.emit if mark.feedback is not None and mark.feedback.emit else mark.emits
    return MethodSpec(name, method, mark.start, mark.condition, mark.router, emits, takes, mark.retry, mark.feedback)


def with_payload(graph: FlowGraph, inputs: Mapping[str, Any]) -> FlowGraph:
    """The graph whose start methods are called with what has triggered the run, if the inputs have it: those that have a
    parameter of its name."""
    if PAYLOAD not in inputs:
        return graph
    told = {
        name: replace(method, call=partial(method.call, **{PAYLOAD: inputs[PAYLOAD]}))
        for name, method in graph.methods.items()
        if method.start and PAYLOAD in inspect.signature(method.call).parameters
    }
    return replace(graph, methods={**graph.methods, **told})


def mark_of(function: Any) -> Mark | None:
    mark = getattr(function, _MARK, None)
    return mark if isinstance(mark, Mark) else None


def _again(retry: Retry | None) -> dict[str, Any]:
    """Decorators are stacked: one that says nothing of retries takes none away."""
    if retry is not None and not isinstance(retry, Retry):
        raise DefinitionError(f"retry={retry!r:.80} is no Retry: write retry=Retry(max_attempts=3, backoff_s=1)")
    return {} if retry is None else {"retry": retry}


def marked(method: F, **changes: Any) -> F:
    """The method with these fields of its mark changed."""
    known = mark_of(method) or Mark(takes=_takes_argument(method))
    setattr(method, _MARK, replace(known, **changes))
    return method


def _takes_argument(method: Callable[..., Any]) -> bool:
    parameters = [p for p in inspect.signature(method).parameters.values() if p.name != PAYLOAD]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return True  # a wrapper of a decorator of the user's, in most cases
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters) > 1


def _is_method(function: Any) -> bool:
    return "self" in inspect.signature(function).parameters


def labels_of(method: Callable[..., Any]) -> tuple[str, ...] | None:
    try:
        returned = typing.get_type_hints(method).get("return")
    except (NameError, TypeError):
        return None  # a forward reference that only the program can resolve: the labels are not known
    if typing.get_origin(returned) is typing.Literal:
        return tuple(str(label) for label in typing.get_args(returned))
    if isinstance(returned, type) and issubclass(returned, enum.Enum):
        return tuple(str(member.value) for member in returned)
    return None
