"""What a flow's state may be, and that it comes back as it was."""

from __future__ import annotations

import datetime as dt
import enum
import json
import pathlib
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import BaseModel, ConfigDict, Field, RootModel

from jackstay import LLM, Flow, Runtime, listen, start
from jackstay.core.records import RunFilter
from jackstay.errors import DefinitionError, InputsError
from jackstay.flow import FlowState
from tests.unit.core.test_values import VALUES, Colour, Day, Inner, Level, Old, Outer, Pair, Point, Slotted, Word
from tests.unit.flow import elsewhere

NAMED_HERE = (Day, Level, Old, Outer, Pair, Point, Slotted, Word)
"""Values of classes that a flow's module names may be in its state."""


class Size(enum.Enum):
    SMALL = Decimal("0.5")


@dataclass
class Spot:
    x: int
    seen: dt.date


class Part(BaseModel):
    spot: Spot
    size: Size = Size.SMALL


class Everything(BaseModel):
    at: dt.datetime = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    price: Decimal = Decimal("1.10")
    key: uuid.UUID = uuid.UUID(int=7)
    size: Size = Size.SMALL
    raw: bytes = b"\0\xff"
    tags: set[str] = {"a", "b"}
    spot: Spot = Spot(1, dt.date(2026, 1, 2))
    place: pathlib.Path = pathlib.Path("a/b")
    parts: list[Part] = []
    by_day: dict[dt.date, Part] = {}
    many: list[Any] = Field(default_factory=list)


class Kept(Flow[Everything]):
    """Its first method fills the state, its second one fails the first time."""

    broken = True
    seen: Any = None

    @start()
    def fill(self) -> None:
        self.state.parts.append(Part(spot=Spot(2, dt.date(2026, 1, 3))))
        self.state.by_day[dt.date(2026, 1, 4)] = Part(spot=Spot(3, dt.date(2026, 1, 5)))
        self.state.tags.add("c")
        self.state.many = [Part(spot=Spot(4, dt.date(2026, 1, 6))), {"x": (1, {2})}]
        self.state.price += 1

    @listen(fill)
    def look(self) -> Any:
        if Kept.broken:
            raise OSError("not yet")
        return self.state.model_dump(exclude={"id"}, round_trip=True)


def test_a_state_comes_back_equal_in_another_object() -> None:
    Kept.broken = True
    first = Kept()
    with pytest.raises(OSError, match="not yet"):
        first.kickoff(run_key="k")
    Kept.broken = False

    second = Kept()
    seen = second.kickoff(run_key="k")

    assert seen == first._state.model_dump(exclude={"id"}, round_trip=True)
    assert [type(part) for part in (second.state.many[0], second.state.spot)] == [Part, Spot]


class Any_(Flow):
    broken = True

    @start()
    def fill(self) -> None:
        self.state["value"] = self.state["first"]

    @listen(fill)
    def look(self) -> Any:
        if Any_.broken:
            raise OSError("not yet")
        return None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES)
def test_whatever_value_is_in_a_state_a_resumed_run_has_it(value: Any) -> None:
    key = uuid.uuid4().hex
    Any_.broken = True
    with pytest.raises(OSError, match="not yet"):
        Any_().kickoff(inputs={"first": value}, run_key=key)
    Any_.broken = False

    again = Any_()
    again.kickoff(inputs={"first": value}, run_key=key)

    assert (again.state["value"], again.state["first"]) == (value, value)
    assert type(again.state["value"]) is type(value)


# --- what a state is made from ------------------------------------------------------------------------------------


class WithList(BaseModel):
    items: list[Any] = []
    inner: Inner = Inner(when=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))


class Adding(Flow):
    @start()
    def add(self) -> int:
        items = self.state["items"] if isinstance(self.state, dict) else self.state.items
        items.append(1)
        return len(items)


class Named(FlowState):
    items: list[Any] = Field(default_factory=list)


@pytest.mark.promise("flow.initial_state")
@pytest.mark.parametrize(
    "initial",
    [{"items": []}, WithList(), WithList, Named, Named(id="mine"), WithList(items=[])],
    ids=["dict", "instance", "class", "flow state", "its instance", "another"],
)
def test_flows_share_nothing_with_their_initial_state(initial: Any) -> None:
    class Mine(Adding):
        initial_state = initial

    assert [Mine().kickoff(), Mine().kickoff(), Adding(initial_state=initial).kickoff()] == [1, 1, 1]
    assert Mine().flow_id
    assert Mine(id="given").flow_id == "given"


