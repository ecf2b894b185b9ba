"""Run ids are UUIDs of version 7."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from jackstay.core.ids import SHORT, uuid7

TIMES = st.integers(0, 2**48 - 1)
RANDOM = st.binary(min_size=10, max_size=10)


def test_the_example_of_rfc_9562() -> None:
    random = (0xCC3 << 68 | 0x18C4DC0C0C07398F).to_bytes(10, "big")

    assert uuid7(0x017F22E279B0, random) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(TIMES, RANDOM)
def test_version_and_variant_are_set(unix_ms: int, random: bytes) -> None:
    made = uuid.UUID(uuid7(unix_ms, random))

    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == unix_ms


@given(TIMES, TIMES, RANDOM, RANDOM)
def test_ids_sort_by_time(first_ms: int, second_ms: int, first: bytes, second: bytes) -> None:
    if first_ms < second_ms:
        assert uuid7(first_ms, first) < uuid7(second_ms, second)


@given(TIMES, RANDOM)
def test_the_short_form_is_the_time(unix_ms: int, random: bytes) -> None:
    short = uuid7(unix_ms, random)[:SHORT]

    assert int(short.replace("-", ""), 16) == unix_ms


@given(TIMES, RANDOM, RANDOM)
def test_random_bits_make_different_ids(unix_ms: int, first: bytes, second: bytes) -> None:
    def kept(random: bytes) -> int:
        return int.from_bytes(random, "big") & ~(0b111111 << 62)  # six of the eighty bits have no place in a UUID

    assert (uuid7(unix_ms, first) == uuid7(unix_ms, second)) == (kept(first) == kept(second))
