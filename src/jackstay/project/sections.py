"""agents.yaml and tasks.yaml as a class's methods read them: sections whose names have become the objects they stand for.

Everything that can be said of the files is said when the object is made; its methods are called when a section is read.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from jackstay.core.yaml_document import Document, Place, parse, parse_json
from jackstay.crew.configured import Section
from jackstay.errors import DefinitionError
from jackstay.project.forms import Form, Reference, nearest
from jackstay.project.members import Kind, function_of, names

_PLAIN = (str, int, float, bool, list, dict, tuple)
"""What YAML has. Anything else is an object that a mapping in Python was given."""


class UnknownSection(DefinitionError, KeyError):
    """No section of the file is called so."""

    def __str__(self) -> str:
        return str(self.args[0])


class Sections(Mapping[str, dict[str, Any]]):
    """The sections of one file by name, for one object of the class."""

    def __init__(self, document: Document, form: Form, owner: Any) -> None:
        self._document, self._form, self._owner = document, form, owner
        self._read: dict[str, dict[str, Any]] = {}
        self._names = _checked_names(document)
        for name in self._names:
            self._check(name)

    def __getitem__(self, name: str) -> dict[str, Any]:
        """The arguments of an agent or a task: the same dict each time."""
        if name not in self._names:
            raise UnknownSection(f"{self._document.name}: there is no section {name!r}; {nearest(name, self._names)}")
        if name not in self._read:
            given = {key: self._resolved(key, value) for key, value in _said(self._document.content[name])}
            self._read[name] = Section(
                _callbacks_together(given), lambda place, what: self._document.mistake((name, *place), what)
            )
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __repr__(self) -> str:
        return f"<sections of {self._document.name}: {', '.join(self._names) or 'none'}>"

    # --- before anything is made ----------------------------------------------------------------------------------------

    def _check(self, name: str) -> None:
        section = self._document.content[name]
        if not isinstance(section, Mapping):
            raise self._document.mistake((name,), f"is no section; write keys below it, as 'role: …' ({section!r:.40})")
        for key, value in section.items():
            place = (name, str(key))
            if key not in self._form.keys:
                what = f"is nothing that {_a(self._form.word)} has; {nearest(str(key), self._form.keys)}"
                raise self._document.mistake(place, what)
            if value is None:
                continue
            reference = self._form.references.get(key)
            if reference is not None:
                self._check_names(place, reference, value)
            elif (problem := self._form.problem(key, value)) is not None:
                raise self._document.mistake(place, f"is {value!r:.60}: {problem}")

    def _check_names(self, place: Place, reference: Reference, value: Any) -> None:
        several = isinstance(value, list | tuple)
        if several and not reference.several:
            raise self._document.mistake(place, f"is a list; write one {_named(reference)}")
        for index, each in enumerate(value if several else [value]):
            where = (*place, str(index)) if several else place
            if isinstance(each, str):
                self._check_name(where, reference, each)
            elif isinstance(each, _PLAIN) and not (isinstance(each, dict) and Kind.llm in reference.kinds):
                raise self._document.mistake(where, f"is {each!r:.60}; write the name of {_named(reference)}")

    def _check_name(self, place: Place, reference: Reference, name: str) -> None:
        known = self._known(reference)
        if name in known or (reference.or_text and (reference.kinds or not name.isidentifier())):
            return
        what = f"is {name!r}, and {type(self._owner).__name__} has no {_named(reference)} of that name"
        raise self._document.mistake(place, f"{what}; {nearest(name, known)}")

    def _known(self, reference: Reference) -> list[str]:
        cls = type(self._owner)
        if reference.kinds:
            return names(cls, *reference.kinds)
        return [name for name in dir(cls) if not name.startswith("__") and callable(inspect.getattr_static(cls, name))]

    # --- the objects ----------------------------------------------------------------------------------------------------

    def _resolved(self, key: str, value: Any) -> Any:
        reference = self._form.references.get(key)
        if reference is None:
            return value.strip() if isinstance(value, str) else copy.deepcopy(value)
        if not isinstance(value, list | tuple):
            found = self._object(reference, value)
            return found if not reference.several or reference.or_text or isinstance(found, list) else [found]
        found = []
        for each in value:
            made = self._object(reference, each)
            found += made if isinstance(made, list | tuple) else [made]
        return found

    def _object(self, reference: Reference, value: Any) -> Any:
        if not isinstance(value, str):
            return copy.deepcopy(value) if isinstance(value, dict) else value
        if value not in self._known(reference):
            return value.strip()
        if not reference.kinds:
            return function_of(self._owner, value)
        member = getattr(self._owner, value)
        return member if isinstance(member, type) else member()


def _checked_names(document: Document) -> list[str]:
    content = document.content
    if content is None:
        return []
    if not isinstance(content, Mapping):
        raise document.mistake((), "it has no sections; write a name, and below it, indented, its keys")
    strange = next((name for name in content if not isinstance(name, str)), None)
    if strange is not None:
        raise document.mistake((), f"the section {strange!r} has no name; write a word")
    # As in other YAML files: a place for anchors, and for notes.
    return [name for name in content if not name.startswith(("_", ".", "x-"))]


def _said(section: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Without the keys that nothing stands behind."""
    return [(key, value) for key, value in section.items() if value is not None]


def _callbacks_together(section: dict[str, Any]) -> dict[str, Any]:
    """A task has one callback: `callbacks:` are called in it, in order, after `callback:`."""
    if "callbacks" not in section:
        return section
    first = [section["callback"]] if "callback" in section else []
    several = [*first, *section.pop("callbacks")]
    return section | {"callback": several[0] if len(several) == 1 else _one_after_another(several)}


def _one_after_another(functions: Sequence[Callable[..., Any]]) -> Callable[..., Any]:
    if not any(inspect.iscoroutinefunction(function) for function in functions):

        def call_each(output: Any) -> None:
            for function in functions:
                function(output)

        return call_each

    async def await_each(output: Any) -> None:
        for function in functions:
            said = function(output)
            if inspect.isawaitable(said):
                await said

    return await_each


def _named(reference: Reference) -> str:
    return " or ".join(f"@{kind}" for kind in reference.kinds) or "method"


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


# --- files ----------------------------------------------------------------------------------------------------------


def read_document(path: Path, shown: str) -> Document:
    """A YAML or JSON file. Raises `DefinitionError` for one that is not there or cannot be read, with file and line."""
    try:
        state = path.stat()
        return _read(path, shown, state.st_mtime_ns, state.st_size)
    except FileNotFoundError as error:
        raise DefinitionError(f"{shown}: there is no such file ({path}); write it, or correct its name") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{shown}: it cannot be read ({error}); it has to be a text file in UTF-8") from error


@lru_cache(maxsize=64)
def _read(path: Path, shown: str, _changed_ns: int, _size: int) -> Document:
    """Once per file, as long as it stays as it is: a service makes its objects for each request."""
    return (parse_json if path.suffix == ".json" else parse)(path.read_text(encoding="utf-8-sig"), shown)