def test_parts_of_an_initial_instance_are_not_shared() -> None:
    given = WithList(items=[[]])

    class Deep(Flow[WithList]):
        initial_state = given

        @start()
        def add(self) -> None:
            self.state.items[0].append(1)
            self.state.inner.colour = Colour.MIX

    Deep().kickoff()

    assert (given.items, given.inner.colour) == ([[]], Colour.RED)


def test_an_instance_says_more_than_the_type_in_brackets() -> None:
    class Both(Flow[WithList]):
        initial_state = WithList(items=[1, 2])

        @start()
        def begin(self) -> Any:
            return self.state.items

    assert Both().kickoff() == [1, 2]


@pytest.mark.parametrize("initial", [dict, dict[str, Any], None])
def test_a_dict_by_its_type(initial: Any) -> None:
    class Plain(Flow):
        initial_state = initial

        @start()
        def begin(self) -> Any:
            return dict(self.state)

    flow = Plain()

    assert flow.kickoff() == {"id": flow.run_id}


@pytest.mark.parametrize("initial", [7, Spot, "State", [1], RootModel[list[int]], RootModel[list[int]]([1])])
def test_what_is_no_state_is_refused_when_the_flow_is_made(initial: Any) -> None:
    class Wrong(Flow):
        initial_state = initial

        @start()
        def begin(self) -> None: ...

    with pytest.raises(DefinitionError, match="a flow's state is a dict or a pydantic model"):
        Wrong()


def test_a_model_that_cannot_be_made_of_nothing_is_refused_with_its_fields() -> None:
    class Whole(BaseModel):
        topic: str
        pages: int = 1

    class Book(Flow[Whole]):
        @start()
        def begin(self) -> Any:
            return self.state.topic

    with pytest.raises(DefinitionError, match=r"made of nothing \(topic: Field required\): give these fields defaults"):
        Book()
    assert Book(initial_state=Whole(topic="tides")).kickoff() == "tides"


class Open(BaseModel):
    model_config = ConfigDict(extra="allow", validate_by_name=False)
    renamed: int = Field(default=0, alias="reNamed")


def test_fields_beyond_the_models_and_aliases_are_kept() -> None:
    class Openly(Flow[Open]):
        broken = True

        @start()
        def first(self) -> None:
            self.state.more["a"] = self.state.renamed  # type: ignore[attr-defined]
            self.state.another = {1}  # type: ignore[attr-defined]

        @listen(first)
        def second(self) -> Any:
            if Openly.broken:
                raise OSError
            return (self.state.more, self.state.another, self.state.renamed)  # type: ignore[attr-defined]

    given: dict[str, Any] = {"more": {}, "reNamed": 3}
    with pytest.raises(OSError):
        Openly().kickoff(inputs=given, run_key="k")
    Openly.broken = False

    assert Openly().kickoff(inputs=given, run_key="k") == ({"a": 3}, {1}, 3)
    assert given == {"more": {}, "reNamed": 3}  # the caller's own is not the state's


def test_every_way_to_change_a_dict_is_noticed_beside_another_method() -> None:
    class Beside(Flow):
        broken = True

        @start()
        async def one(self) -> None:
            self.state |= {"a": 1}  # type: ignore[misc]
            self.state.update(b=2)
            self.state.setdefault("c", []).append(3)
            self.state["last"] = 4
            self.state.popitem()
            self.state.copy()["list"].append(5)
            (self.state | {})["list"].append(6)

        @start()
        async def other(self) -> None:
            self.state["other"] = 7

        @listen("other")
        def look(self) -> Any:
            if Beside.broken:
                raise OSError
            return {name: value for name, value in self.state.items() if name != "id"}

    Beside.state = property(lambda self: self._state, lambda self, value: None)  # type: ignore[assignment]
    with pytest.raises(OSError):
        Beside().kickoff(inputs={"list": []}, run_key="k")
    Beside.broken = False

    seen = Beside().kickoff(inputs={"list": []}, run_key="k")

    assert seen == {"a": 1, "b": 2, "c": [3], "list": [5, 6], "other": 7}


# --- what cannot be stored ----------------------------------------------------------------------------------------


def test_a_class_that_a_later_process_would_not_know_is_refused_by_its_field(runtime: Runtime) -> None:
    class Hidden(BaseModel):
        x: int = 0

    class Hiding(Flow):
        @start()
        def never(self) -> None:
            raise AssertionError("ran")

    with pytest.raises(
        InputsError, match=r"inside has a .*Hidden in it, which neither the module nor the state's annot"
    ):
        Hiding(initial_state={"inside": [Hidden()]}).kickoff()

    assert [run.status for run in runtime.journal.runs(RunFilter())] == ["failed"]


