"""A flow's state that is described by a JSON Schema, as a pydantic model: inputs that do not fit are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, create_model

from jackstay.core.yaml_document import Document, Place

_TYPES: Mapping[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "null": None,
}


def model_of(schema: Mapping[str, Any], document: Document, place: Place) -> type[BaseModel]:
    """A field for each property, None where nothing is said yet. What is inside of nested objects is not checked.

    Raises `DefinitionError` for what is no object's schema.
    """
    properties = schema.get("properties", {})
    if schema.get("type", "object") != "object" or not isinstance(properties, Mapping):
        raise document.mistake(place, "does not describe an object; write type: object and properties:")
    fields: dict[str, Any] = {}
    for name, each in properties.items():
        at = (*place, "properties", str(name))
        if not isinstance(each, Mapping):
            raise document.mistake(at, f"is {each!r:.60}; write what it is, such as type: string")
        default = each.get("default")
        fields[str(name)] = (_type(each, document, at) | None, default)
    extra: Literal["forbid", "allow"] = "forbid" if schema.get("additionalProperties") is False else "allow"
    made: type[BaseModel] = create_model(
        str(schema.get("title", "State")), __config__=ConfigDict(extra=extra), __module__=__name__, **fields
    )
    return made


def _type(schema: Mapping[str, Any], document: Document, place: Place) -> Any:
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return Literal[tuple(schema["enum"])]
    named = schema.get("type")
    kinds = named if isinstance(named, list) else [named]
    made: Any = None
    for kind in kinds:
        one = _one(kind, schema, document, place)
        made = one if made is None else made | one
    return made


def _one(kind: Any, schema: Mapping[str, Any], document: Document, place: Place) -> Any:
    if kind is None:
        return Any
    if kind in _TYPES:
        return _TYPES[kind]
    if kind == "object":
        return dict[str, Any]
    if kind == "array":
        items = schema.get("items")
        return list[_type(items, document, (*place, "items"))] if isinstance(items, Mapping) else list[Any]  # type: ignore[misc]
    raise document.mistake((*place, "type"), f"is {kind!r}; it is one of array, object, {', '.join(_TYPES)}")
