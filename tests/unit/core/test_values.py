"""The codec: what goes in comes out equal and of the same type; what cannot be stored is named."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import math
import pathlib
import uuid
from collections import Counter, defaultdict, namedtuple
from decimal import Decimal
from typing import Any, NamedTuple, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, RootModel

from jackstay.core.values import Codec, NotStorable, UnknownClass, class_name


class Colour(enum.Enum):
    RED = "red"
    MIX = (1, 2)


class Level(enum.IntEnum):
    LOW = 1


class Word(enum.StrEnum):
    YES = "yes"


class Day(dt.date, enum.Enum):
    NEW_YEAR = (2026, 1, 1)


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    tags: frozenset[str] = frozenset()
    total: Decimal = dataclasses.field(default=Decimal(0), init=False)


@dataclasses.dataclass(slots=True)
class Slotted:
    at: dt.datetime


class Inner(BaseModel):
    model_config = ConfigDict(extra="allow")
    when: dt.datetime
    colour: Colour = Colour.RED


class Outer(BaseModel):
    inner: Inner
    many: list[Inner] = []
    anything: Any = None
    renamed: int = Field(default=0, alias="reNamed")


class Numbers(RootModel[list[int]]):
    pass


class Pair(NamedTuple):
    left: int
    right: str


Old = namedtuple("Old", ["a"])


class MyStr(str):
    __slots__ = ()


class MyInt(int):
    pass


class MyFloat(float):
    pass


CLASSES = (Colour, Level, Word, Day, Point, Slotted, Inner, Outer, Numbers, Pair, Old)
CODEC = Codec({class_name(cls): cls for cls in CLASSES})

ZONES = st.sampled_from([None, dt.UTC, dt.timezone(dt.timedelta(hours=5, minutes=30))])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.datetimes(timezones=ZONES),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.binary(max_size=20),
    st.sampled_from(list(Colour)),
    st.sampled_from([Level.LOW, Word.YES, Day.NEW_YEAR]),
    st.builds(pathlib.Path, st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=12)),
    st.builds(Pair, st.integers(), st.text(max_size=5)),
)
HASHABLE = st.one_of(st.integers(), st.text(), st.uuids(), st.tuples(st.integers(), st.text()), st.dates())
INNERS = st.builds(Inner, when=st.datetimes(timezones=ZONES), colour=st.sampled_from(list(Colour)), more=st.integers())
POINTS = st.builds(Point, st.integers(), st.frozensets(st.text(max_size=3), max_size=3))
VALUES = st.recursive(
    SCALARS | INNERS | POINTS | st.builds(Slotted, st.datetimes(timezones=ZONES)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=4) | st.just("$"), inner, max_size=3),
        st.dictionaries(HASHABLE, inner, max_size=3),
        st.sets(HASHABLE, max_size=3),
        st.frozensets(HASHABLE, max_size=3),
        st.builds(Outer, inner=INNERS, many=st.lists(INNERS, max_size=2), anything=inner, reNamed=st.integers()),
    ),
    max_leaves=10,
)


def there_and_back(value: Any) -> Any:
    return CODEC.loads(CODEC.dumps(value))


@settings(max_examples=200)
@given(VALUES)
def test_a_value_comes_back_equal_and_of_the_same_type(value: Any) -> None:
    back = there_and_back(value)

    assert back == value
    assert type(back) is type(value)
    assert CODEC.dumps(back) == CODEC.dumps(value)


@given(VALUES)
def test_the_text_is_plain_json(value: Any) -> None:
    json.loads(CODEC.dumps(value), parse_constant=pytest.fail)


def test_not_a_number_and_infinity_come_back() -> None:
    assert math.isnan(there_and_back(float("nan")))
    assert there_and_back([float("inf"), -float("inf")]) == [float("inf"), -float("inf")]
    assert Decimal("NaN").is_nan() == there_and_back(Decimal("NaN")).is_nan()


def test_parts_of_nested_models_keep_their_types() -> None:
    when = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    back = there_and_back({"state": Outer(inner=Inner(when=when, more=1), many=[Inner(when=when)], reNamed=7)})["state"]

    assert back.many[0].when == when
    assert back.renamed == 7
    assert back.inner.model_extra == {"more": 1}


def test_root_models_come_back() -> None:
    assert there_and_back(Numbers([1, 2])) == Numbers([1, 2])


def test_namedtuples_keep_their_names() -> None:
    assert there_and_back(Pair(1, "x")).right == "x"
    assert there_and_back([Old({1})])[0].a == {1}


def test_counters_and_default_dicts_keep_what_they_do() -> None:
    back = there_and_back({"count": Counter("aab"), "lists": defaultdict(list, {1: ["x"]})})

    back["lists"]["new"].append("y")
    assert back["lists"] == {1: ["x"], "new": ["y"]}
    assert back["count"].most_common(1) == [("a", 2)]
    with pytest.raises(NotStorable, match="defaultdict"):
        CODEC.dumps(defaultdict(lambda: 7))


def test_enums_made_of_other_types_stay_enums() -> None:
    assert there_and_back(Day.NEW_YEAR) is Day.NEW_YEAR
    assert there_and_back(Word.YES) is Word.YES


def test_subclasses_of_plain_types_come_back_as_the_plain_value() -> None:
    assert there_and_back([MyStr("a"), MyInt(3), MyFloat(2.5), MyFloat("inf")]) == ["a", 3, 2.5, float("inf")]


def test_a_dict_that_looks_like_a_tag_stays_a_dict() -> None:
    value = {"$": "datetime", "v": "2026-01-01"}

    assert there_and_back(value) == value


def test_a_set_has_one_text_whatever_its_order() -> None:
    words = {f"word{n}" for n in range(50)}

    assert json.loads(CODEC.dumps(words))["v"] == sorted(words)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (object(), "the value"),
        ({"a": {"b": [1, object()]}}, "a.b[1]"),
        (Inner(when=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), client=object()), "client"),
        ({"p": Outer.model_construct(inner=cast("Any", None), many=[], anything=open, renamed=0)}, "p.anything"),
        ({"x": (1, lambda: None)}, "x[1]"),
        ({"x": Pair(1, object())}, "x.right"),  # type: ignore[arg-type]
        ({"x": {3: object()}}, "x[3]"),
        ({"x": {Point: 1}}, "x (a key)"),
        ({"x": Exception("boom")}, "x"),
        ({"x": iter([1])}, "x"),
    ],
)
def test_what_cannot_be_stored_is_named(value: Any, where: str) -> None:
    with pytest.raises(NotStorable) as caught:
        CODEC.dumps(value)

    assert str(caught.value).startswith(f"{where} is a ")
    assert "cannot be stored" in str(caught.value)


@pytest.mark.parametrize(
    "value", [Colour.RED, Point(1), Inner(when=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)), Pair(1, "")]
)
def test_a_class_that_nobody_vouches_for_is_not_built(value: Any) -> None:
    text = CODEC.dumps([value])

    with pytest.raises(UnknownClass, match=type(value).__name__):
        Codec().loads(text)


def test_a_stored_model_is_validated_again() -> None:
    text = CODEC.dumps(Outer.model_construct(inner=cast("Any", "no inner"), many=[], renamed=1))

    with pytest.raises(ValueError, match="inner"):
        CODEC.loads(text)


def test_uuids_of_any_version_come_back() -> None:
    value = uuid.uuid5(uuid.NAMESPACE_DNS, "x")

    assert there_and_back({value: value}) == {value: value}