def test_a_class_that_an_annotation_reaches_is_known() -> None:
    class Hidden(BaseModel):
        x: int = 0

    class Reaching(BaseModel):
        many: dict[str, list[Hidden]] = {}

    class Known(Flow):
        initial_state = Reaching(many={"a": [Hidden(x=1)]})

        @start()
        def begin(self) -> Any:
            return self.state.many["a"][0].x

    assert Known().kickoff() == 1


class Deep(BaseModel):
    pair: elsewhere.Pair | None = None
    legs: list[elsewhere.Leg] = []


class Deeper(Flow[Deep]):
    """Its second method fails the first time."""

    broken = True
    calls: ClassVar[list[str]] = []

    @start()
    def fill(self) -> None:
        self.calls.append("fill")
        self.state.pair = elsewhere.pair()
        self.state.legs = elsewhere.legs()

    @listen(fill)
    def look(self) -> None:
        if Deeper.broken:
            raise OSError("not yet")


def test_classes_that_only_fields_of_dataclasses_and_named_tuples_name_are_known() -> None:
    with pytest.raises(OSError, match="not yet"):
        Deeper().kickoff(run_key="k")
    Deeper.broken = False

    again = Deeper()
    again.kickoff(run_key="k")

    assert (again.state.pair, again.state.legs) == (elsewhere.pair(), elsewhere.legs())
    assert Deeper.calls == ["fill"]


# --- an id of the state's own kind --------------------------------------------------------------------------------


class WithUuid(BaseModel):
    id: uuid.UUID = Field(default_factory=uuid.uuid4)
    count: int = 0


class WithNumber(BaseModel):
    id: int = 17
    count: int = 0


def test_an_id_is_of_the_kind_that_the_model_says() -> None:
    class Uuids(Flow[WithUuid]):
        @start()
        def look(self) -> Any:
            return self.state.id

    flow = Uuids()

    assert flow.kickoff() == uuid.UUID(flow.run_id)
    assert flow.kickoff(inputs={"count": 1}) == flow.state.id


def test_an_id_that_cannot_be_the_runs_stays_the_models() -> None:
    class Numbers(Flow[WithNumber]):
        @start()
        def look(self) -> Any:
            return self.state.id

    flow = Numbers()

    assert (flow.kickoff(), flow.kickoff(inputs={"count": 1})) == (17, 17)
    assert flow.flow_id == "17"


def test_a_result_of_a_class_that_nothing_names_is_left_out_of_the_outputs() -> None:
    class Local(BaseModel):
        x: int = 0

    class Makes(Flow):
        @start()
        def make(self) -> Any:
            return Local(x=1)

        @listen(make)
        def read(self, made: Any) -> int:
            return int(made.x)

    flow = Makes()

    assert flow.kickoff() == 1
    assert flow.method_outputs == [1]


# --- the order of a dict's keys -----------------------------------------------------------------------------------


class Table(BaseModel):
    rows: dict[str, Any] = {}


class Telling(Flow[Table]):
    """Its last method asks about what dicts look like, and fails the first time behind that."""

    broken = True

    @start()
    def fill(self) -> dict[str, Any]:
        self.state.rows |= {f"row {number:03}": "x" * 20 for number in range(99, 0, -1)}
        return {"zebra": 1, "ant": {"z": 1, "a": 2}}

    @listen(fill)
    def turn(self, value: dict[str, Any]) -> dict[str, Any]:
        self.state.rows["row 050"] = self.state.rows.pop("row 050")
        return value

    @listen(turn)
    def inquire(self, value: dict[str, Any]) -> list[str]:
        model = LLM("sim/demo")
        for text in (f"About {value}", f"About {self.state.rows}"):
            model.call(text)
        if Telling.broken:
            raise OSError("not yet")
        return list(self.state.rows)[-2:]


def test_dicts_keep_the_order_of_their_keys_so_that_no_prompt_is_another_one(runtime: Runtime) -> None:
    given = {"rows": {"zulu": 1, "alpha": 2}}
    with pytest.raises(OSError, match="not yet"):
        Telling().kickoff(inputs=given, run_key="k")
    Telling.broken = False

    flow = Telling()
    assert flow.kickoff(inputs=given, run_key="k") == ["row 001", "row 050"]

    assert list(flow.state.rows)[:2] == ["zulu", "alpha"]
    assert flow.usage_metrics.successful_requests == 2
    (run,) = runtime.journal.runs(RunFilter())
    assert list(json.loads(run.inputs or "")["rows"]) == ["zulu", "alpha"]
    assert list(flow.method_outputs[0]) == ["zebra", "ant"]
