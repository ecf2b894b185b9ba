"""`@persist` and where it saves: CrewAI's names. Without a backend of the user's the journal is the place, which has the
state of every method anyway."""

from __future__ import annotations

import json
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from jackstay.core.flow_graph import FlowGraph
from jackstay.core.specs import Saving
from jackstay.engine.persisting import load_state, put_state
from jackstay.engine.runtime import current_runtime
from jackstay.errors import ConfigurationError, DefinitionError

if TYPE_CHECKING:
    from jackstay.flow.flow import Flow

D = TypeVar("D", bound=Callable[..., Any])
_MARK = "__jackstay_persist__"


class FlowPersistence(ABC):
    """A backend of your own for `@persist`. Its methods are called in threads of the pool, `async def` ones on your loop.

    `save_state` is called after each persisted method, before anything that listens to it; what it raises fails the
    method. It may be called again for a method that was saved already, when the process has died in between.
    """

    @abstractmethod
    def init_db(self) -> None:
        """Makes ready what the backend needs. Call it in your `__init__`; nobody else does."""

    @abstractmethod
    def save_state(self, flow_uuid: str, method_name: str, state_data: dict[str, Any] | BaseModel) -> None:
        """Keeps the state: a dict or a model of your own, equal to the flow's."""

    @abstractmethod
    def load_state(self, flow_uuid: str) -> dict[str, Any] | None:
        """The state that was saved last under this id, as a dict of its fields; None: there is none."""

    def save_pending_feedback(self, flow_uuid: str, context: Any, state_data: dict[str, Any] | BaseModel) -> None:
        """Saves the state. What a flow waits for is in the journal."""
        self.save_state(flow_uuid, getattr(context, "method_name", ""), state_data)

    def load_pending_feedback(self, flow_uuid: str) -> tuple[dict[str, Any], Any] | None:
        """None: what a flow waits for is in the journal."""
        return None

    def clear_pending_feedback(self, flow_uuid: str) -> None:  # noqa: B027 - a default that does nothing
        """Nothing to clear."""


class SQLiteFlowPersistence(FlowPersistence):
    """The journal; or with a path a SQLite file of its own, in the form of CrewAI's `flow_states`, with the states that
    were saved there before."""

    def __init__(self, db_path: str | Path | None = None) -> None:
        self.db_path = None if db_path is None else str(db_path)
        try:
            self.init_db()
        except sqlite3.Error as error:
            raise ConfigurationError(
                f"SQLiteFlowPersistence({self.db_path!r}) cannot be used: {error}; name a SQLite file in a folder that is there"
            ) from error

    def init_db(self) -> None:
        if self.db_path is None:
            return
        with closing(self._connect()) as connection, connection:
            connection.execute(
                "create table if not exists flow_states (id integer primary key autoincrement, flow_uuid text not null, "
                "method_name text not null, timestamp datetime not null, state_json text not null)"
            )
            connection.execute("create index if not exists idx_flow_states_uuid on flow_states(flow_uuid)")

    def save_state(self, flow_uuid: str, method_name: str, state_data: dict[str, Any] | BaseModel) -> None:
        if self.db_path is None:
            values = dict(state_data)
            put_state(current_runtime(), flow_uuid, method_name, values)
            return
        text = json.dumps(to_jsonable_python(state_data))
        with closing(self._connect()) as connection, connection:
            connection.execute(
                "insert into flow_states (flow_uuid, method_name, timestamp, state_json) "
                "values (?, ?, strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'), ?)",
                (flow_uuid, method_name, text),
            )

    def load_state(self, flow_uuid: str) -> dict[str, Any] | None:
        if self.db_path is None:
            return load_state(current_runtime(), flow_uuid)
        with closing(self._connect()) as connection:
            row = connection.execute(
                "select state_json from flow_states where flow_uuid = ? order by id desc limit 1", (flow_uuid,)
            ).fetchone()
        return None if row is None else json.loads(row[0])

    def _connect(self) -> sqlite3.Connection:
        assert self.db_path is not None
        connection = sqlite3.connect(self.db_path, timeout=30.0)
        connection.execute("pragma journal_mode=wal")
        return connection


# --- the decorator -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Persist:
    """What `@persist` wrote on a class or a method."""

    persistence: FlowPersistence | None
    verbose: bool


@overload
def persist(persistence: D, /) -> D: ...
@overload
def persist(persistence: FlowPersistence | None = None, verbose: bool = False) -> Callable[[D], D]: ...
def persist(persistence: Any = None, verbose: bool = False) -> Any:
    """Keeps the flow's state by its `id`, beyond the run: above a class after every method, above a method after that one.

    `kickoff(inputs={"id": …})` goes on with the run of that state which has not finished, and else begins a new one with
    the state as it was saved last. `persistence`: a backend of your own; without one, the journal. `verbose`: a line in the
    log each time. May stand without parentheses.
    """
    if persistence is not None and not _is_backend(persistence):
        if not callable(persistence):
            raise DefinitionError(f"@persist({persistence!r:.80}): give an object of a subclass of FlowPersistence")
        return persist()(persistence)

    def decorate(target: D) -> D:
        setattr(target, _MARK, Persist(persistence, verbose))
        return target

    return decorate


def _is_backend(given: Any) -> bool:
    """Of whatever class: what counts is that it saves and loads."""
    return not isinstance(given, type) and hasattr(given, "save_state") and hasattr(given, "load_state")


# Of the process, as a program sets it once before its flows; asked at each kickoff that has no backend of its own.
_factory: list[Callable[[], FlowPersistence]] = []


def set_flow_persistence_factory(factory: Callable[[], FlowPersistence] | None) -> None:
    """What makes the backend of flows whose `@persist` names none; None: the journal again."""
    _factory[:] = [] if factory is None else [factory]


def saving_of(flow: Flow[Any], graph: FlowGraph) -> Saving | None:
    """What of a flow is saved, and where. Nearest first: the object's backend, the method's, the class's, the factory's,
    the journal."""
    of_class: Persist | None = getattr(type(flow), _MARK, None)
    marks: Mapping[str, Persist | None] = {name: _mark_of(m.call) or of_class for name, m in graph.methods.items()}
    if not any(marks.values()):
        if flow.persistence is None:
            return None
        # A backend that is given is there to be used.
        marks = dict.fromkeys(marks, Persist(flow.persistence, verbose=False))
    default = _factory[0]() if _factory and flow.persistence is None else None
    around = _first(of_class.persistence if of_class is not None else None, default)
    found = {name: mark for name, mark in marks.items() if mark is not None}
    stores = {name: _store(_first(flow.persistence, mark.persistence, around)) for name, mark in found.items()}
    own = flow.persistence is not None or of_class is not None
    source = _store(_first(flow.persistence, around)) if own else next(iter(stores.values()))
    return Saving(stores, source, frozenset(name for name, mark in found.items() if mark.verbose))


def _mark_of(method: Callable[..., Any]) -> Persist | None:
    """A start that is given what has triggered the run is a `partial` of its method."""
    mark: Persist | None = getattr(getattr(method, "func", method), _MARK, None)
    return mark


def _first(*backends: FlowPersistence | None) -> FlowPersistence | None:
    return next((each for each in backends if each is not None), None)


def _store(backend: FlowPersistence | None) -> FlowPersistence | None:
    """None: the journal."""
    if type(backend) is SQLiteFlowPersistence and backend.db_path is None:
        return None
    if backend is not None and not _is_backend(backend):
        raise DefinitionError(f"persistence={backend!r:.80}: give an object of a subclass of FlowPersistence")
    return backend
