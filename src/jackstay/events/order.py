"""In which order handlers hear an event: as they were registered, each after those that it depends on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jackstay.errors import DefinitionError

Handler = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Depends:
    """`event_bus.on(Event, Depends(other))`: the handler is called when `other` has heard the same event, whether that has
    failed or not. One that hears no such event is not waited for."""

    handler: Handler


After = Depends | Sequence[Depends] | None


@dataclass(frozen=True, slots=True)
class Registered:
    handler: Handler
    after: tuple[Handler, ...] = ()


def registered(handler: Handler, after: After) -> Registered:
    many = (after,) if isinstance(after, Depends) else tuple(after or ())
    return Registered(handler, tuple(each.handler for each in many))


def in_order(known: Sequence[Registered]) -> tuple[Handler, ...]:
    """Raises `DefinitionError` for handlers that wait for one another."""
    if not any(each.after for each in known):
        return tuple(each.handler for each in known)
    placed: list[Registered] = []
    for each in known:
        _place(each, known, placed, ())
    return tuple(each.handler for each in placed)


def _place(
    one: Registered, known: Sequence[Registered], placed: list[Registered], waiting: tuple[Registered, ...]
) -> None:
    """Behind those that it comes after. `waiting`: those that come after it."""
    if any(each is one for each in placed):
        return
    if any(each is one for each in waiting):
        circle = ", which comes after ".join(_name(each.handler) for each in (*waiting[waiting.index(one) :], one))
        raise DefinitionError(f"{circle.replace(', which', '', 1)}; take one of these Depends(…) out")
    for each in known:
        if each.handler in one.after:
            _place(each, known, placed, (*waiting, one))
    placed.append(one)


def _name(handler: Handler) -> str:
    return getattr(handler, "__name__", None) or repr(handler)
