"""YAML text as plain values, and the lines that they stand on, so that whoever reads them can say where a mistake is.

Only what every YAML library would read: no tag makes an object, and a key that stands there twice is a mistake (the format's
rule; most libraries silently keep the last one).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from jackstay.errors import DefinitionError

_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{4}")
Place = tuple[str, ...]
"""Keys from the top down; the entries of a list are called 0, 1, …"""


@dataclass(frozen=True, slots=True)
class Document:
    """What a text says. `name` is the file's, for messages."""

    name: str
    content: Any
    lines: Mapping[Place, int] = field(default_factory=dict)
    """Of each key, from 1. Empty for content that comes from no text."""

    def mistake(self, place: Place, what: str) -> DefinitionError:
        """The error for what stands at a place: file, line and key first."""
        # What an anchor has brought in stands elsewhere: then the nearest key above it.
        line = next((self.lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in self.lines), None)
        where = self.name if line is None else f"{self.name}, line {line}"
        return DefinitionError(f"{where}: {'.'.join(place)} {what}" if place else f"{where}: {what}")


def parse(text: str, name: str) -> Document:
    """The one document of a text. Raises `DefinitionError` with file and line."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Document(name, None)
        lines = dict(_lines(node, (), name, set()))
        return Document(name, loader.construct_document(node), lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = name if mark is None else f"{name}, line {mark.line + 1}, column {mark.column + 1}"
        raise DefinitionError(f"{where}: {error.problem or error.context}; correct the YAML there") from error
    except (yaml.YAMLError, ValueError) as error:  # `2026-13-45` is a date, and there is no such day
        if isinstance(error, DefinitionError):
            raise
        raise DefinitionError(f"{name}: {' '.join(str(error).split())}; correct the YAML") from error
    finally:
        loader.dispose()


def parse_json(text: str, name: str) -> Document:
    """A JSON text in the same form. Raises `DefinitionError` with file and line."""
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{name}, line {error.lineno}, column {error.colno}"
        raise DefinitionError(f"{where}: {error.msg}; correct the JSON there") from error
    except RecursionError:
        raise DefinitionError(f"{name}: it is nested too deeply") from None
    # JSON is YAML but for its numbers, escapes and tabs: good enough to know where the keys are.
    return Document(name, content, parse(_ESCAPE.sub("_", text.replace("\t", " ")), name).lines)


def _lines(
    node: yaml.Node, place: Place, name: str, seen: set[int], around: tuple[int, ...] = ()
) -> Iterator[tuple[Place, int]]:
    """The line of each key. Raises `DefinitionError` for a key that is there twice, and for what contains itself."""
    if id(node) in around:
        line = node.start_mark.line + 1
        raise Document(name, None, {place: line}).mistake(place, "contains itself by an alias; write out what is meant")
    if id(node) in seen:  # an alias: its own place is where its anchor is
        return
    seen.add(id(node))
    around = (*around, id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*place, str(index)), item.start_mark.line + 1
            yield from _lines(item, (*place, str(index)), name, seen, around)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
            continue
        line = key.start_mark.line + 1
        if key.value in lines:
            what = f"is there twice (line {lines[key.value]} has it, too); keep one of them"
            raise Document(name, None, {(*place, key.value): line}).mistake((*place, key.value), what)
        lines[key.value] = line
        yield (*place, key.value), line
        yield from _lines(value, (*place, key.value), name, seen, around)
