"""A flow's state as its rows tell it: the state at the beginning, and what each method has changed. Pure.

A row of a method says (`state`) which top-level fields have which value now, (`removed`) which are gone, and (`edits`) how
large ones have changed: `[version, patch]`. A patch fits only the very value that it was made from. That is what the version
says, a hash that goes with the value from change to change: where rows in between are missing, as in a replay, it differs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from jackstay.core.canonical import canonical_json, digest, ordered_json
from jackstay.core.records import StepRow
from jackstay.core.structure import SAME, patch, patched

LARGE = 1024
"""Characters of a field's text from which on its changes are told instead of its value."""
_LONGEST_BYTES = 256
"""An id that is longer is told by its hash: databases limit what an index may hold."""
_UNKNOWN: Any = object()
TELLS: frozenset[str] = frozenset({"method", "returned"})
"""Kinds of rows that say what has changed."""


def address(state_id: str) -> str:
    """What says of which state a flow's first row is (`StepRow.request`)."""
    short = len(state_id.encode("utf-8", "surrogatepass")) <= _LONGEST_BYTES and state_id.isprintable()
    return canonical_json(state_id if short else digest(state_id))


class _Field:
    """A value, as text, as data, or both."""

    __slots__ = ("_data", "_text", "_version")

    def __init__(self, *, text: str | None = None, data: Any = _UNKNOWN, version: str | None = None) -> None:
        self._text, self._data, self._version = text, data, version

    @property
    def text(self) -> str:
        if self._text is None:
            self._text = ordered_json(self._data)
        return self._text

    @property
    def data(self) -> Any:
        if self._data is _UNKNOWN:
            self._data = json.loads(self._text or "null")
        return self._data

    @property
    def version(self) -> str:
        if self._version is None:
            self._version = digest(self.data)[:16]
        return self._version

    def edited(self, change: Any, *, text: str | None = None, data: Any = _UNKNOWN) -> _Field:
        """The field behind a change of it."""
        made = patched(self.data, change) if data is _UNKNOWN else data
        return _Field(text=text, data=made, version=digest([self.version, change])[:16])


class StateRecord:
    """The state as far as rows tell it, and what to tell next."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = {name: _Field(data=data) for name, data in fields.items()}

    @classmethod
    def of_texts(cls, texts: Mapping[str, str]) -> StateRecord:
        """`texts`: each field as canonical JSON."""
        made = cls({})
        made._fields = {name: _Field(text=text) for name, text in texts.items()}
        return made

    @property
    def data(self) -> dict[str, Any]:
        """Every field as JSON data (`core.values`)."""
        return {name: field.data for name, field in self._fields.items()}

    def change(self, names: Iterable[str], after: Mapping[str, str], *, alone: bool = True) -> dict[str, str]:
        """These fields are now as `after` has their texts, or gone: what the row says, as JSON texts. Not `alone`: other
        methods were at work, and a replay may leave theirs out; then values are told whole."""
        whole, edits, gone = {}, {}, []
        for name in names:
            if name not in after:
                gone.append(name)
                self._fields.pop(name, None)
                continue
            told = self._edit(name, after[name]) if alone else None
            if told is None:
                whole[name] = after[name]
                self._fields[name] = _Field(text=after[name])
            else:
                edits[name] = told
        parts = {"removed": canonical_json(gone), "state": joined(whole)}
        return parts | {"edits": joined(edits)} if edits else parts

    def untold(self, names: Iterable[str], after: Mapping[str, str]) -> dict[str, str]:
        """As `change`, for a row that nothing goes on from: whole values, and what is told next does not stand on them."""
        return StateRecord({}).change(names, after)

    def take(self, body: Mapping[str, Any]) -> list[str]:
        """Takes in what a row says; the names of the fields that it changes. Raises `ValueError`, with nothing changed, for an
        edit of another value than the one that is known."""
        edited = {}
        for name, (version, change) in body.get("edits", {}).items():
            field = self._fields.get(name)
            if field is None or field.version != version:
                raise ValueError(f"{name} is not what it was when this change of it was recorded")
            edited[name] = field.edited(change)
        whole = {name: _Field(data=data) for name, data in body.get("state", {}).items()}
        self._fields |= whole | edited
        gone = body.get("removed", ())
        for name in gone:
            self._fields.pop(name, None)
        return [*whole, *edited, *gone]

    def _edit(self, name: str, text: str) -> str | None:
        """The change as JSON text; None: the value itself is as good."""
        field = self._fields.get(name)
        if field is None or len(text) < LARGE:
            return None
        data = json.loads(text)
        change = patch(field.data, data)
        if change is SAME:
            return None
        told = ordered_json([field.version, change])
        if len(told) > len(text) // 2:
            return None
        self._fields[name] = field.edited(change, text=text, data=data)
        return told


def joined(texts: Mapping[str, str]) -> str:
    """A JSON object of values that are JSON text already, so that large ones are not encoded twice."""
    return "{" + ",".join([f"{_quoted(name)}:{text}" for name, text in texts.items()]) + "}"


@lru_cache(maxsize=4096)  # the same few in every row
def _quoted(name: str) -> str:
    return canonical_json(name)


def scope_of(row: StepRow) -> str | None:
    """The scope of the flow of whose state the row tells; None: of none. What a method with feedback did to it stands in
    the row of what it returned, below the method's."""
    above = row.path.rpartition("/")[0]
    if row.kind == "returned":
        return above.rpartition("/")[0]
    return above if row.kind == "method" or (row.kind == "input" and row.name == "state") else None


def fold(rows: Iterable[StepRow]) -> dict[str, Any]:
    """The state behind these rows of one flow, in the order of their completion, as JSON data. Rows that do not fit what is
    before them are left out."""
    record = StateRecord({})
    for row in rows:
        body = json.loads(row.result or "{}")
        if row.kind == "input" and row.name == "state":
            record = StateRecord(body)
        elif row.kind in TELLS and row.status in ("succeeded", "opaque"):
            try:
                record.take(body)
            except ValueError:
                continue
    return record.data
