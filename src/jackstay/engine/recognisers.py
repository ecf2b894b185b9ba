"""Which recogniser `[masking]` of jackstay.toml names: Presidio, or a function of the user's. Loaded once, when it is needed."""

from __future__ import annotations

import importlib
import inspect
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jackstay.core.entities import FORMS, USUAL
from jackstay.core.recognition import RECOGNISED, USUALLY_RECOGNISED, Finding, Recogniser
from jackstay.engine.entry import loading
from jackstay.engine.presidio import EXTRA, is_installed, model_of, presidio
from jackstay.engine.project_file import ProjectFile
from jackstay.errors import ConfigurationError, JackstayError, MissingExtraError

PRESIDIO = "presidio"
_SET = f"set masking.recogniser to 'presidio' ({EXTRA}), or to 'module:function' for one of yours"


class LoadedOnce:
    """A recogniser that is made at the first text, or before by `load`, and asked by one thread at a time: neither spaCy nor
    users' functions promise more."""

    def __init__(self, make: Callable[[], Recogniser]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._made: Recogniser | None = None

    @property
    def is_loaded(self) -> bool:
        return self._made is not None

    def load(self) -> None:
        """Raises `ConfigurationError` if it cannot be used."""
        with self._lock:
            self._now()

    def __call__(self, text: str) -> Sequence[Finding]:
        with self._lock:
            return list(self._now()(text))  # here, where only this thread is: it may be a generator

    def _now(self) -> Recogniser:
        if self._made is None:
            self._made = self._make()
        return self._made

    def forget_in_child(self) -> None:
        """After a fork: a thread that held the lock is the parent's."""
        self._lock = threading.Lock()


def recogniser_of(
    file: ProjectFile, given: Mapping[str, Any], named: Sequence[str] | None
) -> tuple[Sequence[str], LoadedOnce | None]:
    """The entities that are masked, and what finds those without a form. `named`: those that the section names. Loads
    nothing; raises `ConfigurationError` for what cannot be right."""
    for name in named or ():
        if name not in FORMS and name not in RECOGNISED:
            known = f"{', '.join(FORMS)}, and with a recogniser {', '.join(RECOGNISED)}"
            raise file.mistake("masking.entities", f"has {name!r}, which nothing can find; known are {known}")
    wanted = [name for name in RECOGNISED if name in (USUALLY_RECOGNISED if named is None else named)]
    recogniser = given.get("recogniser")
    if recogniser != PRESIDIO and "model" in given:
        raise file.mistake("masking.model", "is only for masking.recogniser = 'presidio'; leave one of them out")
    if recogniser is None:
        if named is not None and wanted:
            raise file.mistake("masking.entities", f"has {wanted[0]!r}, which no expression can find; {_SET}")
        return named or USUAL, None
    if recogniser == PRESIDIO:
        wanted, made = _presidio(file, given, wanted, are_named=named is not None)
    else:
        made = _of_users(file, recogniser)
    return [*(USUAL if named is None else (name for name in named if name in FORMS)), *wanted], made


def _presidio(
    file: ProjectFile, given: Mapping[str, Any], wanted: Sequence[str], *, are_named: bool
) -> tuple[list[str], LoadedOnce]:
    if not is_installed():
        raise MissingExtraError(f"{file.mistake('masking.recogniser', f'is {PRESIDIO!r}, which needs {EXTRA}')}")
    if not wanted:
        what = f"is set, and masking.entities names nothing for it; name {', '.join(RECOGNISED)} there, or leave it out"
        raise file.mistake("masking.recogniser", what)

    def mistake(what: str) -> ConfigurationError:
        return file.mistake("masking.model", what)

    name = given.get("model")
    if not isinstance(name, str) or not name.strip():
        raise mistake(
            "is missing: which spaCy model looks, such as 'en_core_web_sm' for English; https://spacy.io/models"
        )
    model = model_of(name, _folder(file), mistake)
    found = [entity for entity in wanted if model.finds(entity)]
    lacking = [entity for entity in wanted if entity not in found]
    if lacking and (are_named or not found):
        what = f"is {name!r}, whose labels ({', '.join(sorted(model.labels))}) have none for {', '.join(lacking)}"
        raise mistake(f"{what}; leave that out of masking.entities, or name another model")

    def made() -> Recogniser:
        try:
            return presidio(model, found, mistake)
        except JackstayError:
            raise
        except Exception as error:
            what = f"is {PRESIDIO!r}, which cannot be loaded: {type(error).__name__}: {error}; {EXTRA} again"
            raise file.mistake("masking.recogniser", what) from error

    return found, LoadedOnce(made)


def _of_users(file: ProjectFile, reference: Any) -> LoadedOnce:
    def mistake(what: str) -> ConfigurationError:
        return file.mistake("masking.recogniser", f"is {reference!r:.100}{what}")

    module, colon, name = reference.partition(":") if isinstance(reference, str) else ("", "", "")
    if not colon or not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise mistake("; write 'presidio', or module:function for one of yours, such as 'package.module:function'")
    return LoadedOnce(lambda: _function(module, name, _folder(file), mistake))


def _function(module: str, name: str, folder: Path, mistake: Callable[[str], ConfigurationError]) -> Recogniser:
    package = module.partition(".")[0]
    # Commands that only read a run have no program to look beside. (What is loaded may have no spec, as `__main__`.)
    if package not in sys.modules and find_spec(package) is None:
        sys.path.append(str(folder))
    try:
        with loading(f"the recogniser {module}:{name}"):
            found = getattr(importlib.import_module(module), name)
    except JackstayError:
        raise
    except Exception as error:  # users' modules may raise anything
        raise mistake(f", and cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(found) or inspect.isclass(found) or inspect.iscoroutinefunction(found):
        raise mistake(", which is no plain function; write def, text -> [(start, end, entity), …]")
    recogniser: Recogniser = found
    return recogniser


def _folder(file: ProjectFile) -> Path:
    return file.path.parent if file.path is not None else Path.cwd()
