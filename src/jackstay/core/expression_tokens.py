"""The texts that expressions are made of: names, numbers, quoted texts, signs, and where each stands."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jackstay.errors import ExpressionError

_TOKENS = re.compile(
    r"""\s+ | //[^\n]*
    | (?P<text> [rR]?(?: \"{3}(?s:(?:\\.|[^\\])*?)\"{3} | '{3}(?s:(?:\\.|[^\\])*?)'{3} | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' ))
    | (?P<number> 0[xX][0-9a-fA-F]+ | \d+\.\d+(?:[eE][+-]?\d+)? | \.\d+(?:[eE][+-]?\d+)? | \d+[eE][+-]?\d+ | \d+ )
    | (?P<name> [A-Za-z_]\w* )
    | (?P<sign> && | \|\| | [<>=!]= | [-+*/%<>!?:.,()\[\]{}] )""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "a": "\a"} | {c: c for c in "\\'\"`?"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
MEANT = {"=": "compare with ==", "and": "write &&", "or": "write ||", "&": "write &&", "|": "write ||"}
"""What is written by people who think of Python."""


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    at: int


def tokens(text: str) -> list[Token]:
    found, at = list[Token](), 0
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None:
            if text[at] in "\"'":
                raise wrong(at, "the text that begins here does not end")
            meant = MEANT.get(text[at])
            raise wrong(at, f"{text[at]!r} means nothing here" + (f"; {meant}" if meant else ""))
        if match.lastgroup is not None:
            found.append(Token(match.lastgroup, match[0], at))
        at = match.end()
    return [*found, Token("end", "", len(text))]


def number_of(text: str) -> int | float:
    if text[:2] in ("0x", "0X"):
        return int(text, 16)
    return int(text) if text.isdigit() else float(text)


def text_of(token: str, at: int) -> str:
    raw, quoted = token[0] in "rR", token.lstrip("rR")
    ends = 3 if quoted[:3] in ('"""', "'''") and len(quoted) >= 6 else 1
    inner = quoted[ends:-ends]
    if raw:
        return inner

    def character(found: re.Match[str]) -> str:
        code = found[1] or found[2] or found[3]
        if code:
            return chr(int(code, 16)) if int(code, 16) <= 0x10FFFF else "�"
        if found[4] not in _ESCAPES:
            raise wrong(at, f"\\{found[4]} means nothing in a text; write \\\\ for the sign itself")
        return _ESCAPES[found[4]]

    return _ESCAPE.sub(character, inner)


def wrong(at: int, what: str) -> ExpressionError:
    return ExpressionError(f"column {at + 1}: {what}")
