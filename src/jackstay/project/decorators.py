"""The decorators of a project's methods. CrewAI's names and meanings."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from jackstay.crew import BaseAgent, Crew, Task
from jackstay.errors import DefinitionError
from jackstay.project.members import Kind, marked, names, once

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C")
M = TypeVar("M")


def agent(method: F) -> F:
    """The method makes an agent; once per object. `self.agents` has it, and `agent:` in tasks.yaml names it."""

    @wraps(method)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _made(method, self, Kind.agent, BaseAgent, method(self, *args, **kwargs))

    return _maker(checked, Kind.agent)  # type: ignore[return-value]


def task(method: F) -> F:
    """The method makes a task; once per object. It is named after the method if it has no name. `self.tasks` has it, and
    `context:` in tasks.yaml names it."""

    @wraps(method)
    def named(self: Any, *args: Any, **kwargs: Any) -> Any:
        made = _made(method, self, Kind.task, Task, method(self, *args, **kwargs))
        if not made.name:
            made.name = method.__name__
        return made

    return _maker(named, Kind.task)  # type: ignore[return-value]


def crew(method: F) -> F:
    """The method makes the crew; once per object. It is called as the class is if it has no name, and calls the methods
    that `@before_kickoff` and `@after_kickoff` have marked, after its own callbacks."""

    @wraps(method)
    def completed(self: Any, *args: Any, **kwargs: Any) -> Crew:
        made = _made(method, self, Kind.crew, Crew, method(self, *args, **kwargs))
        if "name" not in made.model_fields_set:
            made.name = type(self).__name__
        before, after = names(type(self), Kind.before_kickoff), names(type(self), Kind.after_kickoff)
        made.before_kickoff_callbacks = [*made.before_kickoff_callbacks, *(getattr(self, name) for name in before)]
        made.after_kickoff_callbacks = [*made.after_kickoff_callbacks, *(getattr(self, name) for name in after)]
        return made

    return _maker(completed, Kind.crew)  # type: ignore[return-value]


def llm(method: F) -> F:
    """The method makes a model, which `llm:` in agents.yaml names; once per object."""
    return _maker(method, Kind.llm)


def tool(method: F) -> F:
    """The method makes a tool, or a list of tools, which `tools:` in the YAML files name; once per object. (A function that
    is a tool itself has `jackstay.tools.tool`.)"""
    return _maker(method, Kind.tool)


def cache_handler(method: F) -> F:
    """The method makes a cache handler. Accepted, and without effect in this version, as `Agent(cache_handler=…)` is."""
    return _maker(method, Kind.cache_handler)


def callback(method: F) -> F:
    """The method is called with a task's output or an agent's step where the YAML files name it, in `callback:`,
    `callbacks:` or `step_callback:`. One without parameters returns the function that is called."""
    return marked(method, Kind.callback)  # type: ignore[no-any-return]


def output_json(model: C) -> C:
    """The class, which stands in the project's class, is the form that `output_json:` in tasks.yaml names. (Or a method that
    returns such a class.)"""
    return marked(model, Kind.output_json)  # type: ignore[no-any-return]


def output_pydantic(model: C) -> C:
    """The same for `output_pydantic:`."""
    return marked(model, Kind.output_pydantic)  # type: ignore[no-any-return]


def before_kickoff(method: F) -> F:
    """The method is called with the inputs of each kickoff, and may return others."""
    return marked(method, Kind.before_kickoff)  # type: ignore[no-any-return]


def after_kickoff(method: F) -> F:
    """The method is called with each kickoff's `CrewOutput`, and may return another one."""
    return marked(method, Kind.after_kickoff)  # type: ignore[no-any-return]


def _maker(method: F, kind: Kind) -> F:
    return marked(once(method), kind)  # type: ignore[no-any-return]


def _made(method: Callable[..., Any], owner: Any, kind: Kind, model: type[M], made: Any) -> M:
    """What the method has made, if it is one of that kind."""
    if not isinstance(made, model):
        what = f"{type(owner).__name__}.{method.__name__} is @{kind} and returned {made!r:.60}"
        raise DefinitionError(f"{what}, no {kind.title()}")
    return made


__all__ = [
    "after_kickoff",
    "agent",
    "before_kickoff",
    "cache_handler",
    "callback",
    "crew",
    "llm",
    "output_json",
    "output_pydantic",
    "task",
    "tool",
]
