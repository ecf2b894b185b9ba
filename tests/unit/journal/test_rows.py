"""Values and rows say the same."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackstay.core.records import Blob, MessagesBlob, Reservation, RunRow, StepRow
from jackstay.journal import schema
from jackstay.journal.blobs import BlobRow, blob_row, is_marker, pack, unpack, unpack_text
from jackstay.journal.rows import STEPS, from_micros, numbered, to_micros

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "table"), [(RunRow, schema.run), (StepRow, schema.step), (Reservation, schema.reservation)]
)
def test_columns_are_the_fields_in_their_order(kind: type, table: object) -> None:
    assert [column.name for column in table.columns] == [field.name for field in fields(kind)]  # type: ignore[attr-defined]


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-23, 23))
def test_times_are_exact_to_the_microsecond(time: datetime, offset_hours: int) -> None:
    try:
        elsewhere = time.astimezone(timezone(timedelta(hours=offset_hours)))
    except OverflowError:  # the first and the last day of the calendar
        elsewhere = time

    read = from_micros(to_micros(elsewhere))

    assert read == time
    assert read.tzinfo is UTC


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        to_micros(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


def test_a_step_survives_the_row_and_gets_its_number() -> None:
    berlin = timezone(timedelta(hours=1))
    step = StepRow("r", "a#1", "llm", "m", "succeeded", "h", NOW.astimezone(berlin), NOW, result='"x"')

    row = STEPS.encode(numbered(step, 5), {})

    assert step.seq == 0
    assert STEPS.decode(row, {}) == replace(step, seq=5)


@given(st.text(st.characters(), max_size=200).map(lambda text: text * 700))
def test_a_payload_is_either_short_and_plain_or_a_blob(text: str) -> None:
    blobs: dict[str, BlobRow] = {}

    column = pack(text, blobs)

    if is_marker(column):
        ((_, _, encoding, data),) = blobs.values()
        assert unpack_text(encoding, data) == text
    else:
        assert column == text
        assert len(text.encode()) <= 65536
        assert not blobs


def test_a_blob_of_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(ValueError, match="'zstd', which this version does not know"):
        unpack("zstd", b"")


def test_named_blobs_keep_their_name_and_their_parent() -> None:
    assert blob_row(Blob("a", b"x")) == ("a", None, "plain", b"x")
    assert blob_row(MessagesBlob("b", "a", "[]")) == ("b", "a", "plain", b"[]")
