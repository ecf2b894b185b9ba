"""What this process masks: the secrets that it knows, and the forms and the recogniser that `[masking]` of jackstay.toml names."""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections import ChainMap
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from jackstay.core.canonical import ordered_json
from jackstay.core.entities import FORMS, Form
from jackstay.core.masking import Masking, Secrets, names_secret
from jackstay.core.recognition import RECOGNISED, WITHHELD, Recognition
from jackstay.core.specs import ModelConfig, chain_of
from jackstay.engine.concealing import R, revealed
from jackstay.engine.project_file import ProjectFile
from jackstay.engine.recognisers import recogniser_of
from jackstay.errors import ConfigurationError
from jackstay.observe.log_lines import MASKED

SECTION = "masking"
_KEYS = ("entities", "model", "patterns", "recogniser", "secrets")


class Masked:
    """Of one runtime. `learn` and `refresh` may be called from any thread: what they make replaces what was there."""

    def __init__(self, environ: Mapping[str, str], section: ProjectFile) -> None:
        self._environ, self._section = environ, section
        given = section.section(SECTION)
        for key in given:
            if key not in _KEYS:
                raise section.mistake(f"{SECTION}.{key}", f"is unknown; the keys are {', '.join(_KEYS)}")
        self._named = frozenset(_words(section, "secrets", given.get("secrets", [])))
        entities = _words(section, "entities", given["entities"]) if "entities" in given else None
        named, self._recogniser = recogniser_of(section, given, entities)
        self._forms = (*(FORMS[name] for name in named if name in FORMS), *_patterns(section, given))
        self._recognition = self._recognising(named)
        self._has_failed = False
        self._learned: dict[str, str] = {}
        self._seen: dict[Any, Any] | None = None
        self.now = Masking(Secrets(), self._forms, self._recognition)
        self.refresh()

    @property
    def secrets(self) -> Secrets:
        return self.now.secrets

    def refresh(self) -> None:
        """The environment as it is now: a program may have put a key into it since."""
        raw = _copied(self._environ, raw=True)
        if raw != self._seen:  # at every kickoff: hardly ever has anything changed
            self._seen = raw
            self._found = tuple(_in_environment(_copied(self._environ), self._named))
            self._know()

    # --- the recogniser ------------------------------------------------------------------------------------------------

    @property
    def is_loaded(self) -> bool:
        return self._recogniser is None or self._recogniser.is_loaded

    def load(self) -> None:
        """Loads the recogniser, if there is one: seconds. Raises `ConfigurationError` if it cannot be used."""
        if self._recogniser is not None:
            self._recogniser.load()

    def forget_in_child(self) -> None:
        if self._recogniser is not None:
            self._recogniser.forget_in_child()

    def _recognising(self, named: Iterable[str]) -> Recognition | None:
        if self._recogniser is None:
            return None
        left_out = {*FORMS, *RECOGNISED} - set(named)
        return Recognition(self._recogniser, left_out=left_out, failed=self._withheld)

    def _withheld(self, error: Exception) -> None:
        """One warning, without the error's message: that may have the text in it."""
        if self._has_failed:
            return
        self._has_failed = True
        frames = traceback.extract_tb(error.__traceback__)
        where = f" in {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
        raised = f"masking.recogniser has raised {type(error).__name__}{where}"
        what = str(error) if isinstance(error, ConfigurationError) else raised  # our own words: it cannot be loaded
        text = f"{what}; {WITHHELD} stands for what it was to look at, and runs go on"
        logging.getLogger("jackstay").warning("%s", text, extra={MASKED: True})

    # --- secrets -------------------------------------------------------------------------------------------------------

    def revealed(self, row: R) -> R:
        """A row as it was before it was stored."""
        return revealed(row, self.secrets)

    def revealed_data(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """JSON data of a row, likewise."""
        stored = ordered_json(dict(data))
        text = self.secrets.restored(stored)
        found: Mapping[str, Any] = data if text is stored else json.loads(text)
        return found

    def learn(self, values: Iterable[tuple[str, str]]) -> None:
        """Secrets that definitions have, each with a name."""
        known = set(self._learned.values())
        new = [(name, value) for name, value in values if value not in known]
        if new:
            for name, value in new:
                self._learned[self._free(name, value)] = value
            self._know()

    def learn_models(self, models: Iterable[tuple[ModelConfig, str]]) -> None:
        """Those of models and who asks them."""
        for config, _ in models:
            self.learn(secrets_of_model(config))

    def _know(self) -> None:
        secrets = Secrets([*self._learned.items(), *self._found])
        self.now = Masking(secrets, self._forms, self._recognition)

    def _free(self, name: str, value: str) -> str:
        """The same name may stand for two secrets: of two models, both given as api_key=."""
        while self._learned.get(name, value) != value:
            name += "'"
        return name


def secrets_of_model(config: ModelConfig) -> Iterable[tuple[str, str]]:
    """The key and the headers of a model and its fallbacks."""
    for each in chain_of(config):
        if each.api_key:
            yield "api_key", str(each.api_key)
        yield from secrets_in(each.headers, "header ")


def secrets_in(named: Mapping[str, Any] | None, prefix: str) -> Iterable[tuple[str, str]]:
    """Of headers or variables: all of them, for a name says little of what a server takes for a key. Of `Bearer KEY` the
    key alone."""
    for name, value in (named or {}).items():
        words = str(value).split()
        if len(words) == 2 and words[0].lower() in ("bearer", "basic", "token"):
            yield f"{prefix}{name}", words[1]
        elif names_secret(name) or name.lower() in ("authorization", "cookie", "proxy-authorization"):
            yield f"{prefix}{name}", str(value)


def _copied(environ: Mapping[str, str], *, raw: bool = False) -> dict[Any, Any]:
    """Map by map: a chain of them looks each name up in every one. `raw`: of `os.environ` what it decodes anew for every
    look, good enough to see whether anything has changed."""
    copied: dict[Any, Any] = {}
    for each in reversed(environ.maps if isinstance(environ, ChainMap) else [environ]):
        copied.update(getattr(each, "_data", each) if raw else each)
    return copied


def _in_environment(environ: Mapping[str, str], named: frozenset[str]) -> Iterable[tuple[str, str]]:
    for name in sorted(environ):
        value = environ[name]
        if name in named or names_secret(name):
            yield name, value
        elif name.endswith("_HEADERS"):  # of OpenTelemetry's exporters: name=value, percent-encoded
            pairs = (each.partition("=") for each in value.split(","))
            yield from secrets_in({key.strip(): unquote(said).strip() for key, _, said in pairs}, f"{name} ")
        elif "://" in value and "@" in value:
            yield from _password(name, value)


def _password(name: str, address: str) -> Iterable[tuple[str, str]]:
    try:
        password = urlsplit(address).password
    except ValueError:
        return
    if password:
        yield name, password


def _words(file: ProjectFile, key: str, given: Any) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise file.mistake(f"{SECTION}.{key}", "is no list of names")
    return given


def _patterns(file: ProjectFile, given: Mapping[str, Any]) -> tuple[Form, ...]:
    patterns = given.get("patterns", {})
    if not isinstance(patterns, Mapping):
        raise file.mistake(f"{SECTION}.patterns", "is no table of names and regular expressions")
    return tuple(_pattern(file, name, pattern) for name, pattern in patterns.items())


def _pattern(file: ProjectFile, name: str, pattern: Any) -> Form:
    key = f"{SECTION}.patterns.{name}"
    if not isinstance(pattern, str):
        raise file.mistake(key, "is no text; give a regular expression in single quotes")
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise file.mistake(key, f"is no regular expression: {error}") from error
    if compiled.match(""):
        raise file.mistake(key, "matches nothing at all, so everywhere; make it match what is to be masked")
    return Form(name, compiled)
