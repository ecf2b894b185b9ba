"""`{variable}` in roles, goals, descriptions: CrewAI's rules, with one error type everywhere.

Only `{name}` with a plain identifier (letters, digits, `_`, `-`) is a placeholder; JSON braces and `{ spaced }` stay.
Source: CrewAI's `interpolate_only` (behaviour, not code).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from jackstay.errors import InputsError, MissingVariableError

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_\-]*)}")


def placeholders(template: str) -> list[str]:
    """The variables that a template names, in order of first appearance."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(template)))


def interpolate(template: str, inputs: Mapping[str, Any], *, field: str, owner: str) -> str:
    """The template with every `{variable}` replaced by `str(value)`. Without inputs it is returned as it is.

    Raises `MissingVariableError` (a `ValueError`) naming the variable, the field and its owner.
    """
    if not inputs or "{" not in template:
        return template

    def value(found: re.Match[str]) -> str:
        if found[1] not in inputs:
            raise MissingVariableError(found[1], field, owner, tuple(inputs))
        return str(inputs[found[1]])

    return _PLACEHOLDER.sub(value, template)


def may_become(template: str, text: str) -> bool:
    """The text may be what the template was once its variables were filled in."""
    parts = (re.escape(part) for part in _PLACEHOLDER.split(template)[::2])
    return re.fullmatch(".*".join(parts), text, re.DOTALL) is not None


def check_inputs(inputs: object) -> dict[str, Any]:
    """Inputs as a dict of plain values. `TypeError` for what is no mapping, `InputsError` for values that a template
    cannot take: only str, int, float, bool, None, and lists and dicts of these."""
    given = mapped(inputs)
    for name, value in given.items():
        if not isinstance(name, str):
            raise InputsError(f"inputs: the name {name!r} is not a string")
        try:
            _check_value(value, name)
        except RecursionError as error:
            raise InputsError(f"inputs[{name!r}] contains itself, or is nested too deeply to be stored") from error
    return dict(given)


def mapped(inputs: object) -> Mapping[Any, Any]:
    """Inputs, whatever is in them. `TypeError` for what is no mapping."""
    if inputs is None:
        return {}
    if not isinstance(inputs, Mapping):
        raise TypeError(f"inputs must be a mapping of names to values, not {type(inputs).__name__}")
    return inputs


def _check_value(value: object, where: str) -> None:
    match value:
        case None | str() | bool() | int():
            return
        case float():
            if not math.isfinite(value):
                raise InputsError(f"inputs[{where!r}] is {value}, which JSON cannot hold; pass a finite number or None")
        case Mapping():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise InputsError(f"inputs[{where!r}]: the name {key!r} is not a string")
                _check_value(item, f"{where}.{key}")
        case list() | tuple():
            for index, item in enumerate(value):
                _check_value(item, f"{where}[{index}]")
        case _:
            raise InputsError(
                f"inputs[{where!r}] is a {type(value).__name__}; a crew's inputs are str, int, float, bool, None, "
                "and lists and dicts of these: pass its text or its fields"
            )
