"""A flow's state: a dict or a pydantic model with an `id`, which notices which of its fields a method uses."""

from __future__ import annotations

import typing
import uuid
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, cast

from pydantic import BaseModel, Field, ValidationError, create_model

from jackstay.core.canonical import canonical_json
from jackstay.core.values import Codec, NotStorable, encode
from jackstay.engine.scope import current_scope
from jackstay.errors import DefinitionError, InputsError

ALL = "*"
_CONSTANT = frozenset({str, int, float, bool, type(None)})


class FlowState(BaseModel):
    """The state's base: `id` names the flow's state."""

    id: str = Field(default_factory=lambda: str(uuid.uuid4()))


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

    def update(self, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

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

    class Marking(model):  # type: ignore[valid-type, misc]
        def __getattribute__(self, name: str) -> Any:
            if name in fields:
                _touch(self, name)
            return super().__getattribute__(name)

        def __setattr__(self, name: str, value: Any) -> None:
            if name in fields:
                _touch(self, name)
            super().__setattr__(name, value)

    if "id" in model.model_fields:
        made: Any = Marking
    else:
        made = create_model(
            model.__name__, __base__=Marking, id=(str, Field(default_factory=lambda: str(uuid.uuid4())))
        )
    made.__name__, made.__qualname__, made.__module__ = model.__name__, model.__qualname__, model.__module__
    return cast("type[BaseModel]", made)


def fresh_state(initial: Any) -> Any:
    """A new state from what a flow says it is: None or `dict`, a dict, a model class, a model instance."""
    if initial is None or initial is dict or typing.get_origin(initial) is dict:
        return DictState(id=str(uuid.uuid4()))
    if isinstance(initial, Mapping):
        return DictState({"id": str(uuid.uuid4()), **initial})
    if isinstance(initial, type) and issubclass(initial, BaseModel):
        return model_state(initial)()
    if isinstance(initial, BaseModel):
        return model_state(type(initial)).model_validate(dict(initial))
    raise DefinitionError(f"a flow's state is a dict or a pydantic model, not {initial!r}")


def with_inputs(state: Any, inputs: Mapping[str, Any]) -> Any:
    """The state with a kickoff's inputs. Raises `InputsError` (a `ValueError`) naming what does not fit."""
    if not inputs:
        return state
    if isinstance(state, dict):
        state.update(inputs)
        return state
    try:
        return type(state).model_validate({**dict(state), **inputs})
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise InputsError(f"Invalid inputs for structured state: {problems}") from error


class StateBox:
    """The engine's view of a state (`core.specs.StatePort`)."""

    def __init__(self, state: Any, codec: Codec) -> None:
        self.state, self._codec = state, codec
        self._known: dict[str, tuple[Any, str]] = {}
        """Fields that cannot change but by being set, with their texts: after each method most are what they were."""

    def fields(self) -> dict[str, str]:
        texts = {}
        for name, value in self._items():
            known = self._known.get(name)
            texts[name] = known[1] if known is not None and known[0] is value else self._text(name, value)
        return texts

    def _text(self, name: str, value: Any) -> str:
        try:
            text = canonical_json(encode(value, name))
        except RecursionError as error:
            raise NotStorable(value, name) from error
        if type(value) in _CONSTANT:
            self._known[name] = (value, text)
        return text

    def apply(self, changed: Mapping[str, Any], removed: Sequence[str]) -> None:
        for name, data in changed.items():
            self._set(name, self._codec.decode(data))
        if isinstance(self.state, dict):
            for name in removed:
                dict.pop(self.state, name, None)

    def touched_by(self, marks: Set[tuple[int, str]]) -> set[str]:
        mine = {name for owner, name in marks if owner == id(self.state)}
        return {name for name, _ in self._items()} | mine if ALL in mine else mine

    def _items(self) -> list[tuple[str, Any]]:
        # Past the marking: looking at the state to store it is not using it.
        if isinstance(self.state, dict):
            return list(dict.items(self.state))
        return list(object.__getattribute__(self.state, "__dict__").items())

    def _set(self, name: str, value: Any) -> None:
        if isinstance(self.state, dict):
            dict.__setitem__(self.state, name, value)
        else:
            object.__getattribute__(self.state, "__dict__")[name] = value
