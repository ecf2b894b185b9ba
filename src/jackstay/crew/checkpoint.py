"""CrewAI's names for checkpoints. The journal has every step already: they store nothing and change nothing."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from types import MethodType
from typing import Any, ClassVar, Concatenate, Generic, NoReturn, ParamSpec, TypeVar, overload

from pydantic import BaseModel, ConfigDict, Field

from jackstay.crew import accepted
from jackstay.engine.checkpoints import Origin
from jackstay.errors import DefinitionError

S = TypeVar("S")
P = ParamSpec("P")
R = TypeVar("R")

LOCATION = "./.checkpoints"
COVERED = frozenset({"task_completed", "method_execution_finished", "crew_kickoff_completed", "flow_finished"})
"""Events at which a run has a checkpoint in any case."""


class JsonProvider:
    """Accepted; nothing is written to JSON files."""


class SqliteProvider:
    """Accepted; checkpoints have no database of their own."""


class CheckpointConfig(BaseModel):
    """Which checkpoint a kickoff begins at: `restore_from`, an id of `jackstay checkpoint list` (`RUN` or `RUN/PATH`).

    Nothing is stored because of it: the journal has every step of every run. `location`, `provider`, `max_checkpoints`
    and `on_events` are accepted for code that gives them, and one warning says that they have no effect.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True, extra="forbid", frozen=True)

    location: str | Path = LOCATION
    on_events: list[str] = Field(default_factory=lambda: ["task_completed"])
    provider: Any = None
    max_checkpoints: int | None = None
    restore_from: str | Path | None = None

    def __init__(self, **given: Any) -> None:
        with accepted.defining("CheckpointConfig"):
            super().__init__(**given)
        idle = [name for name in ("location", "provider", "max_checkpoints", "on_events") if self._asks_for(name)]
        if idle:
            listed = ", ".join(f"{name}=" for name in idle)
            warnings.warn(
                f"CheckpointConfig: {listed} has no effect: the journal has every step of every run in one place, and "
                "checkpoints are its tasks and methods; 'jackstay checkpoint prune' deletes old runs",
                UserWarning,
                stacklevel=2,
            )

    def _asks_for(self, name: str) -> bool:
        """Whether it asks for something that the journal does not do."""
        if name == "on_events":
            return not COVERED.issuperset(self.on_events)
        if name == "location":
            return str(self.location) not in (LOCATION, str(Path(LOCATION)))
        return getattr(self, name) is not None


def origin_of(config: CheckpointConfig | None, *, anew: bool = False, branch: str | None = None) -> Origin | None:
    """Where the kickoff is to begin; None: at its own beginning."""
    if config is None:
        return None
    if not isinstance(config, CheckpointConfig):
        raise DefinitionError(
            f"a checkpoint is given as CheckpointConfig(restore_from=ID), not as {config!r:.80}; 'jackstay checkpoint "
            "list' lists ids"
        )
    return None if config.restore_from is None else Origin(str(config.restore_from), anew, branch)


def origin_for_copy(config: CheckpointConfig, *, anew: bool, branch: str | None = None) -> Origin:
    """The same, where there has to be one."""
    found = origin_of(config, anew=anew, branch=branch)
    if found is None:
        raise DefinitionError("CheckpointConfig: restore_from= is missing; 'jackstay checkpoint list' lists ids")
    return found


class of_an_object(Generic[S, P, R]):  # noqa: N801 - a decorator
    """A method that CrewAI has on the class, where it rebuilds the object from a file. On the class it is refused: code
    is never rebuilt from data, and a program's own models, tools and callbacks are in the program's object only."""

    def __init__(self, function: Callable[Concatenate[S, P], R]) -> None:
        self._function, self.__doc__ = function, function.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[..., NoReturn]: ...
    @overload
    def __get__(self, instance: S, owner: type) -> Callable[P, R]: ...
    def __get__(self, instance: S | None, owner: type) -> Callable[..., Any]:
        if instance is not None:
            return MethodType(self._function, instance)
        name, kind = self._function.__name__, owner.__name__

        def refuse(*_: Any, **__: Any) -> NoReturn:
            raise DefinitionError(
                f"{kind}.{name} is called on an object of the program: its models, tools, callbacks and guardrails are "
                f"code, and no journal has them; call {name}(config) on your {kind.lower()}"
            )

        return refuse
