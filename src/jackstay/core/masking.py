"""What must not be shown: secrets by their value, keys and personal data by their form (`entities.py`), and what only a
recogniser finds (`recognition.py`).

Secrets are masked wherever a run uses or stores text; forms only in what is told of it (logs, exports, pages): a run goes
on with what it has (engine rule 38).
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from jackstay.core.entities import FORMS, USUAL, Form
from jackstay.core.recognition import Recognition

MOST_NAMES, LONGEST_NAME = 2000, 200
SHORTEST = 8
"""Characters of a value that is masked: a shorter one would be found in ordinary words."""

_SECRET_NAME = re.compile(
    r"(^|[_-])(api[_-]?keys?|secrets?|passwords?|passwd|passphrase|credentials?)([_-]|$)"
    r"|(^|[_-])(key|token|authorization|cookie)([_-]?\d+)?$",
    re.IGNORECASE,
)
_NO_SECRETS = frozenset({"JACKSTAY_RUN_KEY"})
_STAND_INS = frozenset({"not-needed", "no-key-required", "sk-no-key-required", "placeholder"})
"""What programs give for a key that a local server does not look at."""


@lru_cache(maxsize=4096)  # the environment's names are asked for at every kickoff
def names_secret(name: str) -> bool:
    """Whether a variable, header or option with this name holds a secret."""
    return name not in _NO_SECRETS and bool(_SECRET_NAME.search(name))


def is_secret(value: str) -> bool:
    return len(value) >= SHORTEST and value not in _STAND_INS


class Secrets:
    """Known secrets, each with a name to show in its place. Immutable; an empty one costs nothing."""

    __slots__ = ("_forms", "_in_json", "_named", "_referred", "_values")

    def __init__(self, values: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        known: dict[str, str] = {}  # by value: of two names the first counts
        for name, value in values.items() if isinstance(values, Mapping) else values:
            if is_secret(value):
                known.setdefault(value, name)
        self._values = known
        forms: dict[str, str] = {}
        self._referred: dict[str, str] = {}
        """What a reference stands for. It says which form that is: a run goes on with the same one."""
        self._in_json: dict[str, str] = {}
        for value, name in known.items():
            for kind, form in _forms_of(value).items():
                reference = f"⟦secret {name}{kind and f':{kind}'}⟧"
                forms.setdefault(form, name)
                self._referred[reference] = form
                self._in_json.setdefault(_escaped(form), reference)
                self._in_json.setdefault(json.dumps(form)[1:-1], reference)
        # Longest first: one secret may be the beginning of another.
        self._forms = tuple(sorted(forms.items(), key=lambda each: -len(each[0])))
        self._named: dict[tuple[str, str], str] = {}

    def __bool__(self) -> bool:
        return bool(self._forms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secrets) and self._values == other._values

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def masked(self, text: str) -> str:
        """The text with a name in place of each secret; the very same text if there is none in it."""
        for form, name in self._forms:
            if form in text:
                text = text.replace(form, f"[secret {name}]")
        return text

    def in_name(self, name: str) -> str:
        """What `masked` makes of a name. Names are few and come at every step, so it is remembered."""
        return self._of_name(name, "[secret {}]")

    def stored_name(self, name: str) -> str:
        """A name with a reference in place of each secret, which `restored_name` follows."""
        return self._of_name(name, "⟦secret {}⟧")

    def _of_name(self, name: str, instead: str) -> str:
        if not self._forms:
            return name
        made = self._named.get((name, instead))
        if made is None:
            if len(self._named) >= MOST_NAMES:
                self._named.clear()
            made = name
            for form, secret in self._forms:
                made = made.replace(form, instead.format(secret))
            if len(name) <= LONGEST_NAME:
                self._named[name, instead] = made
        return made

    def restored_name(self, name: str) -> str:
        return self._restored(name, lambda form: form)

    def stored(self, text: str) -> str:
        """JSON text with a reference in place of each secret, which `restored` follows."""
        found = [form for form in self._in_json if form in text]
        if not found:
            return text
        # An escape is one character: what looks like a secret may begin in its middle (`\u0010`, and then zeros).
        pattern = "|".join([*map(re.escape, sorted(found, key=len, reverse=True)), r"\\u[0-9a-f]{4}", r"\\."])
        return re.sub(pattern, lambda match: self._in_json.get(match[0], match[0]), text)

    def restored(self, text: str) -> str:
        """JSON text of `stored`, with the secrets of now. One that is not known any more stays a reference."""
        return self._restored(text, _escaped)

    def _restored(self, text: str, written: Callable[[str], str]) -> str:
        if "⟦secret " in text:
            for reference, form in self._referred.items():
                text = text.replace(reference, written(form))
        return text


def _escaped(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)[1:-1]


def _forms_of(value: str) -> dict[str, str]:
    """As it is, and as it stands in JSON (also ASCII), in Python's quotes, in addresses and in pages; and in base64, where
    what stands before it decides which of three texts it is."""
    forms = {
        "": value,
        "json": _escaped(value),
        "ascii": json.dumps(value)[1:-1],
        "python": repr(value)[1:-1],
        "url": quote(value, safe=""),
        "html": html.escape(value),
    }
    data = value.encode("utf-8", "surrogatepass")
    for before in range(3):
        # Without the characters in which there are bits of what stands around it.
        text = base64.b64encode(bytes(before) + data)[-(-8 * before // 6) : 8 * (before + len(data)) // 6].decode()
        forms[f"base64.{before}"] = text
        forms[f"base64url.{before}"] = text.translate(_URL_SAFE)
    return {kind: form for kind, form in forms.items() if kind == "" or form != value}


_URL_SAFE = str.maketrans("+/", "-_")


NAME_MOST, NAMES_KNOWN = 100, 500
"""Characters of a text that is remembered with what it looks like masked; how many are."""


@dataclass(frozen=True, slots=True)
class Masking:
    """What people may see of a run: neither known secrets nor what looks like personal data."""

    secrets: Secrets = field(default_factory=Secrets)
    forms: tuple[Form, ...] = tuple(FORMS[name] for name in USUAL)
    recognition: Recognition | None = None
    _known: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Names: a few are told again and again, in every line and every span."""

    def text(self, text: str) -> str:
        """Without secrets and forms: fast enough for the loop on which runs are driven."""
        known = self._known.get(text)
        if known is not None:
            return known
        masked = self.secrets.masked(text)
        for form in self.forms:
            masked = form.masked(masked)
        if len(text) <= NAME_MOST:
            if len(self._known) >= NAMES_KNOWN:
                self._known.clear()
            self._known[text] = masked
        return masked

    def recognised(self, value: Any, words: Container[str] = ()) -> Any:
        """JSON data of `data`, without what the recogniser finds in its strings. Takes milliseconds: never on that loop.
        `words`: keys whose values are words of a protocol, not anybody's."""
        if self.recognition is None:
            return value
        match value:
            case str():
                return self.recognition.text(value)
            case Mapping():
                return {
                    key if key.isidentifier() and key.islower() else self.recognition.text(key): (
                        each if key in words else self.recognised(each, words)
                    )
                    for key, each in value.items()
                }
            case list() | tuple():
                return [self.recognised(each, words) for each in value]
            case _:
                return value

    def whole(self, value: Any, words: Container[str] = ()) -> Any:
        """JSON data without secrets, forms and what the recogniser finds; not on that loop either."""
        return self.recognised(self.data(value), words)

    def data(self, value: Any) -> Any:
        """JSON data with every string masked, keys as well; the value of a key that names a secret is not shown at all."""
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {self.text(str(key)): self._of_key(str(key), each) for key, each in value.items()}
            case list() | tuple():
                return [self.data(each) for each in value]
            case _:
                return value

    def _of_key(self, key: str, value: Any) -> Any:
        return "<SECRET>" if isinstance(value, str) and value and names_secret(key) else self.data(value)
