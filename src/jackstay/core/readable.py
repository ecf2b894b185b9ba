"""JSON, code and Markdown as a model of a language reads them: words, and where each of them stood.

`{"who":"Andr\\u00e9 Weil"}` is one word for a tokeniser that knows prose.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

_ESCAPE = re.compile(r"\\{1,8}(?:u([0-9a-fA-F]{4})|[nrtbf\"/])")
"""More than one backslash: JSON that is a string in JSON."""
_MARKS = re.compile(r"[\"{}\[\]()=*`|#\\]")
_HALF = re.compile(r"[\ud800-\udfff]")
"""Halves of characters: they cannot be written as UTF-8, so models cannot read them."""


@dataclass(frozen=True, slots=True)
class Readable:
    text: str
    escapes: tuple[int, ...]
    """Where, in the text, a character stands for an escape."""
    shifts: tuple[int, ...]
    """How many characters more were given up to there, and with it."""

    def given(self, at: int) -> int:
        """Where a place in the text (a part's start, or its end) was in what was given."""
        before = bisect_left(self.escapes, at)
        return at + (self.shifts[before - 1] if before else 0)


def readable(given: str) -> Readable:
    parts: list[str] = []
    escapes: list[int] = []
    shifts: list[int] = []
    at = shift = 0
    for match in _ESCAPE.finditer(given):
        parts += [given[at : match.start()], chr(int(match[1], 16)) if match[1] else " "]
        escapes.append(match.start() - shift)
        shift += len(match[0]) - 1
        shifts.append(shift)
        at = match.end()
    text = "".join([*parts, given[at:]])
    return Readable(_HALF.sub("\ufffd", _MARKS.sub(" ", text)), tuple(escapes), tuple(shifts))
