"""Python values as JSON and back, equal (engine rule 33). Never pickle.

What JSON lacks is written as `{"$": tag, "v": …}`. Models, dataclasses and enums are written by module and name and
rebuilt only if their class is among those that the caller vouches for.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import datetime as dt
import enum
import json
import math
import pathlib
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from jackstay.core.canonical import canonical_json, ordered_json

_TAG = "$"


class NotStorable(ValueError):
    """A value that cannot be written as JSON; `where` says which part of it."""

    def __init__(self, value: object, where: str) -> None:
        self.where = where
        self.type_name = type(value).__qualname__
        super().__init__(
            f"{where or 'the value'} is a {type(value).__module__}.{self.type_name}, which cannot be stored"
        )


class NotKnown(NotStorable):
    """A value of a class that a later process could not build again; `where` says which part it is."""

    def __init__(self, name: str, where: str) -> None:
        self.where, self.type_name = where, name.rpartition(":")[2]
        ValueError.__init__(
            self,
            f"{where or 'the value'} has a {name} in it, which neither the module nor the state's annotations name, so that "
            "it cannot be read again",
        )


class UnknownClass(LookupError):
    """The stored value names a class that the caller does not vouch for."""


def class_name(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


@dataclasses.dataclass(frozen=True)
class Codec:
    """Encodes any storable value; decodes with the classes it was given (by `module:qualname`)."""

    classes: Mapping[str, type] = dataclasses.field(default_factory=dict)

    def dumps(self, value: Any) -> str:
        """JSON text of the value. Raises `NotStorable`."""
        return ordered_json(encode(value, ""))

    def kept(self, value: Any, where: str) -> str:
        """The same of what has to be read again. Raises `NotKnown`, too, for a class that is not vouched for."""
        data = encode(value, where)
        text = ordered_json(data)
        if '"class":' in text:
            check_classes(data, self.classes, where)
        return text

    def loads(self, text: str) -> Any:
        """The value back. Raises `UnknownClass` for a class that is not vouched for."""
        return self.decode(json.loads(text))

    def decode(self, data: Any) -> Any:
        if isinstance(data, list):
            return [self.decode(item) for item in data]
        if not isinstance(data, dict):
            return data
        if _TAG not in data:
            return {key: self.decode(item) for key, item in data.items()}
        return self._decode_tagged(data[_TAG], data.get("v"), data)

    def _decode_tagged(self, tag: str, value: Any, data: Mapping[str, Any]) -> Any:
        if tag in _SIMPLE:
            return _SIMPLE[tag](value)
        if tag == "defaultdict":
            return collections.defaultdict(_FACTORIES[data["factory"]], self.decode(value))
        if tag in _COLLECTIONS:
            return _COLLECTIONS[tag](self.decode(value))
        match tag:
            case "dict":
                return {self.decode(key): self.decode(item) for key, item in value}
            case "namedtuple" if data["class"] in self.classes:
                return self.classes[data["class"]](*self.decode(value))
        name = data.get("class", f"value with the tag {tag!r}")
        cls = self.classes.get(name)
        if cls is None:
            raise UnknownClass(f"the stored value is a {name}, which this program does not define any more")
        match tag:
            case "enum":
                return cls(self.decode(value))
            case "model":
                # Rebuilt by validation, so that what comes back is what the class promises.
                return _build_model(cls, self.decode(value))
            case "dataclass":
                return _build_dataclass(cls, self.decode(value))
        raise UnknownClass(f"the stored value has the tag {tag!r}, which this version does not know")


def check_classes(data: Any, classes: Mapping[str, type], where: str) -> None:
    """Raises `NotKnown` if encoded data has a class in it that is not among these: it could not be decoded."""
    if isinstance(data, list):
        for item in data:
            check_classes(item, classes, where)
    elif isinstance(data, dict):
        if _TAG in data and "class" in data and data["class"] not in classes:
            raise NotKnown(data["class"], where)
        for item in data.values():
            check_classes(item, classes, where)


def encode(value: Any, where: str) -> Any:
    """The value as plain JSON data with tags. Raises `NotStorable` naming the part that cannot be stored."""
    kind = type(value)
    if value is None or kind is str or kind is bool or kind is int:
        return value
    if kind is float:
        return value if math.isfinite(value) else {_TAG: "float", "v": repr(value)}
    if kind is list:
        return [encode(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, dict):
        return _encode_dict(value, where)
    if isinstance(value, enum.Enum):  # before the scalars: its members may be dates, paths, bytes
        return {_TAG: "enum", "class": class_name(kind), "v": encode(value.value, where)}
    for base, tag, text in _SCALARS:
        if isinstance(value, base):
            return {_TAG: tag, "v": text(value)}
    return _encode_object(value, where)


def _encode_dict(value: Mapping[Any, Any], where: str) -> Any:
    if isinstance(value, collections.Counter):
        return {_TAG: "counter", "v": encode(dict(value), where)}
    if isinstance(value, collections.defaultdict):
        # As a plain dict it would come back without what its user relies on.
        factory = next((name for name, kind in _FACTORIES.items() if kind is value.default_factory), None)
        if factory is None:
            raise NotStorable(value, where)
        return {_TAG: "defaultdict", "factory": factory, "v": encode(dict(value), where)}
    if all(type(key) is str for key in value) and _TAG not in value:
        return {key: encode(item, f"{where}.{key}" if where else key) for key, item in value.items()}
    pairs = [[encode(key, f"{where} (a key)"), encode(item, f"{where}[{key!r}]")] for key, item in value.items()]
    return {_TAG: "dict", "v": pairs}


def _encode_object(value: Any, where: str) -> Any:
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        items = [encode(item, _dot(where, name)) for name, item in zip(value._fields, value, strict=True)]
        return {_TAG: "namedtuple", "class": class_name(type(value)), "v": items}
    for base in (tuple, frozenset, set):
        if isinstance(value, base):
            items = [encode(item, f"{where}[{index}]") for index, item in enumerate(value)]
            return {_TAG: base.__name__, "v": items if base is tuple else sorted(items, key=canonical_json)}
    if isinstance(value, list):
        return [encode(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return encode(float(value), where)
    if isinstance(value, type):
        raise NotStorable(value, where)
    # A class may stand in for another one (a subclass made at run time names the class it was made from).
    cls = getattr(value, "__stored_as__", None) or type(value)
    if hasattr(cls, "model_fields"):
        data = {name: encode(getattr(value, name), _dot(where, name)) for name in cls.model_fields}
        data.update(
            {
                name: encode(item, _dot(where, name))
                for name, item in (getattr(value, "model_extra", None) or {}).items()
            }
        )
        return {_TAG: "model", "class": class_name(cls), "v": data}
    if dataclasses.is_dataclass(value):
        data = {f.name: encode(getattr(value, f.name), _dot(where, f.name)) for f in dataclasses.fields(value)}
        return {_TAG: "dataclass", "class": class_name(cls), "v": data}
    raise NotStorable(value, where)


def _dot(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _build_model(cls: Any, values: dict[str, Any]) -> Any:
    if getattr(cls, "__pydantic_root_model__", False):
        return cls.model_validate(values["root"])
    # The stored names are the fields' own, whatever alias the class reads them by.
    return cls.model_validate(values, by_alias=True, by_name=True)


def _build_dataclass(cls: Any, values: dict[str, Any]) -> Any:
    takes = {f.name for f in dataclasses.fields(cls) if f.init}
    made = cls(**{name: value for name, value in values.items() if name in takes})
    for name, value in values.items():
        if name not in takes:
            object.__setattr__(made, name, value)
    return made


# Order matters: a datetime is also a date.
_SCALARS: tuple[tuple[type, str, Callable[[Any], Any]], ...] = (
    (dt.datetime, "datetime", lambda v: v.isoformat()),
    (dt.date, "date", lambda v: v.isoformat()),
    (dt.time, "time", lambda v: v.isoformat()),
    (dt.timedelta, "timedelta", lambda v: [v.days, v.seconds, v.microseconds]),
    (Decimal, "decimal", str),
    (uuid.UUID, "uuid", str),
    (bytes, "bytes", lambda v: base64.b64encode(v).decode("ascii")),
    (pathlib.PurePath, "path", str),
)
_FACTORIES: dict[str, Any] = {
    "none": None, "list": list, "dict": dict, "set": set, "int": int, "float": float, "str": str, "bool": bool,
}  # fmt: skip
_COLLECTIONS: dict[str, Callable[[Any], Any]] = {
    "tuple": tuple, "set": set, "frozenset": frozenset, "counter": collections.Counter,
}  # fmt: skip
_SIMPLE: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "timedelta": lambda v: dt.timedelta(*v),
    "decimal": Decimal,
    "uuid": uuid.UUID,
    "bytes": base64.b64decode,
    "path": pathlib.Path,
}
