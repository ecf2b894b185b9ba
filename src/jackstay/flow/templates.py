"""Values of a declared flow with `${expressions}` in them: a text that is one is its value, all else stands for itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any

from jackstay.core.expression import Expression, Names, parse
from jackstay.core.feedback import shown
from jackstay.core.yaml_document import Document, Place
from jackstay.errors import ExpressionError

Filled = Callable[[Names], Any]
_PLAIN = (str, int, float, bool, list, tuple, Mapping)


def expression_at(text: Any, roots: Collection[str], document: Document, place: Place) -> Expression:
    """Raises `DefinitionError` with file, line and key for what is no expression."""
    if not isinstance(text, str):
        raise document.mistake(place, f"is {text!r:.60}; write an expression, as a text")
    try:
        return parse(text, roots)
    except ExpressionError as error:
        raise document.mistake(place, f"is {text!r:.80}: {error}") from error


def template_at(value: Any, roots: Collection[str], document: Document, place: Place) -> Filled:
    """What fills a value in. Everything in it that can be wrong is said now."""
    if isinstance(value, str):
        return _of_text(value, roots, document, place)
    if isinstance(value, Mapping):
        parts = {key: template_at(each, roots, document, (*place, str(key))) for key, each in value.items()}
        return lambda names: {key: filled(names) for key, filled in parts.items()}
    if isinstance(value, list):
        items = [template_at(each, roots, document, (*place, str(index))) for index, each in enumerate(value)]
        return lambda names: [filled(names) for filled in items]
    return lambda _: value


def _of_text(text: str, roots: Collection[str], document: Document, place: Place) -> Filled:
    inner = text.strip()
    if inner.startswith("${") and inner.endswith("}"):
        return expression_at(inner[2:-1], roots, document, place).evaluate
    if "${" in text:
        # CrewAI's rule, and a trap: the model would be asked about the text `${state.topic}`.
        said = document.mistake(place, "has ${…} inside a longer text, which is taken as it is written")
        warnings.warn(f"{said}; write one expression, such as ${{'about ' + state.topic}}", UserWarning, stacklevel=2)
    return lambda _: text


def presentable(value: Any) -> Any:
    """For an input of a crew, which goes into prompts: of a crew's or an agent's answer its text."""
    return value if value is None or isinstance(value, _PLAIN) else shown(value)
