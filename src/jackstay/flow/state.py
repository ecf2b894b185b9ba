"""A flow's state: a dict or a pydantic model with an `id`, which notices which of its fields a method uses."""

from __future__ import annotations

import contextlib
import copy
import json
import typing
import uuid
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, cast

from pydantic import BaseModel, Field, RootModel, TypeAdapter, ValidationError, create_model

from jackstay.core.values import Codec, NotStorable
from jackstay.engine.scope import current_scope
from jackstay.errors import DefinitionError, InputsError

ALL = "*"
_CONSTANT = frozenset({str, int, float, bool, type(None)})


def fresh_id() -> str:
    return str(uuid.uuid4())


class FlowState(BaseModel):
    """The state's base: `id` names the flow's state."""

    id: str = Field(default_factory=fresh_id)


def _touch(owner: object, name: str) -> None:
    scope = current_scope()
    if scope is not None:
        scope.touched.add((id(owner), name))


class DictState(dict[str, Any]):
    """A dict that marks what is read and written. (Reading counts: a list that is read may be appended to.)"""

    def __getitem__(self, key: str) -> Any:
        _touch(self, key)
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: Any) -> None:
        _touch(self, key)
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        _touch(self, key)
        super().__delitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        _touch(self, key)
        return super().get(key, default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        _touch(self, key)
        return super().setdefault(key, default)

    def pop(self, key: str, *default: Any) -> Any:
        _touch(self, key)
        return super().pop(key, *default)

    def popitem(self) -> tuple[str, Any]:
        _touch(self, ALL)
        return super().popitem()

    def update(self, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __ior__(self, other: Any) -> DictState:  # type: ignore[override]
        self.update(other)
        return self

    def __or__(self, other: Any) -> Any:
        _touch(self, ALL)
        return super().__or__(other)

    def copy(self) -> dict[str, Any]:
        _touch(self, ALL)
        return super().copy()

    def __iter__(self) -> Iterator[str]:
        _touch(self, ALL)
        return super().__iter__()

    def items(self) -> Any:
        _touch(self, ALL)
        return super().items()

    def values(self) -> Any:
        _touch(self, ALL)
        return super().values()

    def clear(self) -> None:
        _touch(self, ALL)
        super().clear()


def model_state(model: type[BaseModel]) -> type[BaseModel]:
    """The model with an `id`, marking the fields that are used. Stored as the model that it was made from."""
    fields = set(model.model_fields) | {"id"}
    is_open = model.model_config.get("extra") == "allow"

    class Marking(model):  # type: ignore[valid-type, misc]
        def __getattribute__(self, name: str) -> Any:
            if name in fields or (is_open and not name.startswith("_")):
                _touch(self, name)
            return super().__getattribute__(name)

        def __setattr__(self, name: str, value: Any) -> None:
            if name in fields or (is_open and not name.startswith("_")):
                _touch(self, name)
            super().__setattr__(name, value)

    if "id" in model.model_fields:
        made: Any = Marking
    else:
        made = create_model(model.__name__, __base__=Marking, id=(str, Field(default_factory=fresh_id)))
    made.__name__, made.__qualname__, made.__module__ = model.__name__, model.__qualname__, model.__module__
    return cast("type[BaseModel]", made)


def fresh_state(initial: Any) -> Any:
    """A new state from what a flow says it is: None or `dict`, a dict, a model class, a model instance. It shares nothing
    with what it is made from."""
    if initial is None or initial is dict or typing.get_origin(initial) is dict:
        return DictState(id=fresh_id())
    if isinstance(initial, Mapping):
        return DictState({"id": fresh_id(), **copy.deepcopy(dict(initial))})
    if isinstance(initial, type) and issubclass(initial, BaseModel) and not issubclass(initial, RootModel):
        return _made(initial)
    if isinstance(initial, BaseModel) and not isinstance(initial, RootModel):
        return _as(model_state(type(initial)), copy.deepcopy(initial))
    raise DefinitionError(f"a flow's state is a dict or a pydantic model, not {initial!r}")


def _made(model: type[BaseModel]) -> BaseModel:
    try:
        return model_state(model)()
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise DefinitionError(
            f"a flow begins with a {model.__name__} of its own, and that cannot be made of nothing ({problems}): give these fields "
            "defaults, or the flow an object as its initial_state"
        ) from error


def _as(model: type[BaseModel], made: BaseModel) -> BaseModel:
    """The state of an object that its own class has made: as it is, whatever validation would make of it."""
    values = {name: made.__dict__[name] for name in type(made).model_fields if name in made.__dict__}
    state = model.model_construct(_fields_set=set(made.model_fields_set), **values, **(made.model_extra or {}))
    object.__setattr__(state, "__pydantic_private__", made.__pydantic_private__)
    return state


def with_inputs(state: Any, inputs: Mapping[str, Any]) -> Any:
    """The state with a kickoff's inputs. Raises `InputsError` (a `ValueError`) naming what does not fit."""
    if not inputs:
        return state
    if isinstance(state, dict):
        state.update(inputs)
        return state
    aliases = {name: field.alias for name, field in type(state).model_fields.items()}
    kept = {name: value for name, value in state if aliases.get(name) not in inputs}
    return validated(type(state), {**kept, **inputs}, "Invalid inputs for structured state")


def validated(model: Any, values: Mapping[str, Any], wrong: str) -> Any:
    """A state of these values. Raises `InputsError` naming what does not fit."""
    try:
        return model.model_validate(values, by_alias=True, by_name=True)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise InputsError(f"{wrong}: {problems}") from error


def id_of(state: Any) -> Any:
    return dict.get(state, "id") if isinstance(state, dict) else getattr(state, "id", None)


def give_id(state: Any, given: str) -> None:
    """The state has this id, as its model has ids. (One whose ids are numbers, say, keeps its own.)"""
    if isinstance(state, dict):
        dict.__setitem__(state, "id", given)
        return
    kind: Any = type(state).model_fields["id"].annotation
    with contextlib.suppress(ValidationError):
        made = given if kind is str else TypeAdapter(kind).validate_python(given)
        object.__getattribute__(state, "__dict__")["id"] = made


class StateBox:
    """The engine's view of a state (`core.specs.StatePort`)."""

    def __init__(self, state: Any, codec: Codec, given: Mapping[str, Any] | None = None) -> None:
        self.state, self._codec, self._given = state, codec, dict(given or {})
        self._known: dict[str, tuple[Any, str]] = {}
        """Fields that cannot change but by being set, with their texts: after each method most are what they were."""

    @property
    def id(self) -> str:
        found = id_of(self.state)
        return "" if found is None else str(found)

    def fields(self) -> dict[str, str]:
        known, text = self._known, self._text
        return {
            name: was[1] if (was := known.get(name)) is not None and was[0] is value else text(name, value)
            for name, value in self._items()
        }

    def _text(self, name: str, value: Any) -> str:
        try:
            text = self._codec.kept(value, name)
        except RecursionError as error:
            raise NotStorable(value, name) from error
        if type(value) in _CONSTANT:
            self._known[name] = (value, text)
        return text

    def apply(self, changed: Mapping[str, Any], removed: Sequence[str]) -> None:
        for name, data in changed.items():
            self._set(name, self._codec.decode(data))
        dropped = self.state if isinstance(self.state, dict) else self.state.__pydantic_extra__
        for name in removed if dropped is not None else ():
            dict.pop(dropped, name, None)

    def touched_by(self, marks: Set[tuple[int, str]]) -> set[str]:
        mine = {name for owner, name in marks if owner == id(self.state)}
        return {name for name, _ in self._items()} | mine if ALL in mine else mine

    def restore(self, saved: Mapping[str, Any]) -> None:
        if not isinstance(saved, Mapping):
            raise InputsError(
                f"a saved state is a dict of its fields, not {saved!r:.80}: see the persistence's load_state"
            )
        values = {**saved, "id": id_of(self.state)}
        if isinstance(self.state, dict):
            dict.clear(self.state)
            dict.update(self.state, {**values, **self._given})
            return
        fields = type(self.state).model_fields
        if type(self.state).model_config.get("extra") == "forbid":
            # Fields that the program does not have any more.
            names = {*fields, *(field.alias for field in fields.values())}
            values = {name: value for name, value in values.items() if name in names}
        made = validated(type(self.state), values, "the saved state does not fit the program")
        self._become(with_inputs(made, self._given))

    def take(self, inputs: Mapping[str, Any], removed: Sequence[str]) -> None:
        """Other inputs than those that it was made with. Raises `InputsError` for what does not fit."""
        self._given = dict(inputs)
        if isinstance(self.state, dict):
            for name in removed:
                dict.pop(self.state, name, None)
            dict.update(self.state, inputs)
            return
        values = {name: value for name, value in self._items() if name not in removed}
        self._become(validated(type(self.state), {**values, **inputs}, "Invalid inputs for structured state"))

    def _become(self, made: BaseModel) -> None:
        for slot in ("__dict__", "__pydantic_extra__", "__pydantic_fields_set__"):
            object.__setattr__(self.state, slot, object.__getattribute__(made, slot))

    def copied(self) -> Any:
        values = {name: self._codec.decode(json.loads(text)) for name, text in self.fields().items()}
        return values if isinstance(self.state, dict) else type(self.state).model_construct(**values)

    def _items(self) -> list[tuple[str, Any]]:
        # Past the marking: looking at the state to store it is not using it.
        if isinstance(self.state, dict):
            return list(dict.items(self.state))
        fields, extra = (object.__getattribute__(self.state, slot) for slot in ("__dict__", "__pydantic_extra__"))
        return [*fields.items(), *(extra or {}).items()]

    def _set(self, name: str, value: Any) -> None:
        if isinstance(self.state, dict):
            dict.__setitem__(self.state, name, value)
        elif name in type(self.state).model_fields:
            object.__getattribute__(self.state, "__dict__")[name] = value
        else:
            extra = object.__getattribute__(self.state, "__pydantic_extra__")
            if extra is not None:  # else a field that the program does not have any more
                extra[name] = value
