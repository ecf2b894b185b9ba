"""What the values of expressions do: fields, arithmetic, comparison, functions. Which text asks for what: `core.expression`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from typing import Any

ABSENT = object()
"""What `has` is told of a field that is not there."""


class NoValue(Exception):
    """An expression has no value, for the reason in the message."""


def as_bool(value: Any) -> bool:
    """CEL's rule: nothing but a truth value is one."""
    if isinstance(value, bool):
        return value
    raise NoValue(f"{value!r:.80} is not true or false; compare it with something")


def member(value: Any, name: str, source: str, *, or_absent: bool = False) -> Any:
    """A field: of a map its key, of any other object what stands there for everybody to read."""
    if isinstance(value, Mapping):
        if name in value:
            return value[name]
        known = [str(key) for key in value]
    elif value is None or isinstance(value, str | int | float | list | tuple):
        if or_absent:
            return ABSENT
        raise NoValue(f"{source} is {_kind(value)} and has no {name}")
    else:
        found = ABSENT if name.startswith("_") else getattr(value, name, ABSENT)
        # Methods would be code.
        if found is not ABSENT and not callable(found):
            return found
        known = [*getattr(type(value), "model_fields", ()), *(k for k in getattr(value, "__dict__", ()) if k[0] != "_")]
    if or_absent:
        return ABSENT
    close = get_close_matches(name, known, n=1)
    said = f"did you mean {close[0]}?" if close else f"it has {', '.join(sorted(set(known))) or 'nothing'}"
    raise NoValue(f"{source} has no {name}; {said} (has({source}.{name}) asks whether it is there)")


def at_index(value: Any, index: Any, source: str) -> Any:
    if isinstance(value, list | tuple):
        if isinstance(index, bool) or not isinstance(index, int):
            raise NoValue(f"{source} is a list: its places are numbers, not {index!r:.80}")
        if not 0 <= index < len(value):
            raise NoValue(f"{source} has no {index}: it has {len(value)} elements, and counts from 0")
        return value[index]
    if isinstance(value, Mapping) and not isinstance(index, str):
        if index in value:
            return value[index]
        raise NoValue(f"{source} has no {index!r:.80}")
    return member(value, str(index), source)


def elements(value: Any, asked: str) -> list[Any]:
    """What a macro goes through: a list's elements, a map's keys."""
    if isinstance(value, list | tuple | Mapping):
        return list(value)
    raise NoValue(f"{asked} is asked of a list or a map, not of {value!r:.80}")


def equal(left: Any, right: Any) -> bool:
    """As JSON has it: true is not 1, and 1 is 1.0."""
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def compared(sign: str, left: Any, right: Any) -> bool:
    match sign:
        case "==":
            return equal(left, right)
        case "!=":
            return not equal(left, right)
        case "in":
            return _contains(right, left)
    ordered = (_is_number(left) and _is_number(right)) or any(
        isinstance(left, kind) and isinstance(right, kind) for kind in (str, bool, date)
    )
    try:
        if not ordered:
            raise TypeError
        result: bool = {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign]
        return result
    except TypeError:  # a date beside a time, too
        raise NoValue(f"{sign} does not fit {left!r:.80} and {right!r:.80}") from None


def arithmetic(sign: str, left: Any, right: Any) -> Any:
    """`+` also joins texts and lists. Whole numbers divide towards zero."""
    if _is_number(left) and _is_number(right):
        return _of_numbers(sign, left, right)
    if sign == "+":
        if isinstance(left, str) and isinstance(right, str):
            return left + right
        if isinstance(left, list | tuple) and isinstance(right, list | tuple):
            return [*left, *right]
    hint = "; string(…) makes a text of a number" if sign == "+" and str in (type(left), type(right)) else ""
    raise NoValue(f"{sign} does not fit {left!r:.80} and {right!r:.80}{hint}")


def negative(value: Any) -> Any:
    if _is_number(value):
        return -value
    raise NoValue(f"- does not fit {value!r:.80}")


def _of_numbers(sign: str, left: Any, right: Any) -> Any:
    try:
        match sign:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return left * right
            case "%":
                rest = math.fmod(left, right) if float in (type(left), type(right)) else abs(left) % abs(right)
                return rest if isinstance(rest, float) or left >= 0 else -rest
        if float in (type(left), type(right)):
            return left / right
        whole = abs(left) // abs(right)
        return whole if (left < 0) == (right < 0) else -whole
    except (ZeroDivisionError, ValueError):  # `math.fmod` says the latter
        raise NoValue("it is divided by zero") from None
    except OverflowError:
        raise NoValue(f"{left!r:.80} {sign} {right!r:.80} is too large") from None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _contains(whole: Any, part: Any) -> bool:
    if isinstance(whole, str) and isinstance(part, str):  # not CEL's, which has `contains`; everybody tries it
        return part in whole
    if isinstance(whole, list | tuple):
        return any(equal(part, each) for each in whole)
    if isinstance(whole, Mapping):
        return part in whole
    raise NoValue(f"in looks into a list, a map or a text, not into {whole!r:.80}")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "a list")


# --- functions ------------------------------------------------------------------------------------------------------


def _size(value: Any) -> int:
    if isinstance(value, str | list | tuple | Mapping):
        return len(value)
    raise NoValue(f"size({value!r:.80}): it is no text, list or map")


def _string(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _int(value: Any) -> int:
    try:
        return int(value)  # of a fraction towards zero, as in CEL
    except (TypeError, ValueError, OverflowError):
        raise NoValue(f"int({value!r:.80}): it is no number") from None


def _double(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise NoValue(f"double({value!r:.80}): it is no number") from None


def _matches(text: str, pattern: Any) -> bool:
    try:
        return re.search(str(pattern), text) is not None
    except re.error as error:
        raise NoValue(f"matches: {pattern!r:.80} is no regular expression ({error})") from None


def _join(parts: Any, separator: Any) -> str:
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise NoValue(f"join is asked of a list of texts, not of {parts!r:.80}")
    return str(separator).join(parts)


def _of_text(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(text: Any, *given: Any) -> Any:
        if not isinstance(text, str):
            raise NoValue(f"{name} is asked of a text, not of {text!r:.80}")
        if name != "matches" and not all(isinstance(each, str) for each in given):
            raise NoValue(f"{name} takes texts, not {_listed(given)}")
        return function(text, *given)

    return call


def _listed(given: Sequence[Any]) -> str:
    return " and ".join(f"{each!r:.80}" for each in given)


_TEXT_METHODS: dict[str, tuple[int, Callable[..., Any]]] = {
    "contains": (1, lambda text, part: part in text),
    "startsWith": (1, str.startswith),
    "endsWith": (1, str.endswith),
    "matches": (1, _matches),
    "lowerAscii": (0, str.lower),
    "upperAscii": (0, str.upper),
    "trim": (0, str.strip),
    "split": (1, lambda text, by: text.split(by) if by else list(text)),
    "replace": (2, str.replace),
}

FUNCTIONS: Mapping[str, tuple[int, Callable[..., Any]]] = {
    "size": (1, _size),
    "string": (1, _string),
    "int": (1, _int),
    "double": (1, _double),
    "matches": (2, _of_text("matches", _matches)),
}
"""By name: how many arguments, and what it does."""

METHODS: Mapping[str, tuple[int, Callable[..., Any]]] = {
    "size": (0, _size),
    "join": (1, _join),
    **{name: (wanted, _of_text(name, function)) for name, (wanted, function) in _TEXT_METHODS.items()},
}
"""By name: how many arguments behind the value that stands before the dot, and what it does."""
