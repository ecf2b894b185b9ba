"""How flows are written: decorators, labels, what is refused, what is inherited."""

from __future__ import annotations

import enum
from typing import Any, Literal

import pytest

from jackstay import Budget, Flow, and_, listen, or_, router, start
from jackstay.core.flow_graph import AllOf, AnyOf, Trigger
from jackstay.errors import DefinitionError, JackstayError
from jackstay.flow.decorators import mark_of


class Verdict(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Base(Flow):
    @start()
    def first(self) -> int:
        return 1

    @listen(first)
    def second(self, value: int) -> int:
        return value + 1


@pytest.mark.promise("flow.or_", "flow.and_")
def test_conditions_take_methods_names_labels_enums_and_nest() -> None:
    def method(self: Any) -> None: ...

    assert or_(method, "label", Verdict.GOOD) == AnyOf((Trigger("method"), Trigger("label"), Trigger("good")))
    assert and_("a", or_("b", "c")) == AllOf((Trigger("a"), AnyOf((Trigger("b"), Trigger("c")))))


@pytest.mark.promise("flow.router")
def test_labels_come_from_emit_a_literal_or_an_enum() -> None:
    @router("x", emit=["a", "b"])
    def by_emit(self: Any) -> str:
        return "a"

    @router("x")
    def by_literal(self: Any) -> Literal["a", "b"]:
        return "a"

    @router("x")
    def by_enum(self: Any) -> Verdict:
        return Verdict.GOOD

    @router("x")
    def unknown(self: Any) -> str:
        return "a"

    labels = [getattr(mark_of(method), "emits", "no mark") for method in (by_emit, by_literal, by_enum, unknown)]
    assert labels == [("a", "b"), ("a", "b"), ("good", "bad"), None]


@pytest.mark.promise("flowing.inherits")
def test_a_subclass_inherits_methods() -> None:
    class Child(Base):
        @listen("second")
        def third(self, value: int) -> int:
            return value * 10

    assert Child().kickoff() == 20


def test_a_subclass_overrides_with_a_decorator() -> None:
    class Child(Base):
        @listen("first")
        def second(self, value: int) -> int:
            return value + 100

    assert Child().kickoff() == 101


@pytest.mark.promise("flowing.inherits")
def test_a_subclass_overrides_without_a_decorator_and_the_method_is_none_of_the_flow() -> None:
    class Child(Base):
        def second(self, value: int) -> int:  # type: ignore[override]
            raise AssertionError("not a flow method any more")

    assert Child().kickoff() == 1


def test_a_subclass_takes_a_method_away_by_none() -> None:
    class Child(Base):
        second = None  # type: ignore[assignment]

    assert Child().kickoff() == 1


def test_a_listener_behind_a_wrapper_of_any_arguments_is_given_the_value() -> None:
    def traced(method: Any) -> Any:
        def wrapper(*args: Any, **named: Any) -> Any:
            return method(*args, **named)

        return wrapper

    class Wrapped(Base):
        @listen("second")
        @traced
        def third(self, value: int) -> int:
            return value * 10

        @listen("third")
        def fourth(self, *values: int) -> tuple[int, ...]:
            return values

    assert Wrapped().kickoff() == (20,)


def test_methods_may_have_names_that_only_settings_of_ours_have() -> None:
    class Article(Flow):
        @start()
        def outline(self) -> str:  # type: ignore[override]
            return "an outline"

        @listen(outline)
        def content(self, outline: str) -> str:  # type: ignore[override]
            return f"{outline}, written"

        @router(content)
        def budget(self) -> str:  # type: ignore[override]
            return "again" if self.state.setdefault("tries", 0) < 1 else "done"

        @listen("again")
        def retry(self) -> None:  # type: ignore[override]
            self.state["tries"] += 1

        @router(retry)
        def strict(self) -> str:  # type: ignore[override]
            return "done"

        @listen("done")
        def end(self) -> int:
            return int(self.state["tries"])

    class Inheriting(Article):
        @listen("done")
        def end(self) -> Any:
            return "inherited"

    class Bounded(Article):
        budget = Budget(calls=1)  # type: ignore[assignment]

    assert Article(deadline_s=20, budget=Budget(calls=1)).kickoff() == 1
    assert Inheriting().kickoff() == "inherited"
    assert Bounded().kickoff() == "an outline, written"
    assert len(Article().fingerprint) == 64


@pytest.mark.parametrize("name", ["name", "stream", "kickoff"])
def test_a_method_named_as_what_every_flow_has_is_refused(name: str) -> None:
    def method(self: Any) -> None: ...

    with pytest.raises(DefinitionError, match=f"{name} is what every flow has under that name"):
        type("Named", (Base,), {name: listen("first")(method)})()


def nothing_to_start() -> type[Flow]:
    class Idle(Flow):
        @listen("x")
        def method(self) -> None: ...

    return Idle


def typo() -> type[Flow]:
    class Typo(Flow):
        @start()
        def begin(self) -> None: ...

        @listen("begn")
        def after(self) -> None: ...

    return Typo


def itself() -> type[Flow]:
    class Itself(Flow):
        @start()
        def begin(self) -> None: ...

        @listen(or_("begin", "after"))
        def after(self) -> None: ...

    return Itself


def wrong_label() -> type[Flow]:
    class Wrong(Flow):
        @start()
        def begin(self) -> None: ...

        @router(begin)
        def choose(self) -> Verdict:
            return Verdict.GOOD

        @listen("goood")
        def after(self) -> None: ...

    return Wrong


@pytest.mark.promise("flowing.definition_errors")
@pytest.mark.parametrize(
    ("make", "told"),
    [
        (nothing_to_start, "flow Idle: no method is decorated with @start()"),
        (typo, "flow Typo: after listens to 'begn', which is no method and no router's label (after, begin)"),
        (itself, "flow Itself: after listens to itself"),
        (wrong_label, "after listens to 'goood'"),
    ],
)
def test_a_definition_that_cannot_run_is_refused_when_the_flow_is_made(make: Any, told: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        make()()

    assert told in str(caught.value)
    assert isinstance(caught.value, JackstayError)
    assert isinstance(caught.value, ValueError)


def test_decorators_without_parentheses_are_refused_where_they_stand() -> None:
    forgotten: Any = start
    with pytest.raises(DefinitionError, match=r"@start\(\) above begin"):

        class Forgot(Flow):
            @forgotten
            def begin(self) -> None: ...

    with pytest.raises(DefinitionError, match="give a method, its name, a label"):
        listen(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("join", [and_, or_])
def test_a_condition_of_nothing_is_refused(join: Any) -> None:
    with pytest.raises(DefinitionError, match=f"{join.__name__}.. has nothing to wait for"):
        join()


def test_inputs_that_are_no_mapping_are_refused_before_the_flow_begins() -> None:
    wrong: Any = ["topic"]
    with pytest.raises(TypeError, match="inputs must be a mapping of names to values, not list"):
        Base().kickoff(inputs=wrong)


def test_a_state_that_is_none_is_refused() -> None:
    class Odd(Base):
        initial_state = 3

    with pytest.raises(DefinitionError, match="a dict or a pydantic model"):
        Odd()


def test_a_flow_of_a_typed_dict_has_a_dict_state() -> None:
    class Typed(Flow[dict[str, int]]):
        @start()
        def begin(self) -> int:
            self.state["count"] = 1
            return self.state["count"]

    assert Typed().state["id"]


class Loose(Flow):
    @start()
    def begin(self) -> None: ...

    @router(begin)
    def judge(self) -> Literal["good", "bad"]:
        return "bad"

    @listen("good")
    def praise(self) -> None: ...


def test_a_label_that_nothing_listens_to_is_a_warning_and_refused_by_a_strict_flow() -> None:
    told = "flow Loose: nothing listens to 'bad', which judge may return"
    with pytest.warns(UserWarning, match=told) as warned:
        flow = Loose()

    assert warned[0].filename == __file__
    assert flow.kickoff() == "bad"
    with pytest.raises(DefinitionError, match=told):
        Loose(strict=True)


def test_labels_that_are_all_heard_are_no_warning() -> None:
    class Heard(Loose):
        strict = True

        @listen(or_("bad", "good"))
        def end(self) -> None: ...

    Heard()
