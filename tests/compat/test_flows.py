"""Promises about flows that no other test is named after."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from jackstay import Flow, Runtime, and_, human_feedback, listen, or_, persist, router, start
from jackstay.core.records import RunFilter
from jackstay.errors import DefinitionError
from jackstay.flow import SQLiteFlowPersistence, flow_config
from jackstay.flow.definition import FlowDefinition
from jackstay.flow.visualization import build_flow_structure, visualize_flow_structure


class State(BaseModel):
    topic: str = ""


class Review(Flow[State]):
    """Writes, and looks at it."""

    max_method_calls = 7

    @start()
    def write(self) -> str:
        """Writes a draft."""
        return "draft"

    @router(or_(write, "again"), emit=["good", "again"])
    def judge(self, text: str) -> str:
        return "good"

    @listen(and_("good", write))
    def publish(self) -> str:
        return f"{self.state.topic} is out"


@pytest.mark.promise("flow.name")
def test_a_name_stands_for_the_classs(runtime: Runtime) -> None:
    Review(name="Gazette").kickoff()

    (row,) = runtime.journal.runs(RunFilter())
    assert row.name == "Gazette"


@pytest.mark.promise("flow.method_outputs", "flowing.result")
def test_what_the_methods_returned_is_there_in_the_order_of_their_completion() -> None:
    flow = Review()
    assert flow.method_outputs == []

    result = flow.kickoff(inputs={"topic": "tides"})

    assert flow.method_outputs == ["draft", "good", "tides is out"]
    assert result == flow.method_outputs[-1]


@pytest.mark.promise("flow.tracing", "flow.suppress_flow_events")
def test_what_says_nothing_is_no_part_of_the_state() -> None:
    class Untyped(Flow):
        @start()
        def begin(self) -> list[str]:
            return sorted(self.state)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Untyped(tracing=True, suppress_flow_events=True).kickoff() == ["id"]


@pytest.mark.promise("flow.kickoff")
def test_kickoff_works_where_an_event_loop_is_running() -> None:
    async def calling() -> Any:
        return Review().kickoff(inputs={"topic": "tides"})

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert asyncio.run(calling()) == "tides is out"


@pytest.mark.promise("flowing.sync_methods")
def test_as_many_synchronous_methods_as_there_are_threads_run_side_by_side() -> None:
    """They wait for one another: one after the other none would return."""
    together = threading.Barrier(40)

    def meeting(name: str) -> Any:
        def method(self: Any) -> int:
            return together.wait(30) * 0 + 1

        method.__name__ = name
        return start()(method)

    def joined(self: Any) -> int:
        return together.n_waiting

    members = {f"m{at}": meeting(f"m{at}") for at in range(40)}
    crowd = type("Crowd", (Flow,), {**members, "joined": listen(and_(*members))(joined), "__module__": __name__})

    assert crowd().kickoff() == 0


@pytest.mark.promise("flow.flow_definition")
def test_a_definition_can_be_written_and_read_again() -> None:
    made = Review.flow_definition()

    assert made.to_dict() == {
        "schema": "crewai.flow/v1",
        "name": "Review",
        "description": "Writes, and looks at it.",
        "state": {
            "type": "pydantic",
            "ref": f"{__name__}:State",
            "json_schema": State.model_json_schema(),
        },
        "config": {"stream": False, "max_method_calls": 7},
        "methods": {
            "write": {
                "description": "Writes a draft.",
                "do": {"call": "code", "ref": f"{__name__}:Review.write"},
                "start": True,
                "router": False,
            },
            "judge": {
                "do": {"call": "code", "ref": f"{__name__}:Review.judge"},
                "listen": {"or": ["write", "again"]},
                "router": True,
                "emit": ["good", "again"],
            },
            "publish": {
                "do": {"call": "code", "ref": f"{__name__}:Review.publish"},
                "listen": {"and": ["good", "write"]},
                "router": False,
            },
        },
    }
    assert FlowDefinition.model_validate_json(made.model_dump_json(by_alias=True)) == made
    assert Review().flow_definition() == made


def test_a_start_with_a_condition_and_a_dict_state_are_in_the_definition() -> None:
    class Loop(Flow):
        @start("more")
        def begin(self) -> None: ...

        @router(begin, emit=["more"])
        def again(self) -> None: ...

    made = Loop.flow_definition()

    assert made.methods["begin"].start == "more"
    assert made.methods["begin"].listen is None
    assert made.state is not None
    assert made.state.type == "dict"


@pytest.mark.promise("flow.build_flow_structure")
def test_a_structure_has_nodes_and_edges() -> None:
    made = build_flow_structure(Review)

    assert made == build_flow_structure(Review()) == build_flow_structure(Review.flow_definition())
    assert json.loads(json.dumps(made)) == made
    assert {name: node["type"] for name, node in made["nodes"].items()} == {
        "write": "start",
        "judge": "router",
        "publish": "listen",
    }
    assert made["nodes"]["judge"]["router_events"] == ["good", "again"]
    assert [(e["source"], e["target"], e["condition_type"], e["is_router_event"]) for e in made["edges"]] == [
        ("write", "judge", "OR", False),
        ("judge", "judge", "OR", True),
        ("judge", "publish", "AND", True),
        ("write", "publish", "AND", False),
    ]
    assert (made["start_methods"], made["router_methods"]) == (["write"], ["judge"])


@pytest.mark.promise("flow.visualize_flow_structure")
def test_a_structure_is_drawn_without_the_program(tmp_path: Path) -> None:
    drawn = visualize_flow_structure(build_flow_structure(Review), tmp_path / "review", show=False)
    text = Path(drawn).read_text(encoding="utf-8")

    assert drawn.endswith("review.html")
    assert re.findall(r'class="node (\w+)[^"]*" data-method="(\w+)"', text) == [
        ("start", "write"), ("router", "judge"), ("listener", "publish"),
    ]  # fmt: skip
    lines = dict(re.findall(r'<path class="(\w+)" data-begin="\w+" data-end="(\w+)"', text))
    assert lines["and"] == "publish"
    assert ">good</text>" in text
    assert "def write" not in text
    with pytest.raises(DefinitionError, match="this is no structure of a flow"):
        visualize_flow_structure({"nodes": {}}, tmp_path / "none", show=False)


@pytest.mark.promise("flow.visualize_flow_structure")
def test_a_flow_is_drawn_with_its_sources(tmp_path: Path) -> None:
    drawn = visualize_flow_structure(Review(), tmp_path / "review", show=False)

    assert "def write" in Path(drawn).read_text(encoding="utf-8")


@pytest.mark.promise("flowing.state.trigger_payload")
def test_starts_that_want_it_are_given_what_has_set_the_run_off() -> None:
    class Triggered(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self, crewai_trigger_payload: Any = None) -> Any:
            return crewai_trigger_payload

        @start("again")
        def once_more(self, crewai_trigger_payload: Any = None) -> Any:
            return crewai_trigger_payload

        @start()
        async def beside(self, crewai_trigger_payload: Any) -> Any:
            return crewai_trigger_payload["id"]

        @start()
        def without(self) -> str:
            return "nothing"

        @router(begin)
        def loop(self, payload: Any) -> str:
            return "again"

        @listen("again")
        def heard(self, crewai_trigger_payload: str = "only starts are given it") -> str:
            return crewai_trigger_payload

    payload = {"id": 7}
    flow = Triggered()
    flow.kickoff(inputs={"crewai_trigger_payload": payload})

    outputs = flow.method_outputs
    assert outputs.count({"id": 7}) == 2
    assert {7, "nothing", "only starts are given it"} <= {each for each in outputs if not isinstance(each, dict)}
    assert flow.state["crewai_trigger_payload"] == payload == {"id": 7}


@pytest.mark.promise("flowing.state.trigger_payload")
def test_a_run_that_nothing_has_set_off_gives_starts_what_they_say_themselves() -> None:
    class Triggered(Flow[State]):
        @start()
        def begin(self, crewai_trigger_payload: Any = "none") -> Any:
            return crewai_trigger_payload

    assert Triggered().kickoff() == "none"
    assert Triggered().kickoff(inputs={"crewai_trigger_payload": [1]}) == [1]


class Says:
    def __init__(self, word: str) -> None:
        self.word = word

    def request_input(self, message: str, flow: Any, metadata: Any = None) -> str:
        return self.word

    def request_feedback(self, context: Any, flow: Any) -> str:
        return self.word


class Asking(Flow):  # type: ignore[type-arg]
    @start()
    @human_feedback("Good?")
    def begin(self) -> str | None:
        return self.ask("Who?")


@pytest.mark.promise("flow.flow_config")
def test_the_process_says_who_asks_people_and_a_runtime_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, runtime: Runtime
) -> None:
    # The test's own runtime is the one around.
    monkeypatch.setattr(flow_config, "input_provider", Says("outer"))
    monkeypatch.setattr(flow_config, "hitl_provider", Says("well"))

    def said() -> tuple[Any, str]:
        result = Asking().kickoff()
        return result.output, result.feedback

    assert said() == ("outer", "well")
    with Runtime(database_url="sqlite:///" + str(tmp_path / "other.db")):
        assert said() == ("outer", "well")
        flow_config.input_provider = Says("inner")
        assert said() == ("inner", "well")
        assert flow_config.said_in(runtime, "input_provider").word == "outer"
    assert said() == ("outer", "well")


@pytest.mark.promise("flowing.state.trigger_payload")
def test_a_start_that_is_given_what_has_triggered_the_run_is_persisted_as_it_says(runtime: Runtime) -> None:
    class Kept(Flow):  # type: ignore[type-arg]
        @persist
        @start()
        def begin(self, crewai_trigger_payload: Any) -> None:
            self.state["got"] = crewai_trigger_payload

    Kept().kickoff(inputs={"id": "mine", "crewai_trigger_payload": 7})

    assert Kept().kickoff(inputs={"id": "mine", "crewai_trigger_payload": 8}) is None
    saved = SQLiteFlowPersistence().load_state("mine")
    assert saved is not None
    assert saved["got"] == 8


@pytest.mark.promise("flow.flow_config")
def test_what_a_program_says_outlives_the_runtime_that_was_made_for_it(tmp_path: Path, runtime: Runtime) -> None:
    code = """
from jackstay import Flow, start
from jackstay.engine.runtime import current_runtime
from jackstay.flow import flow_config


class Says:
    def request_input(self, message, flow, metadata=None):
        return "the process"


class Asks(Flow):
    @start()
    def begin(self):
        return self.ask("Who?")


first = current_runtime()
flow_config.input_provider = Says()
first.close()
assert current_runtime() is not first
print(Asks().kickoff())
"""
    environ = {**os.environ, "JACKSTAY_DATABASE_URL": f"sqlite:///{tmp_path}/own.db"}

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, cwd=tmp_path)

    assert said.stdout.strip() == "the process", said.stderr
