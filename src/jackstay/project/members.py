"""The members of a project's class: what a decorator has marked, in the order of definition, and what methods have made."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any

from jackstay.errors import DefinitionError

_MARK = "__jackstay_member__"
_MADE = "_jackstay_made"


class Kind(StrEnum):
    """What a member is; the names of the decorators."""

    agent = "agent"
    task = "task"
    crew = "crew"
    llm = "llm"
    tool = "tool"
    callback = "callback"
    cache_handler = "cache_handler"
    output_json = "output_json"
    output_pydantic = "output_pydantic"
    before_kickoff = "before_kickoff"
    after_kickoff = "after_kickoff"


def marked(member: Any, kind: Kind) -> Any:
    """The same member, known as one of that kind; it may be of several."""
    setattr(member, _MARK, _kinds(member) | {kind})
    return member


def _kinds(member: Any) -> frozenset[Kind]:
    # Its own, not what the class that it inherits from is marked as.
    found: frozenset[Kind] = getattr(member, "__dict__", {}).get(_MARK, frozenset())
    return found


def names(cls: type, *kinds: Kind) -> list[str]:
    """The members of these kinds in the order of definition, those of base classes first. What a subclass has defined anew
    without a decorator is none any more."""
    found = dict.fromkeys(name for each in reversed(cls.__mro__) for name in vars(each))
    return [name for name in found if not _kinds(inspect.getattr_static(cls, name)).isdisjoint(kinds)]


class _Made:
    """What the methods of one object have made. It lives as long as the object does, and no longer."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.values: dict[Any, Any] = {}
        self.making: list[str] = []


def once(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, called once per object (and arguments): later calls return what it has made."""
    name = method.__name__

    @wraps(method)
    def made_once(self: Any, *args: Any, **kwargs: Any) -> Any:
        made: _Made = vars(self).setdefault(_MADE, _Made())
        key = (name, method, args, tuple(sorted(kwargs.items())))
        with made.lock:
            try:
                known = key in made.values
            except TypeError:  # an argument that cannot be looked up: made anew each time
                return method(self, *args, **kwargs)
            if not known:
                made.values[key] = _make(made, method, name, (self, *args), kwargs)
            return made.values[key]

    return made_once


def _make(made: _Made, method: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if name in made.making:
        chain = " → ".join([*made.making[made.making.index(name) :], name])
        raise DefinitionError(
            f"{type(args[0]).__name__}.{name} needs itself: {chain}; take one of these references out"
        )
    made.making.append(name)
    try:
        return method(*args, **kwargs)
    finally:
        made.making.pop()


def function_of(owner: Any, name: str) -> Callable[..., Any]:
    """A method that is to be called later: itself, or, if it has no parameters, what it returns (CrewAI's form)."""
    method = getattr(owner, name)
    if _takes_something(method):
        return method  # type: ignore[no-any-return]
    made = method()
    if not callable(made):
        raise DefinitionError(
            f"{type(owner).__name__}.{name} takes nothing and returned {made!r:.60}; let it take what it is called with, or "
            "return the function that is to be called"
        )
    return made  # type: ignore[no-any-return]


def _takes_something(method: Callable[..., Any]) -> bool:
    try:
        return bool(inspect.signature(method).parameters)
    except (TypeError, ValueError):  # a builtin without a signature
        return True
