"""A tool's arguments: their JSON Schema, from a pydantic model, from a signature or as it was given, and their check."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, PydanticUserError, ValidationError, create_model

from jackstay.errors import DefinitionError
from jackstay.tools.json_schema import checked
from jackstay.tools.naming import tool_name

ArgsSchema = type[BaseModel] | dict[str, Any]


@dataclass(frozen=True, slots=True)
class Arguments:
    parameters: dict[str, Any]
    """The JSON Schema that models are told."""
    validate: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    """Checks and converts; raises `ValueError` with a text that the model can act on."""


def arguments_of(function: Callable[..., Any], given: ArgsSchema | None, name: str) -> Arguments:
    """Of the schema that was given, else of the function's signature. Raises `DefinitionError`."""
    if isinstance(given, dict):
        # Somebody else's schema: what stands in it is told as it is.
        return Arguments(given, lambda arguments: checked(given, arguments))
    try:
        schema = given or schema_of(function, name)
        parameters = schema.model_json_schema()
    except (NameError, PydanticUserError) as error:
        problem = str(error).partition("\n")[0]
        raise DefinitionError(
            f"the tool {name!r}: no JSON Schema can be made of its arguments ({problem}); annotate them with plain "
            "types or pydantic models, or give args_schema"
        ) from error
    parameters.pop("title", None)
    return Arguments(parameters, lambda arguments: _validated(schema, arguments))


def schema_of(function: Callable[..., Any], name: str) -> type[BaseModel]:
    """Of the function's signature and annotations. Raises `DefinitionError`, and what its annotations raise."""
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        if parameter.name == "self" or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
        default = ... if parameter.default is parameter.empty else parameter.default
        if parameter.name.startswith("_"):
            if default is ...:
                raise DefinitionError(
                    f"the tool {name!r}: no model can give its argument {parameter.name!r}; rename it"
                )
            continue
        fields[parameter.name] = (annotation, default)
    return create_model(f"{tool_name(name)}_arguments", **fields)


def _validated(schema: type[BaseModel], given: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        checked = schema.model_validate(dict(given))
    except ValidationError as error:
        raise ValueError(problems_of(error, "arguments")) from error
    return {name: getattr(checked, name) for name in type(checked).model_fields}


def problems_of(error: ValidationError, whole: str) -> str:
    """What pydantic found wrong, in one line. `whole`: what a problem of no single field is of."""
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or whole}: {e['msg']}" for e in error.errors())
