"""`module:name` in a declared flow: the object of a program that it stands for."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from jackstay.core.yaml_document import Document, Place
from jackstay.engine.entry import loading
from jackstay.errors import JackstayError
from jackstay.project.forms import nearest


@dataclass(frozen=True, slots=True)
class Found:
    """`owner`: what it was found in, the module or a class."""

    value: Any
    owner: Any
    module: str
    name: str


def found(reference: Any, document: Document, place: Place) -> Found:
    """Imports the module. Raises `DefinitionError` with file, line and key."""
    if not isinstance(reference, str):
        raise document.mistake(place, f"is {reference!r:.60}; write module:name")
    where, colon, name = reference.partition(":")
    if not colon or not name or not all(part.isidentifier() for part in where.split(".")):
        raise document.mistake(place, f"is {reference!r}; write module:name, such as package.module:function")
    if "<locals>" in name:
        raise document.mistake(
            place, f"is {reference!r}, which is made inside a function; move it to the top of its module"
        )
    value: Any = _module(where, document, place)
    owner = value
    for part in name.split("."):
        owner = value
        try:
            value = getattr(owner, part)
        except AttributeError:
            raise document.mistake(place, f"is {reference!r}, and {_missing(owner, part)}") from None
    return Found(value, owner, where, name)


def _missing(owner: Any, name: str) -> str:
    known = [each for each in vars(owner) if not each.startswith("_")] if hasattr(owner, "__dict__") else []
    what = owner.__name__ if isinstance(owner, ModuleType | type) else repr(owner)[:60]
    if what == "__main__":
        return f"the program that is running has no {name}; move what it names into a module of its own"
    return f"{what} has no {name}; {nearest(name, known)}"


def _module(name: str, document: Document, place: Place) -> ModuleType:
    try:
        with loading(document.name):
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise document.mistake(place, f"needs the module {error.name}, which {name} imports: {error}") from error
        what = f"names the module {name}, which is not there; Python looks for it beside the program and in sys.path"
        raise document.mistake(place, what) from error
    except JackstayError:
        raise
    except Exception as error:  # users' modules may raise anything
        raise document.mistake(
            place, f"names the module {name}, which cannot be imported: {type(error).__name__}: {error}"
        ) from error
