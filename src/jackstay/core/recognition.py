"""What no expression can find (names of people and places), found by a recogniser and masked. What recognises is behind
`Recogniser`; here is which part of a text it is given, and what is made of its findings.
"""

from __future__ import annotations

import re
from bisect import bisect, bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any, Protocol

RECOGNISED = ("PERSON", "LOCATION", "NRP", "ORGANIZATION")
"""Entities without a form. Names as in CrewAI's list; ORGANIZATION is Presidio's."""

USUALLY_RECOGNISED = RECOGNISED[:3]
WITHHELD = "<WITHHELD>"
"""Told in place of a text that could not be looked at."""

LONGEST, SHARED = 5000, 200
"""Characters that a recogniser is given at once; how many of them, at most, it has seen in the piece before: what the end of
one piece divides stands whole in the next."""
SHORT, SHORT_KNOWN = 100, 500
"""Characters of a text that is remembered with what it looks like masked; how many are."""

_LETTER = re.compile(r"[^\W\d_]")
_SPACE = re.compile(r"\s")
_IN_A_LINE = re.compile(r"\S[^\n]*")
_STAND_IN = re.compile(r"<[A-Za-z_][A-Za-z0-9_]*>|\[secret [^\]\n]{1,200}\]")
"""What stands in place of something that was masked before."""

Finding = tuple[int, int, str]
"""Where it starts, where it ends, what it is."""


class Recogniser(Protocol):
    def __call__(self, text: str, /) -> Iterable[Finding]:
        """May raise anything, and take as long as it likes: it is never called where runs are driven."""
        ...


class Recognition:
    """Masks what a recogniser finds. `left_out`: entities that nobody has asked for; `failed`: told of every text that is
    withheld."""

    def __init__(
        self, recogniser: Recogniser, *, left_out: Iterable[str] = (), failed: Callable[[Exception], None]
    ) -> None:
        self._recogniser, self._left_out, self._failed = recogniser, frozenset(left_out), failed
        self._known: dict[str, str] = {}

    def text(self, text: str) -> str:
        if not _LETTER.search(text):
            return text
        known = self._known.get(text)
        if known is not None:
            return known
        if is_recognising():  # it tells what it does: to look at that would have no end
            return WITHHELD
        token = _recognising.set(True)
        try:
            masked = with_masked(text, self._findings(text))
        except Exception as error:  # noqa: BLE001 - users' functions and models may raise anything
            masked = WITHHELD
            failure: Exception | None = error
        else:
            failure = None
        finally:
            _recognising.reset(token)
        if failure is not None:
            self._failed(failure)
        elif len(text) <= SHORT:
            if len(self._known) >= SHORT_KNOWN:
                self._known.clear()
            self._known[text] = masked
        return masked

    def _findings(self, text: str) -> Iterator[Finding]:
        for at, piece in pieces(text):
            for each in self._recogniser(piece):
                start, end, entity = _checked(each, len(piece))
                if entity not in self._left_out:
                    yield at + start, at + end, entity


def _checked(finding: Any, length: int) -> Finding:
    """A user's function may have said anything."""
    start, end, entity = finding
    if not (isinstance(entity, str) and entity and 0 <= start < end <= length):
        raise ValueError("a finding that cannot be in the text")
    return int(start), int(end), entity


_recognising: ContextVar[bool] = ContextVar("jackstay_recognising", default=False)


def is_recognising() -> bool:
    """Whether the calling code is a recogniser at work: what it logs may have the text in it."""
    return _recognising.get()


def pieces(text: str) -> Iterator[tuple[int, str]]:
    """The text in pieces, each with its place, cut where there is a space. Time in proportion to the text."""
    start = 0
    while len(text) - start > LONGEST:
        end = _after_space(text, start + LONGEST)
        yield start, text[start:end]
        start = _after_space(text, end - SHARED // 2)
    yield start, text[start:]


def _after_space(text: str, most: int) -> int:
    """The place after the last space that is not far before `most`; `most`, if there is none."""
    spaces = list(_SPACE.finditer(text, most - SHARED // 2, most))
    return spaces[-1].end() if spaces else most


def with_masked(text: str, findings: Iterable[Finding]) -> str:
    """Findings that overlap are one, called as the first. What was masked before, and lines, stay as they are."""
    merged: list[Finding] = []
    for start, end, entity in sorted(_apart(text, findings), key=lambda each: (each[0], -each[1])):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), merged[-1][2])
        else:
            merged.append((start, end, entity))
    parts, at = [], 0
    for start, end, entity in merged:
        parts += [text[at:start], _IN_A_LINE.sub(f"<{entity}>", text[start:end])]
        at = end
    return "".join([*parts, text[at:]])


def _apart(text: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Without what was found in a stand-in; one that is found in part is in it wholly."""
    stand_ins = [match.span() for match in _STAND_IN.finditer(text)]
    for start, end, entity in findings:
        touched = stand_ins[bisect(stand_ins, start, key=_last) : bisect_left(stand_ins, end, key=_first)]
        if not touched:
            yield start, end, entity
        elif len(touched) > 1 or not (touched[0][0] <= start and end <= touched[0][1]):
            yield min(start, touched[0][0]), max(end, touched[-1][1]), entity


def _first(span: tuple[int, int]) -> int:
    return span[0]


def _last(span: tuple[int, int]) -> int:
    return span[1]
