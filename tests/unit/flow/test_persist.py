"""`@persist`: state by its id, runs that go on, backends of one's own."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from jackstay import Flow, Runtime, listen, persist, start
from jackstay.core.records import RunFilter
from jackstay.errors import ConfigurationError, DefinitionError, InputsError, JackstayError
from jackstay.flow import FlowPersistence, SQLiteFlowPersistence, set_flow_persistence_factory


class Cart(BaseModel):
    items: list[str] = []
    total: Decimal = Decimal(0)
    note: str = ""


@persist
class Shopping(Flow[Cart]):
    broken = False

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.ran: list[str] = []

    @start()
    def pick(self) -> None:
        self.ran.append("pick")
        self.state.items.append("rope")
        self.state.total += Decimal("9.50")

    @listen(pick)
    def pay(self) -> str:
        self.ran.append("pay")
        self.state.note = "unpaid"
        if Shopping.broken:
            raise OSError("no line to the bank")
        self.state.note = "paid"
        return f"{len(self.state.items)} for {self.state.total}"


class Memory(FlowPersistence):
    """Keeps what it is given, as it is given."""

    def __init__(self) -> None:
        self.saved: list[tuple[str, str, Any]] = []

    def init_db(self) -> None: ...

    def save_state(self, flow_uuid: str, method_name: str, state_data: Any) -> None:
        self.saved.append((flow_uuid, method_name, state_data))

    def load_state(self, flow_uuid: str) -> dict[str, Any] | None:
        found = [dict(state) for known, _, state in self.saved if known == flow_uuid]
        return found[-1] if found else None


@pytest.fixture(autouse=True)
def mended() -> Any:
    Shopping.broken = False
    yield
    set_flow_persistence_factory(None)


def runs(runtime: Runtime) -> list[str]:
    return [run.status for run in runtime.journal.runs(RunFilter())]


# --- the state of an id -------------------------------------------------------------------------------------------


@pytest.mark.promise("flow.persist", "flowing.persist.by_id")
def test_a_state_goes_on_by_its_id_in_another_object() -> None:
    first = Shopping()
    assert first.kickoff() == "1 for 9.50"

    second = Shopping()

    assert second.kickoff(inputs={"id": first.flow_id}) == "2 for 19.00"
    assert second.ran == ["pick", "pay"]
    assert (second.flow_id, second.state.items) == (first.flow_id, ["rope", "rope"])
    assert isinstance(second.state.total, Decimal)


@pytest.mark.promise("flowing.persist.by_id")
def test_other_inputs_are_merged_into_the_state_that_was_saved() -> None:
    first = Shopping()
    first.kickoff()

    second = Shopping()
    second.kickoff(inputs={"id": first.flow_id, "items": ["anchor"]})

    assert (second.state.items, second.state.total) == (["anchor", "rope"], Decimal("19.00"))


@pytest.mark.promise("flowing.persist.by_id")
def test_an_id_that_nothing_was_saved_under_is_kept() -> None:
    flow = Shopping()

    assert flow.kickoff(inputs={"id": "mine"}) == "1 for 9.50"
    assert flow.flow_id == "mine"


@pytest.mark.parametrize("state_id", ["x" * 5000, "ünï 😀", 'a "quoted"\n\0 one', "\ud800", "%_*", ""])
def test_any_text_is_an_id(state_id: str) -> None:
    Shopping().kickoff(inputs={"id": state_id})
    other = Shopping()
    other.kickoff(inputs={"id": state_id[:-1] + "z"})

    again = Shopping()

    assert again.kickoff(inputs={"id": state_id}) == "2 for 19.00"
    assert other.state.items == ["rope"]


def test_a_dict_state_comes_back_whole() -> None:
    @persist()
    class Counting(Flow):
        @start()
        def count(self) -> Any:
            self.state["seen"] = {*self.state.get("seen", set()), len(self.state.get("seen", set()))}
            self.state.pop("gone", None)
            return self.state["seen"]

    assert Counting().kickoff(inputs={"id": "c", "gone": 1}) == {0}
    again = Counting()
    assert again.kickoff(inputs={"id": "c"}) == {0, 1}
    assert dict(again.state) == {"id": "c", "seen": {0, 1}}


def test_the_last_state_counts_whichever_run_it_came_from() -> None:
    first = Shopping()
    first.kickoff(inputs={"id": "x", "note": "a"})
    Shopping().kickoff(inputs={"id": "x"})
    Shopping().kickoff(inputs={"id": "x"})

    fourth = Shopping()

    assert fourth.kickoff(inputs={"id": "x"}) == "4 for 38.00"


@pytest.mark.promise("flowing.persist.methods")
def test_after_a_method_that_is_persisted_the_state_is_saved_and_after_others_not() -> None:
    class Half(Flow):
        @persist()
        @start()
        def first(self) -> None:
            self.state["n"] = self.state.get("n", 0) + 1

        @listen(first)
        def second(self) -> None:
            self.state["n"] = 100

    one = Half()
    one.kickoff(inputs={"id": "h"})
    assert one.state["n"] == 100

    other = Half()
    other.kickoff(inputs={"id": "h"})

    assert SQLiteFlowPersistence().load_state("h") == {"id": "h", "n": 2}


def test_a_subclass_is_persisted_as_its_parent_is() -> None:
    class More(Shopping):
        @listen("pay")
        def thank(self) -> str:
            return "thanks"

    More().kickoff(inputs={"id": "m"})
    again = More()
    assert again.kickoff(inputs={"id": "m"}) == "thanks"
    assert len(again.state.items) == 2


def test_a_result_that_cannot_be_stored_does_not_take_the_state_with_it() -> None:
    @persist
    class Client(Flow):
        @start()
        def connect(self) -> Any:
            self.state["host"] = "here"
            return object()

    Client().kickoff(inputs={"id": "c"})

    assert SQLiteFlowPersistence().load_state("c") == {"id": "c", "host": "here"}


def test_without_persist_an_id_is_only_an_id(runtime: Runtime) -> None:
    class Plain(Flow):
        @start()
        def count(self) -> Any:
            self.state["n"] = self.state.get("n", 0) + 1
            return self.state["n"]

    assert [Plain().kickoff(inputs={"id": "p"}) for _ in range(2)] == [1, 1]
    assert runtime.journal.saved_state("p") == []


# --- a copy of a state --------------------------------------------------------------------------------------------


@pytest.mark.promise("flowing.persist.restore")
def test_a_copy_of_a_state_has_an_id_of_its_own() -> None:
    Shopping().kickoff(inputs={"id": "x"})

    copied = Shopping()
    assert copied.kickoff(restore_from_state_id="x") == "2 for 19.00"
    assert copied.flow_id == copied.run_id != "x"
    named = Shopping()
    assert asyncio.run(named.akickoff(inputs={"id": "y"}, restore_from_state_id="x")) == "2 for 19.00"
    assert asyncio.run(Shopping().kickoff_async(inputs={"id": "y"})) == "3 for 28.50"

    assert Shopping().kickoff(inputs={"id": "x"}) == "2 for 19.00"


def test_an_object_that_has_run_takes_a_new_id_for_a_copy() -> None:
    flow = Shopping()
    flow.kickoff(inputs={"id": "x"})

    flow.kickoff(restore_from_state_id="x")

    assert flow.flow_id == flow.run_id
    assert len(flow.state.items) == 2


def test_a_copy_of_a_state_that_nobody_saved_is_said(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    assert Shopping().kickoff(restore_from_state_id="nobody's") == "1 for 9.50"

    assert 'no state was saved under "nobody\'s"' in caplog.text


def test_a_copy_where_nothing_is_saved_is_refused() -> None:
    class Plain(Flow):
        @start()
        def begin(self) -> None: ...

    with pytest.raises(InputsError, match="write @persist above it"):
        Plain().kickoff(restore_from_state_id="x")


@pytest.mark.promise("flowing.persist.restore")
def test_a_checkpoint_and_a_copy_are_two_beginnings(runtime: Runtime) -> None:
    from jackstay import CheckpointConfig

    with pytest.raises(ValueError, match="give one of them"):
        Shopping().kickoff(from_checkpoint=CheckpointConfig(restore_from="r"), restore_from_state_id="x")

    assert runs(runtime) == []


# --- a run that has not finished ----------------------------------------------------------------------------------


@pytest.mark.promise("flowing.persist.goes_on")
def test_an_unfinished_run_of_the_state_goes_on_with_the_method_that_failed(runtime: Runtime) -> None:
    Shopping.broken = True
    first = Shopping()
    with pytest.raises(OSError, match="no line to the bank"):
        first.kickoff()
    Shopping.broken = False
    (failed,) = runtime.journal.runs(RunFilter())

    again = Shopping()

    assert again.kickoff(inputs={"id": failed.id}) == "1 for 9.50"
    assert again.ran == ["pay"]
    assert (again.run_id, runs(runtime)) == (failed.id, ["succeeded"])
    assert Shopping().kickoff(inputs={"id": failed.id}) == "2 for 19.00"


def test_the_same_inputs_go_on_and_others_begin_anew_with_what_was_saved(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    Shopping.broken = True
    with pytest.raises(OSError):
        Shopping().kickoff(inputs={"id": "x", "note": "one"})
    with pytest.raises(OSError):
        Shopping().kickoff(inputs={"id": "x", "note": "one"})
    assert runs(runtime) == ["failed"]
    Shopping.broken = False

    other = Shopping()

    assert other.kickoff(inputs={"id": "x", "note": "two"}) == "2 for 19.00"
    assert runs(runtime) == ["succeeded", "failed"]
    assert "has not finished, and had other inputs" in caplog.text


def test_a_run_key_says_more_than_an_id(runtime: Runtime) -> None:
    Shopping.broken = True
    with pytest.raises(OSError):
        Shopping().kickoff(inputs={"id": "x"})
    Shopping.broken = False

    flow = Shopping()
    flow.kickoff(inputs={"id": "x"}, run_key="k")

    assert runs(runtime) == ["succeeded", "failed"]
    assert len(flow.state.items) == 2


def test_another_flow_takes_the_state_and_not_the_run(runtime: Runtime) -> None:
    Shopping.broken = True
    with pytest.raises(OSError):
        Shopping().kickoff(inputs={"id": "x"})

    @persist
    class Report(Flow):
        @start()
        def tell(self) -> Any:
            return self.state["items"]

    assert Report().kickoff(inputs={"id": "x"}) == ["rope"]


def test_a_flow_in_a_method_has_its_saved_state() -> None:
    class Outer(Flow):
        @start()
        def go(self) -> Any:
            return [Shopping().kickoff(inputs={"id": "x"}) for _ in range(3)]

    assert Outer().kickoff() == ["1 for 9.50", "2 for 19.00", "3 for 28.50"]
    assert Shopping().kickoff(inputs={"id": "x"}) == "4 for 38.00"


def test_a_resumed_run_has_the_state_that_it_loaded_then(runtime: Runtime) -> None:
    Shopping().kickoff(inputs={"id": "x"})
    Shopping.broken = True
    with pytest.raises(OSError):
        Shopping().kickoff(inputs={"id": "x"})
    Shopping.broken = False
    Shopping().kickoff(inputs={"id": "x", "note": "in between"})

    failed = runtime.journal.runs(RunFilter(status=("failed",)))[0]
    flow = Shopping()

    assert flow.kickoff(inputs={"id": "x"}, resume=failed.id) == "2 for 19.00"


def test_a_replay_begins_with_the_state_of_then() -> None:
    Shopping().kickoff(inputs={"id": "x"})
    flow = Shopping()
    flow.kickoff(inputs={"id": "x", "note": "a"})
    third = Shopping()
    third.kickoff(inputs={"id": "x"})

    again = Shopping()

    assert again.replay(f"{flow.run_id}/pick#1") == "2 for 19.00"
    assert again.replay(f"{flow.run_id}/pick#1", inputs={"items": ["a", "b"]}) == "3 for 19.00"


def test_a_state_that_does_not_fit_the_program_any_more_is_said_before_anything_runs() -> None:
    Shopping().kickoff(inputs={"id": "x"})

    @persist
    class Changed(Flow):
        class State(BaseModel):
            items: int = 0

        initial_state = State

        @start()
        def begin(self) -> None:
            raise AssertionError("ran")

    with pytest.raises(
        InputsError, match="the saved state does not fit the program: items: Input should be a valid int"
    ):
        Changed().kickoff(inputs={"id": "x"})


# --- backends of one's own ----------------------------------------------------------------------------------------


@pytest.mark.promise("flow.FlowPersistence", "flowing.persist.before_listeners")
def test_a_backend_of_ones_own_has_the_state_after_each_method_before_its_listeners() -> None:
    backend = Memory()

    @persist(backend)
    class Two(Flow[Cart]):
        @start()
        def one(self) -> None:
            self.state.note = "one"

        @listen(one)
        async def two(self) -> list[str]:
            seen = [state.note for _, _, state in backend.saved]
            self.state.note = "two"
            return seen

    flow = Two()

    assert flow.kickoff(inputs={"id": "x"}) == ["one"]
    assert [(i, m, s.note, isinstance(s, Cart)) for i, m, s in backend.saved] == [
        ("x", "one", "one", True),
        ("x", "two", "two", True),
    ]
    assert Two().kickoff(inputs={"id": "x"}) == ["one", "two", "one"]


def test_a_dict_state_is_a_dict_of_the_backends_own() -> None:
    backend = Memory()

    class Dicts(Flow):
        @persist(persistence=backend)
        @start()
        def one(self) -> None:
            self.state["list"] = [1]

        @listen(one)
        def two(self) -> None:
            self.state["list"].append(2)

    Dicts().kickoff(inputs={"id": "x"})

    ((_, method, state),) = backend.saved
    assert (method, type(state), state) == ("one", dict, {"id": "x", "list": [1]})


@pytest.mark.promise("flow.persistence", "flowing.persist.nearest", "flow.set_flow_persistence_factory")
def test_the_nearest_backend_counts() -> None:
    of_object, of_method, of_class, of_factory = Memory(), Memory(), Memory(), Memory()

    @persist(of_class)
    class Near(Flow):
        @persist(of_method)
        @start()
        def one(self) -> None: ...

        @listen(one)
        def two(self) -> None: ...

    @persist
    class Far(Flow):
        @start()
        def three(self) -> None: ...

    set_flow_persistence_factory(lambda: of_factory)
    Near().kickoff()
    Far().kickoff()
    Near(persistence=of_object).kickoff()

    saved = [[method for _, method, _ in each.saved] for each in (of_object, of_method, of_class, of_factory)]
    assert saved == [["one", "two"], ["one"], ["two"], ["three"]]


@pytest.mark.promise("flow.persistence")
def test_a_backend_that_is_given_to_an_object_is_used_without_the_decorator() -> None:
    class Plain(Flow):
        @start()
        def one(self) -> None: ...

    backend = Memory()
    Plain(persistence=backend).kickoff()

    assert [method for _, method, _ in backend.saved] == ["one"]


class Full(Memory):
    times = 1

    async def save_state(self, flow_uuid: str, method_name: str, state_data: Any) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        if self.times:
            self.times -= 1
            raise OSError("disk full")
        super().save_state(flow_uuid, method_name, state_data)


@pytest.mark.promise("flowing.persist.fails")
def test_a_save_that_fails_fails_its_method_and_a_resume_saves_again(runtime: Runtime) -> None:
    backend, ran = Full(), []

    @persist(backend)
    class Careful(Flow):
        @start()
        def one(self) -> None:
            ran.append("one")

        @listen(one)
        def two(self) -> None:
            ran.append("two")

    with pytest.raises(RuntimeError, match="State persistence failed: disk full") as caught:
        Careful().kickoff(inputs={"id": "x"})
    assert isinstance(caught.value, JackstayError)
    assert isinstance(caught.value.__cause__, OSError)
    assert ran == ["one"]

    Careful().kickoff(inputs={"id": "x"})

    assert ran == ["one", "one", "two"]
    assert [method for _, method, _ in backend.saved] == ["one", "two"]
    assert runs(runtime) == ["succeeded"]


@pytest.mark.parametrize("backend", [None, Memory()])
def test_a_state_that_cannot_be_saved_fails_its_method(backend: Any) -> None:
    @persist(backend)
    class Odd(Flow):
        @start()
        def one(self) -> None:
            self.state["client"] = object()

        @listen(one)
        def never(self) -> None:
            raise AssertionError("ran")

    with pytest.raises(RuntimeError, match=r"State persistence failed: client is a builtins\.object"):
        Odd().kickoff()


def test_saves_of_branches_side_by_side_come_one_after_another() -> None:
    inside, most = 0, 0

    class Watching(Memory):
        def save_state(self, *given: Any) -> None:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            super().save_state(*given)
            inside -= 1

    backend = Watching()

    @persist(backend)
    class Wide(Flow):
        @start()
        def begin(self) -> None: ...

    for number in range(12):

        async def branch(self: Any) -> None:
            self.state["n"] = self.state.get("n", 0) + 1

        setattr(Wide, f"branch{number}", listen("begin")(branch))
    Wide().kickoff()

    counts = [state.get("n", 0) for _, _, state in backend.saved]
    assert most == 1
    assert counts == sorted(counts)
    assert counts[-1] == 12


@pytest.mark.parametrize("given", ["somewhere.db", 3, Memory])
def test_what_is_no_backend_is_refused(given: Any) -> None:
    class Plain(Flow):
        @start()
        def one(self) -> None: ...

    with pytest.raises(DefinitionError, match="an object of a subclass of FlowPersistence"):
        Plain(persistence=given).kickoff()


def test_said_of_a_verbose_one(caplog: pytest.LogCaptureFixture) -> None:
    @persist(verbose=True)
    class Loud(Flow):
        @start()
        def one(self) -> None: ...

    with caplog.at_level("INFO", "jackstay"):
        Loud().kickoff(inputs={"id": "x"})

    assert "state x of flow Loud is saved after one" in caplog.text


# --- SQLite -------------------------------------------------------------------------------------------------------


@pytest.mark.promise("flow.SQLiteFlowPersistence")
def test_a_file_of_its_own_has_crewais_form(tmp_path: Path) -> None:
    path = tmp_path / "flow_states.db"

    @persist(SQLiteFlowPersistence(str(path)))
    class Kept(Flow[Cart]):
        @start()
        def one(self) -> Any:
            self.state.total += 1
            return self.state.total

    assert Kept().kickoff(inputs={"id": "x"}) == 1

    with closing(sqlite3.connect(path)) as connection:
        ((uuid, method, state),) = connection.execute("select flow_uuid, method_name, state_json from flow_states")
        assert (uuid, method, json.loads(state)["total"]) == ("x", "one", "1")
        with connection:
            connection.execute(
                "insert into flow_states (flow_uuid, method_name, timestamp, state_json) values ('x', 'm', '2025', ?)",
                (json.dumps({"id": "x", "total": 40}),),
            )
    assert Kept().kickoff(inputs={"id": "x"}) == 41


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database, and long enough to be none" * 20)

    for name in ("text.db", "no/such/folder.db"):
        with pytest.raises(ConfigurationError, match=f"{name}'.* cannot be used"):
            SQLiteFlowPersistence(tmp_path / name)


def test_without_a_path_it_is_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    backend = SQLiteFlowPersistence()
    backend.save_state("x", "somewhere", {"items": ["a"], "total": Decimal(5)})
    assert backend.load_state("x") == {"id": "x", "items": ["a"], "total": Decimal(5)}
    assert backend.load_state("y") is None

    flow = Shopping(persistence=backend)
    flow.kickoff(inputs={"id": "x"})

    assert flow.state.items == ["a", "rope"]
    assert backend.load_state("x") == flow.state.model_dump()
    assert {path.name.removesuffix("-wal").removesuffix("-shm") for path in tmp_path.iterdir()} == {"jackstay.db"}
