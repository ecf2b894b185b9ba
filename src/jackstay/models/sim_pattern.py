"""A text that a regular expression matches, for `pattern` in a JSON Schema."""

from __future__ import annotations

import importlib
import re
from typing import Any

from jackstay.models.sim_draw import Draw

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_CLASSES = {"digit": "0123456789", "word": _LETTERS, "space": " "}


def matching(pattern: str, draw: Draw, at_least: int, fallback: str) -> str:
    """A text in which `pattern` is found; `fallback` if the pattern cannot be read or followed (look-arounds)."""
    try:
        if re.search(pattern, fallback) and len(fallback) >= at_least:
            return fallback
        # The parser behind `re` under its name since Python 3.11. Not public: a failure to import or follow
        # it costs a readable fallback, nothing else.
        parse = importlib.import_module("re._parser").parse
        text = "".join(_Follower(draw, at_least).follow(parse(pattern)))
        return text if re.search(pattern, text) else fallback
    except (ImportError, AttributeError, KeyError, ValueError, re.error):
        return fallback


class _Follower:
    def __init__(self, draw: Draw, at_least: int) -> None:
        self._draw, self._at_least = draw, at_least
        self._groups: dict[int, str] = {}

    def follow(self, parts: Any) -> list[str]:
        return [self._part(str(code), value) for code, value in parts]

    def _part(self, code: str, value: Any) -> str:
        match code:
            case "LITERAL":
                return chr(value)
            case "ANY" | "NOT_LITERAL":
                return "a" if value != ord("a") else "b"
            case "IN":
                return self._of_set(value)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                low, high, parts = value
                # One more than the least, if allowed: `\\d*` should show a digit.
                count = min(int(high), max(int(low), 1, self._at_least if int(high) > 1000 else 0))
                return "".join("".join(self.follow(parts)) for _ in range(count))
            case "SUBPATTERN":
                number, _, _, parts = value
                text = "".join(self.follow(parts))
                if number is not None:
                    self._groups[number] = text
                return text
            case "BRANCH":
                return "".join(self.follow(self._draw.choice(value[1])))
            case "GROUPREF":
                return self._groups[value]
            case "ATOMIC_GROUP":
                return "".join(self.follow(value))
            case "AT":
                return ""
            case _:
                raise KeyError(code)

    def _of_set(self, items: Any) -> str:
        if str(items[0][0]) == "NEGATE":
            return self._outside(items[1:])
        code, value = items[self._draw.below(len(items))]
        match str(code):
            case "LITERAL":
                return chr(value)
            case "RANGE":
                return chr(self._draw.between(int(value[0]), int(value[1])))
            case "CATEGORY":
                return self._draw.choice(_CLASSES[str(value).lower().removeprefix("category_")])
            case other:
                raise KeyError(other)

    def _outside(self, items: Any) -> str:
        def excluded(letter: str) -> bool:
            for code, value in items:
                if str(code) == "LITERAL" and ord(letter) == value:
                    return True
                if str(code) == "RANGE" and value[0] <= ord(letter) <= value[1]:
                    return True
                if str(code) == "CATEGORY" and letter in _CLASSES.get(str(value).lower()[9:], ""):
                    return True
            return False

        return next(letter for letter in f"{_LETTERS}ABC0123456789-_ " if not excluded(letter))
