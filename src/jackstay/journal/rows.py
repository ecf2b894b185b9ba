"""Between values of `core/records.py` and rows of `schema.py`: times to microseconds, long payloads to blobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Generic, TypeVar

from jackstay.core.records import Intent, Reservation, RunRow, StepRow, Wait
from jackstay.journal.blobs import BlobRow, is_marker, pack

R = TypeVar("R")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(time: datetime | None) -> int | None:
    """Aware time to whole microseconds since 1970; exact, unlike `timestamp()`."""
    return None if time is None else (time - _EPOCH) // _MICROSECOND


def from_micros(micros: int | None) -> datetime | None:
    """Whole microseconds since 1970 to aware UTC."""
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)


class Codec(Generic[R]):
    """Turns values of one class into rows of its table and back. Columns are the fields, in their order."""

    def __init__(self, kind: Callable[..., R], *, times: Iterable[str], payloads: Iterable[str] = ()) -> None:
        self.names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # a dataclass
        self._make = kind
        self._get: Callable[[R], tuple[Any, ...]] = attrgetter(*self.names)
        self._times = [self.names.index(name) for name in times]
        self._payloads = [self.names.index(name) for name in payloads]

    @property
    def payload_names(self) -> list[str]:
        """Columns that may hold the address of a blob instead of the payload."""
        return [self.names[at] for at in self._payloads]

    def values(self, value: R) -> list[Any]:
        """The fields, in the columns' order."""
        return list(self._get(value))

    def encode(self, values: list[Any], blobs: dict[str, BlobRow]) -> list[Any]:
        """Make fields a row, in place; what is too long for it is put into `blobs`."""
        for at in self._times:
            if values[at] is not None:
                values[at] = (values[at] - _EPOCH) // _MICROSECOND
        for at in self._payloads:
            if values[at] is not None:
                values[at] = pack(values[at], blobs)
        return values

    def markers(self, rows: Iterable[Sequence[Any]]) -> set[str]:
        """The blobs that have to be read before `decode`."""
        return {row[at] for row in rows for at in self._payloads if is_marker(row[at])}

    def decode(self, row: Sequence[Any], payloads: Mapping[str, str]) -> R:
        """The value; `payloads` has the text of each marker."""
        values = list(row)
        for at in self._times:
            if values[at] is not None:
                values[at] = _EPOCH + timedelta(microseconds=values[at])
        for at in self._payloads:
            if is_marker(values[at]):
                values[at] = payloads[values[at]]
        return self._make(*values)


RUNS: Codec[RunRow] = Codec(
    RunRow,
    times=("created_at", "not_before", "admitted_at", "started_at", "finished_at"),
    payloads=("inputs", "output", "error", "entry", "tags"),
)
STEPS: Codec[StepRow] = Codec(StepRow, times=("started_at", "finished_at"), payloads=("request", "result", "error"))
RESERVATIONS: Codec[Reservation] = Codec(Reservation, times=("created_at", "settled_at"))
WAITS: Codec[Wait] = Codec(
    Wait, times=("created_at", "deadline", "answered_at"), payloads=("prompt", "payload", "answer")
)

INTENTS: Codec[Intent] = Codec(Intent, times=("created_at",))

_SEQ = STEPS.names.index("seq")


def numbered(step: StepRow, seq: int) -> list[Any]:
    """The step's fields, with its number."""
    values = STEPS.values(step)
    values[_SEQ] = seq
    return values
