"""A recorded exception: data that says what was raised, and the exception again when it has to be raised again.

The class is rebuilt from builtins, ours or the classes that the definition vouches for, else from the nearest known
ancestor, so that the user's `except ValueError` still matches after a resume (engine rule 22).
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jackstay import errors
from jackstay.core.canonical import canonical_json
from jackstay.core.values import class_name


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception as data. `bases` are its classes, nearest first, as `module:qualname`."""

    type: str
    bases: tuple[str, ...]
    message: str
    args: tuple[Any, ...] = ()
    notes: tuple[str, ...] = ()
    traceback: str = ""
    code: str = "error"
    details: Mapping[str, Any] | None = None

    def to_json(self) -> str:
        return canonical_json({name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def from_json(cls, text: str) -> Failure:
        data = json.loads(text)
        for name in ("bases", "args", "notes"):
            data[name] = tuple(data.get(name) or ())
        return cls(**{name: data[name] for name in cls.__slots__ if name in data})


def failure_of(error: BaseException, *, traceback: str = "") -> Failure:
    """The exception as data. Arguments that JSON does not have are kept as their text."""
    return Failure(
        type=class_name(type(error)),
        bases=tuple(class_name(cls) for cls in type(error).__mro__ if cls is not object),
        message=text_of(error),
        args=tuple(_plain(arg) for arg in _args_of(error)),
        notes=tuple(str(note) for note in getattr(error, "__notes__", ())),
        traceback=traceback,
        code=getattr(error, "code", "error") if isinstance(getattr(error, "code", None), str) else "error",
        details=_details_of(error),
    )


def text_of(error: BaseException) -> str:
    """What it says; what is wrong with it, if it cannot say it."""
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - a user's `__str__`
        return f"{type(error).__name__}, whose text cannot be made: {broken!r:.200}"


def rebuild(failure: Failure, classes: Mapping[str, type] | None = None) -> Exception:
    """The exception again, of the nearest class that is known, with its message, notes and arguments."""
    for name in failure.bases:
        cls = _known(name, classes or {})
        error = _instance(cls, failure) if cls is not None else None
        if error is not None:
            for note in failure.notes:
                error.add_note(note)
            return error
    return RuntimeError(failure.message)


def _known(name: str, classes: Mapping[str, type]) -> type[Exception] | None:
    module, _, qualname = name.partition(":")
    cls: Any = classes.get(name)
    if cls is None and module == "builtins":
        cls = getattr(builtins, qualname, None)
    if cls is None and module == errors.__name__:
        cls = getattr(errors, qualname, None)
    return cls if isinstance(cls, type) and issubclass(cls, Exception) else None


def _instance(cls: type[Exception], failure: Failure) -> Exception | None:
    """None: the class cannot be made to say what was said; its nearest ancestor is next."""
    if issubclass(cls, errors.ModelError):
        return cls(failure.message, **dict(failure.details or {}))
    makers: tuple[Callable[[], Exception], ...] = (
        # With its arguments, so that `errno` and its like are there again.
        lambda: cls(*failure.args),
        # Without `__init__`: the class may want arguments that were never its `args`.
        lambda: _bare(cls, failure.args),
        lambda: _bare(cls, (failure.message,)),
    )
    for make in makers:
        try:
            error = make()
            if str(error) == failure.message:
                return error
        except Exception:  # noqa: BLE001, S112 - a user's `__init__` or `__str__`
            continue
    return None


def _bare(cls: type[Exception], args: tuple[Any, ...]) -> Exception:
    error = cls.__new__(cls)
    error.args = args
    return error


def _details_of(error: BaseException) -> Mapping[str, Any] | None:
    """Of errors of ours that have fields beside the message."""
    details = getattr(error, "details", None) if isinstance(error, errors.JackstayError) else None
    return dict(details()) if callable(details) else None


def _args_of(error: BaseException) -> tuple[Any, ...]:
    if isinstance(error, OSError) and error.filename is not None and len(error.args) == 2:
        return (*error.args, error.filename)  # which its `args` leave out
    return error.args


def _plain(value: Any) -> Any:
    try:
        canonical_json(value)
    except (TypeError, ValueError, RecursionError):
        return str(value)
    return value
