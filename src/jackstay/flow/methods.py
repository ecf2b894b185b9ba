"""Which methods of a class its decorators have marked, and a flow's outline."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from jackstay.core.flow_graph import AllOf, AnyOf, Condition, FlowGraph, Trigger
from jackstay.flow.decorators import Mark, mark_of

Functions = Mapping[str, Callable[..., Any]]
_SET_ASIDE = "_functions"


def set_aside(cls: type, names: Collection[str]) -> None:
    """Takes marked methods of these names out of the class, which has settings of the same names."""
    found = {name: vars(cls)[name] for name in names if mark_of(vars(cls).get(name)) is not None}
    if found:
        setattr(cls, _SET_ASIDE, {**getattr(cls, _SET_ASIDE), **found})
        for name in found:
            delattr(cls, name)


def marks_in(functions: Functions) -> dict[str, Mark]:
    marks = {name: mark_of(function) for name, function in functions.items()}
    return {name: mark for name, mark in marks.items() if mark is not None}


def marks_of(cls: type, without: Collection[type]) -> dict[str, Mark]:
    """Of all marked methods, inherited ones too, in the order of their definition. `without`: classes that have none (an eighth
    of a kickoff went into asking each of their attributes)."""
    marks: dict[str, Mark] = {}
    for each in (each for each in reversed(cls.__mro__) if each not in without):
        for name, function in (*vars(each).items(), *vars(each).get(_SET_ASIDE, {}).items()):
            mark = mark_of(function)
            if mark is not None:
                marks[name] = mark
            elif name in marks:
                del marks[name]  # overridden without a decorator: no flow method any more
    return marks


def outline_of(name: str, graph: FlowGraph, fields: Collection[str]) -> list[Any]:
    """As JSON data: the methods, what they listen to, and the names of the state's fields."""
    methods = {
        method.name: [method.start, _listened(method.condition), method.router, list(method.emits or ())]
        for method in graph.methods.values()
    }
    return ["flow", name, methods, sorted(fields)]


def _listened(condition: Condition | None) -> Any:
    match condition:
        case None:
            return None
        case Trigger(name):
            return name
        case AnyOf(parts):
            return ["or", *map(_listened, parts)]
        case AllOf(parts):
            return ["and", *map(_listened, parts)]
