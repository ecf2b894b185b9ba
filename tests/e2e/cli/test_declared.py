"""A flow in YAML as a program: `jackstay run --definition`, killed, resumed, drawn."""

from __future__ import annotations

import json
import sys

import pytest

from jackstay.testing import Stub
from tests.e2e.cli.conftest import Folder

DECLARED = """
    schema: crewai.flow/v1
    name: Gazette
    state: {type: dict, default: {topic: tides}}
    methods:
      research:
        start: true
        do:
          call: crew
          with:
            name: desk
            agents:
              writer: {role: Writer, goal: "Explain {topic}", backstory: Brief., llm: sim/demo}
            tasks:
              - {name: find, description: "Research {topic}", expected_output: Facts, agent: writer}
          inputs: {topic: "${state.topic}"}
      note: {listen: research, do: {call: code, ref: "desk:note"}}
      judge:
        listen: note
        do:
          call: agent
          with: {role: Judge, goal: Judge, backstory: Strict., llm: sim/demo, input: "${outputs.research}"}
      told: {listen: judge, do: {call: expression, expr: "state.topic + ': ' + outputs.judge.raw"}}
"""
CODE = """
    def note(flow, text):
        print("noted", flush=True)
        flow.state["notes"] = flow.state.get("notes", 0) + 1
"""


@pytest.fixture
def gazette(folder: Folder, stub: Stub) -> Folder:
    folder.ask(stub)
    folder.write("flows/flow.yaml", DECLARED)
    folder.write("flows/desk.py", CODE)
    return folder


@pytest.mark.promise("cli.run.definition", "around.flow_declaration")
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_declared_flow_that_was_killed_goes_on_where_it_was(gazette: Folder, stub: Stub) -> None:
    stub.latency_s = lambda request: 0.0 if request.index == 0 else 600.0
    process = gazette.start("run", "--definition", "flows/flow.yaml", "--input", "topic=boats")
    stub.wait_for(lambda s: len(s.requests) == 2, timeout_s=30)
    process.kill()
    killed, _ = process.communicate(timeout=30)
    stub.latency_s = 0.0

    resumed = gazette.run("resume")

    assert killed.strip() == "noted"
    assert resumed.returncode == 0, resumed.stderr
    assert "noted" not in resumed.stdout
    assert resumed.stdout.startswith("boats: ")
    assert len(stub.requests) == 3  # 2 undisturbed, 1 in flight at the kill
    [run] = json.loads(gazette.here("runs", "--json").stdout)
    assert (run["name"], run["state"]) == ("flow.yaml", "succeeded")


@pytest.mark.promise("cli.run.definition")
def test_inputs_are_text_in_json_too_and_the_picture_is_drawn_without_running(gazette: Folder, stub: Stub) -> None:
    ran = gazette.run("run", "flows/flow.yaml", "--inputs", '{"topic": "kites"}')
    drawn = gazette.run("flow", "plot", "flows/flow.yaml", "-o", "-", "--format", "mermaid")

    assert "\nkites: " in ran.stdout
    assert 'M1(["research"])' in drawn.stdout
    assert "style M4 fill" in drawn.stdout  # how the run of it fared
    gazette.write("flows/other.yaml", DECLARED.replace("Gazette", "Other"))
    [run] = json.loads(gazette.here("runs", "--json").stdout)
    other = gazette.run("flow", "plot", "flows/other.yaml", "--run", run["id"][:13])
    assert "no flow Other was kicked off in it" in other.stderr
    assert len(stub.requests) == 2


@pytest.mark.promise("cli.run.definition")
def test_a_mistake_is_said_with_its_line_before_there_is_a_run(gazette: Folder, stub: Stub) -> None:
    gazette.write("flows/wrong.yaml", DECLARED.replace("desk:note", "desk:notes"))

    wrong = gazette.run("run", "flows/wrong.yaml")
    both = gazette.run("run", "flows/flow.yaml", "--definition", "flows/flow.yaml")
    other = gazette.run("run", "--definition", "flows/desk.py")
    colon = gazette.run("run", "flows/flow.yaml:research")

    place = "flows/wrong.yaml, line 17: methods.note.do.ref is 'desk:notes', and desk has no notes; did you mean note?"
    assert f"error: {place}" in wrong.stderr
    assert wrong.returncode != 0
    assert "name one of them" in both.stderr
    assert "a declared flow is a file .yaml, .yml, .json" in other.stderr
    assert "flows/flow.yaml is one flow" in colon.stderr
    assert "jackstay flow plot flows/wrong.yaml reads it" in gazette.run("check", "flows/wrong.yaml").stderr
    assert f"error: {place}" in gazette.run("flow", "plot", "flows/wrong.yaml").stderr
    assert stub.requests == []
    assert gazette.here("runs", "--json").stdout.strip() in ("[]", "")


@pytest.mark.promise("cli.run.definition")
def test_what_is_doubtful_in_it_is_said_once_and_in_a_line(gazette: Folder) -> None:
    gazette.write("flows/doubtful.yaml", DECLARED.replace("note: {", "note: {router: true, emit: [judge, unheard], "))

    ran = gazette.run("run", "flows/doubtful.yaml")

    said = [line for line in ran.stderr.splitlines() if "unheard" in line]
    assert said == ["warning: flow Gazette: nothing listens to 'unheard', which note may return: the flow ends there"]


@pytest.mark.promise("cli.run.definition")
def test_a_project_may_name_its_flow(gazette: Folder, stub: Stub) -> None:
    gazette.write("pyproject.toml", '[tool.crewai]\ntype = "flow"\ndefinition = "flows/flow.yaml"\n')
    gazette.write("src/desk.py", CODE)

    ran = gazette.run("run")
    kicked = gazette.run("flow", "kickoff")

    assert "\ntides: " in ran.stdout, ran.stderr
    assert kicked.returncode == 0
    gazette.write("pyproject.toml", '[tool.jackstay]\nrun = "gone.yaml"\n')
    assert "it names the flow gone.yaml, which is not there" in gazette.run("run").stderr
