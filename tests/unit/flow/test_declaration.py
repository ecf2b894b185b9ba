"""Flows in YAML and JSON: they do what classes do, and a mistake is said with file, line and key before anything runs."""

from __future__ import annotations

import json
import textwrap
import warnings
from pathlib import Path
from typing import Any

import pytest

from jackstay import Flow, Runtime
from jackstay.core.records import RunFilter
from jackstay.errors import DefinitionError, InputsError, KickoffWhileLoading, MissingKeyError
from jackstay.flow.definition import FlowDefinition
from tests.unit.flow import declared_code

CODE = declared_code.__name__


def flow_of(methods: str, more: str = "") -> Flow[Any]:
    return Flow.from_declaration(text_of(methods, more))


def text_of(methods: str, more: str = "") -> str:
    body = textwrap.indent(textwrap.dedent(methods).strip("\n"), "  ")
    return f"schema: crewai.flow/v1\nname: Told\n{textwrap.dedent(more)}methods:\n{body}\n".replace("CODE", CODE)


# --- what it is made of ---------------------------------------------------------------------------------------------


@pytest.mark.promise("flow.from_declaration", "around.flow_declaration")
def test_a_class_written_as_yaml_and_read_again_is_the_same_flow(runtime: Runtime) -> None:
    declared_code.Writing.failures = 0
    declared_code.desk.asked.clear()
    written = declared_code.Writing.flow_definition().to_yaml()

    flow = Flow.from_declaration(written)
    result = flow.kickoff(inputs={"topic": "eddies"})

    assert flow.flow_definition() == declared_code.Writing.flow_definition()
    assert flow.outline() == declared_code.Writing().outline()
    assert (result, flow.method_outputs[0]) == (declared_code.Verdict.good, "polished eddies")
    assert flow.state.words == 2
    assert declared_code.Writing.failures == 2  # its retry is the class's
    assert declared_code.desk.asked == ["Is it good?"]
    assert flow.name == "Writing"
    assert isinstance(flow, declared_code.Writing)


def test_a_definition_survives_json_a_dict_and_a_file(tmp_path: Path) -> None:
    definition = declared_code.Writing.flow_definition()
    (tmp_path / "flow.json").write_text(definition.to_json(), encoding="utf-8")
    (tmp_path / "flow.yaml").write_text(definition.to_yaml(), encoding="utf-8")

    given: list[Any] = [definition, definition.to_dict(), definition.to_json(), definition.to_yaml()]
    given += [tmp_path / "flow.json", str(tmp_path / "flow.yaml")]
    read = [Flow.from_declaration(each).flow_definition() for each in given]
    read.append(Flow.from_declaration(contents=definition.to_yaml()).flow_definition())
    read.append(Flow.from_declaration(path=tmp_path / "flow.yaml").flow_definition())

    assert read == [definition] * 8
    assert isinstance(read[0], FlowDefinition)


def test_json_is_read_as_json_is_written() -> None:
    text = '{"schema":"crewai.flow/v1",\t"name":"\\ud83d\\ude00",\n"methods":{"a":{"start":true,"do":{"call":"expression","expr":"state.n"}}},\n"state":{"type":"dict","default":{"n":1e3}}}'

    flow = Flow.from_declaration(text)

    assert (flow.kickoff(), flow.name) == (1000.0, "😀")


@pytest.mark.promise("around.flow_declaration")
def test_code_by_reference_is_called_as_its_signature_says() -> None:
    flow = flow_of(
        """
        first: {start: true, do: {call: expression, expr: "'tides'"}}
        second: {listen: first, do: {call: code, ref: "CODE:slowly"}}
        third: {listen: second, do: {call: code, ref: "CODE:noted"}}
        fourth: {listen: third, do: {call: code, ref: "CODE:joined", with: {first: "${outputs.third}", second: it}}}
        """
    )

    assert flow.kickoff() == "tides, slowly and it"
    assert flow.method_outputs == ["tides", "tides, slowly", "tides, slowly", "tides, slowly and it"]
    assert flow.state["noted"] == "tides, slowly"


@pytest.mark.promise("around.flow_declaration")
def test_tools_crews_and_agents_are_called_with_what_expressions_say(runtime: Runtime) -> None:
    flow = flow_of(
        """
        research:
          start: true
          do:
            call: crew
            with:
              agents:
                writer: {role: Writer, goal: "Write of {topic}", backstory: Brief., llm: sim/demo}
              tasks:
                - {description: "Write about {topic}", expected_output: 30 words, agent: writer}
            inputs: {topic: "${state.topic}"}
        named: {listen: research, do: {call: crew, ref: "CODE:small_crew", inputs: {topic: "${outputs.research}"}}}
        count: {listen: named, do: {call: tool, ref: "CODE:count_words", with: {text: "${outputs.research.raw}"}}}
        asked:
          listen: count
          do:
            call: agent
            with: {role: Judge, goal: Judge, backstory: Strict., llm: sim/demo, input: "${'Judge: ' + outputs.named.raw}"}
        again: {listen: asked, do: {call: agent, ref: "CODE:judge", with: {input: "${outputs.asked}"}}}
        """
    )

    result = flow.kickoff(inputs={"topic": "tides"})

    calls = [row for row in runtime.journal.steps(str(flow.run_id)) if row.kind == "llm"]
    assert len(calls) == flow.usage_metrics.successful_requests == 4
    assert flow.method_outputs[2] == 30
    assert result.raw
    (run,) = runtime.journal.runs(RunFilter())
    assert (run.kind, run.name, run.status) == ("flow", "Told", "succeeded")


@pytest.mark.promise("around.flow_declaration")
def test_a_router_sends_the_flow_where_its_expression_says_and_conditions_nest() -> None:
    flow = flow_of(
        """
        left: {start: true, do: {call: expression, expr: "1"}}
        right: {start: true, do: {call: expression, expr: "2"}}
        choose:
          listen: {and: [left, right]}
          router: true
          emit: [high, low]
          do: {call: expression, expr: "state.score >= 80 ? 'high' : 'low'"}
        praise: {listen: {or: [high, {and: [low, left]}]}, do: {call: expression, expr: "'praise'"}}
        """
    )

    assert flow.kickoff(inputs={"score": 80}) == "praise"
    assert flow.method_outputs[2:] == ["high", "praise"]


def test_a_routers_labels_are_known_from_its_functions_annotation() -> None:
    with pytest.raises(DefinitionError, match=r"methods\.lost listens to 'better', which is no method"):
        flow_of(
            """
            choose: {start: true, router: true, do: {call: code, ref: "CODE:choose"}}
            lost: {listen: better, do: {call: expression, expr: "1"}}
            """
        )


@pytest.mark.promise("around.flow_declaration")
def test_each_goes_through_a_list_and_its_steps_are_recorded(runtime: Runtime) -> None:
    flow = flow_of(
        """
        rows: {start: true, do: {call: expression, expr: "['a b', 'c']"}}
        loop:
          listen: rows
          do:
            call: each
            in: outputs.rows
            do:
              - {name: count, action: {call: tool, ref: "CODE:count_words", with: {text: "${item}"}}}
              - {name: slow, action: {call: code, ref: "CODE:slowly"}}
              - {name: more, if: "outputs.count > 1", action: {call: expression, expr: "string(outputs.count) + outputs.slow"}}
        """
    )

    assert flow.kickoff() == ["2a b, slowly", "c, slowly"]
    steps = [row.name for row in runtime.journal.steps(str(flow.run_id)) if row.kind == "step"]
    assert steps == ["count", "slow", "count", "slow"]


def test_what_each_has_done_for_an_element_is_not_done_again_by_a_resumed_run() -> None:
    declared_code.reached.clear()
    text = text_of(
        """
        go:
          start: true
          do:
            call: each
            in: "['a', 'b', 'a']"
            do:
              - {name: reach, action: {call: code, ref: "CODE:reach"}}
              - {name: told, action: {call: agent, ref: "CODE:judge", with: {input: "${outputs.reach}"}}}
              - {name: end, action: {call: expression, expr: "outputs.reach + string(has(outputs.told.raw))"}}
        """
    )
    with pytest.raises(ConnectionError, match="no way"):
        Flow.from_declaration(text).kickoff(run_key="k")

    flow = Flow.from_declaration(text)

    assert flow.kickoff(run_key="k") == ["Atrue", "Btrue", "Atrue"]
    assert declared_code.reached == ["a", "b", "b", "a"]
    assert flow.usage_metrics.successful_requests == 3  # in both together


@pytest.mark.promise("around.flow_declaration")
@pytest.mark.parametrize(
    ("state", "inputs", "expected"),
    [
        ("state: {type: dict, default: {topic: tides}}\n", {}, "tides"),
        ("state: {type: pydantic, ref: 'CODE:Piece'}\n", {"words": 3}, "tides"),
        ("state: {type: pydantic, ref: 'CODE:Piece', default: {topic: eddies}}\n", {}, "eddies"),
        ("state: {type: json_schema, json_schema: {properties: {topic: {type: string}}}}\n", {"topic": "x"}, "x"),
        ("state: {type: json_schema, json_schema: {properties: {topic: {type: string}}}}\n", {}, None),
    ],
)
def test_a_state_is_a_dict_a_model_or_a_json_schema(state: str, inputs: dict[str, Any], expected: Any) -> None:
    flow = flow_of('a: {start: true, do: {call: expression, expr: "state.topic"}}', state)

    assert flow.kickoff(inputs=inputs) == expected


def test_inputs_that_the_states_schema_does_not_allow_are_refused() -> None:
    schema = "{additionalProperties: false, properties: {n: {type: [integer, 'null']}, of: {type: array, items: {enum: [a]}}}}"
    flow = flow_of(
        'a: {start: true, do: {call: expression, expr: "state.n"}}',
        f"state: {{type: json_schema, json_schema: {schema}}}\n",
    )

    assert flow.kickoff(inputs={"n": 2, "of": ["a"]}) == 2
    for wrong in ({"n": "many"}, {"m": 1}, {"of": ["b"]}):
        with pytest.raises(InputsError, match="Invalid inputs for structured state"):
            flow.kickoff(inputs=wrong)


def test_people_are_asked_as_the_declaration_says() -> None:
    declared_code.desk.asked.clear()
    flow = flow_of(
        """
        draft:
          start: true
          do: {call: expression, expr: "'a draft'"}
          human_feedback: {message: "Good?", emit: [good, bad], llm: sim/demo, provider: "CODE:desk"}
        publish: {listen: good, do: {call: expression, expr: "outputs.draft.feedback + ' ' + outputs.draft.output"}}
        """
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")

        assert flow.kickoff() == "good a draft"
    assert declared_code.desk.asked == ["Good?"]


def test_a_state_that_is_persisted_is_found_again() -> None:
    text = text_of(
        """
        a: {start: true, do: {call: code, ref: "CODE:noted", with: {text: "${has(state.text) ? state.text : 'none'}"}}}
        """,
        "persist: true\n",
    )
    first = Flow.from_declaration(text)
    first.kickoff(inputs={"id": "mine", "text": "kept"})

    again = Flow.from_declaration(text)
    assert again.kickoff(inputs={"id": "mine"}) == "kept"


@pytest.mark.promise("around.flow_declaration")
def test_a_declared_flow_goes_on_where_it_failed(runtime: Runtime) -> None:
    text = text_of(
        """
        research: {start: true, do: {call: agent, ref: "CODE:judge", with: {input: "Judge it"}}}
        store: {listen: research, do: {call: code, ref: "CODE:STORE"}}
        count: {listen: store, do: {call: expression, expr: "outputs.research.raw"}}
        """
    )
    with pytest.raises(RuntimeError, match="not today"):
        Flow.from_declaration(text.replace("STORE", "failing")).kickoff(run_key="k")

    flow = Flow.from_declaration(text.replace("STORE", "choose"))
    answer = flow.kickoff(run_key="k")

    assert answer
    assert flow.usage_metrics.successful_requests == 1  # in both together
    assert len(runtime.journal.runs(RunFilter())) == 1


def test_methods_may_be_called_as_what_all_flows_have() -> None:
    flow = flow_of(
        """
        kickoff: {start: true, do: {call: expression, expr: "1"}}
        state: {listen: kickoff, do: {call: expression, expr: "outputs.kickoff + 1"}}
        __init__: {listen: state, do: {call: code, ref: "CODE:noted", with: {text: "${string(outputs.state)}"}}}
        """
    )

    assert flow.kickoff() == "2"
    assert flow.state["noted"] == "2"


def test_a_structured_answer_is_read_from_the_record(runtime: Runtime) -> None:
    text = text_of(
        """
        ask:
          start: true
          do: {call: agent, ref: "CODE:judge", with: {input: "Judge it", response_format: {python: CODE.Piece}}}
        count: {listen: ask, do: {call: code, ref: "CODE:STORE"}}
        """
    )
    with pytest.raises(RuntimeError, match="not today"):
        Flow.from_declaration(text.replace("STORE", "failing")).kickoff(run_key="k")
    told: list[str] = []
    runtime.observers.append(
        lambda event: told.append(str(event.data.get("text"))) if event.name == "warning" else None
    )

    flow = Flow.from_declaration(text.replace("STORE", "choose"))
    flow.kickoff(run_key="k")

    assert isinstance(flow.method_outputs[0].pydantic, declared_code.Piece)
    assert told == []


def test_it_is_drawn_with_its_declaration_as_source(tmp_path: Path) -> None:
    flow = flow_of('a: {description: Counts, start: true, do: {call: expression, expr: "1 + 1"}}')

    page = Path(flow.plot(tmp_path / "told", show=False)).read_text(encoding="utf-8")

    assert "expr: 1 + 1" in page
    assert "Counts" in page


# --- what is refused ------------------------------------------------------------------------------------------------

MISTAKES = {
    "a: {start: true, do: {call: code, ref: 'CODE:gone'}}": "line 4: methods.a.do.ref is 'CODE:gone', and CODE has no gone",
    "a: {start: true, do: {call: code, ref: 'no_such_module:x'}}": "methods.a.do.ref names the module no_such_module, which is not there",
    "a: {start: true, do: {call: code, ref: shorten}}": "methods.a.do.ref is 'shorten'; write module:name",
    "a: {start: true, do: {call: code, ref: 'CODE:not_callable'}}": "which is no function but 7",
    "a: {start: true, do: {call: code, ref: 'CODE:joined', with: {frist: x}}}": "methods.a.do.with does not fit CODE:joined",
    "a: {start: true, do: {call: code, ref: 'f.<locals>:x.<locals>.g'}}": "write module:name",
    "a: {start: true, do: {call: script, code: 'print(1)'}}": "methods.a.do.call is a script, and code in declarations is not executed",
    "a: {start: true, do: {call: crow}}": "methods.a.do.call is 'crow'; did you mean crew?",
    "a: {start: true, do: {ref: x}}": "methods.a.do has no call; it is one of code, tool, crew",
    "a: {start: true, do: {call: expression, expr: 'state.'}}": "methods.a.do.expr is 'state.': column 7: a name is expected",
    "a: {start: true, do: {call: expression, expr: 'item'}}": "there is no item",
    "a: {start: true, do: {call: expression, exp: '1'}}": "methods.a.do.exp means nothing here; did you mean expr?",
    "a: {start: true, do: {call: expression}}": "methods.a.do has no expr",
    "a: {start: true, do: {call: expression, expr: '1', ref: x}}": "methods.a.do.ref means nothing here; there is call, expr",
    "a: {start: true, strat: 1, do: {call: expression, expr: '1'}}": "methods.a.strat means nothing here; did you mean start?",
    "a: {do: {call: expression, expr: '1'}}": "methods.a has neither start nor listen",
    "a: {start: true, listen: a, do: {call: expression, expr: '1'}}": "methods.a.listen stands beside start",
    "a: {start: true, emit: [x], do: {call: expression, expr: '1'}}": "methods.a.emit is what routers return; add router: true",
    "a: {start: {xor: [b]}, do: {call: expression, expr: '1'}}": "methods.a.start is {'xor': ['b']}; write a method's name",
    "a: {listen: a, do: {call: expression, expr: '1'}}": "methods do not run: no method is decorated",
    "'1a': {start: true, do: {call: expression, expr: '1'}}": "methods.1a is no name of a method",
    "a: {start: true, do: {call: tool, ref: 'CODE:joined'}}": "which is no tool; for a function write call: code",
    "a: {start: true, do: {call: tool, ref: 'CODE:pay', with: {euros: 3}}}": "methods.a.do.ref is 'tests.unit.flow.declared_code:pay', which acts on the world",
    "a: {start: true, do: {call: tool, ref: 'CODE:count_words', with: {txt: x}}}": "methods.a.do.with.txt is no argument of the tool 'count words'; it takes text, least",
    "a: {start: true, do: {call: tool, ref: 'CODE:count_words'}}": "has no text, which the tool 'count words' needs",
    "a: {start: true, do: {call: tool, ref: 'CODE:count_words', with: {text: '${1 +}'}}}": "methods.a.do.with.text is '1 +': column 4",
    "a: {start: true, do: {call: crew}}": "methods.a.do is a crew: say which",
    "a: {start: true, do: {call: crew, ref: 'CODE:Piece'}}": "which is no crew but",
    "a: {start: true, do: {call: crew, with: {agents: {w: {role: W, gaol: x}}, tasks: [{description: d}]}}}": "methods.a.do.with.agents.w.gaol is nothing that an agent has; did you mean goal?",
    "a: {start: true, do: {call: crew, with: {tasks: [{description: d}]}}}": "methods.a.do.with has no agents",
    "a: {start: true, do: {call: crew, with: {agents: {w: {role: W, goal: g, backstory: b, max_iter: many}}, tasks: []}}}": "methods.a.do.with.agents.w.max_iter is 'many'",
    "a: {start: true, do: {call: crew, with: {agents: {w: {role: W, goal: g, backstory: b, tools: ['CODE:gone']}}, tasks: []}}}": "methods.a.do.with.agents.w.tools.0 is 'CODE:gone'",
    "a: {start: true, do: {call: crew, with: {agents: {w: {role: W, goal: g, backstory: b}}, tasks: [{description: d, expected_output: e, agent: v}]}}}": "methods.a.do.with.tasks.0.agent is 'v', which is no agent of this crew",
    "a: {start: true, do: {call: crew, with: {agents: {w: {role: W, goal: g}}, tasks: [{description: d}]}}}": "methods.a.do.with.agents.w cannot be made: Agent: backstory: Field required",
    "a: {start: true, do: {call: crew, with: {proces: x, agents: {}, tasks: []}}}": "methods.a.do.with.proces is nothing that a crew has; did you mean process?",
    "a: {start: true, do: {call: agent, with: {role: R, goal: g, backstory: b}}}": "methods.a.do.with has no input",
    "a: {start: true, do: {call: agent, with: {role: R, goal: g, backstory: b, inptu: x}}}": "methods.a.do.with.inptu is nothing that an agent has; did you mean input?",
    "a: {start: true, do: {call: agent, ref: 'CODE:joined', with: {input: x}}}": "which is no agent but",
    "a: {start: true, do: {call: agent, ref: 'CODE:judge', with: {input: x, role: y}}}": "methods.a.do.with.role is said of an agent that is named by ref",
    "a: {start: true, do: {call: each, in: '[1]', do: [{name: x, action: {call: expression, expr: itm}}]}}": "methods.a.do.do.0.action.expr is 'itm': column 1: there is no itm; did you mean item?",
    "a: {start: true, do: {call: each, in: '[1]', do: [{name: x, fi: '1', action: {call: expression, expr: item}}]}}": "methods.a.do.do.0.fi means nothing here; there is action, if, name",
    "a: hello": "methods.a is 'hello'; write keys below it",
    "a: {start: true, do: [1]}": "methods.a.do is [1]; write keys below it",
    "on: {start: true, do: {call: expression, expr: '1'}}": "methods has the key True; put it in quotes",
    "a: {start: true, do: {call: agent, ref: 'CODE:judge', with: {input: [1]}}}": "methods.a.do.with.input is [1]; write a text",
    "a: {start: true, retry: {max_attempts: 0}, do: {call: expression, expr: '1'}}": "methods.a.retry cannot be: Retry(max_attempts=0)",
    "a: {start: true, human_feedback: {message: '?', default_outcome: x}, do: {call: expression, expr: '1'}}": "methods.a.human_feedback does not fit:",
}


@pytest.mark.promise("around.flow_declaration", "flow.from_declaration")
@pytest.mark.parametrize(("methods", "told"), MISTAKES.items())
def test_a_mistake_is_said_with_its_line_and_key(methods: str, told: str) -> None:
    with pytest.raises(DefinitionError) as error:
        flow_of(methods)

    assert told.replace("CODE", CODE) in str(error.value)
    assert str(error.value).startswith("the declaration, line ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: x\nmethods: {}\n", "line 2: methods do not run: no method"),
        ("schema: crewai.flow/v2\nname: x\nmethods: {}\n", "line 1: schema is 'crewai.flow/v2': Input should be 'crewai.flow/v1'"),
        ("name: x\n", "the flow has no methods"),
        ("name: x\nmethod: {}\nmethods: {}\n", "line 2: method means nothing here; did you mean methods?"),
        ("- a\n- b\n", "it is no flow"),
        ("name: x\nstate: &s {type: dict, default: {again: *s}}\n", "line 2: state.default.again contains itself"),
        ('{"a":' * 5000, "nested too deeply"),
        ("name: x\nname: y\nmethods: {}\n", "line 2: name is there twice"),
        ("name: x\nmethods:\n\t- a\n", "line 3, column 1"),
        ('{"name": "x",\n "methods": }', "line 2, column 13: Expecting value; correct the JSON there"),
        ('{"name": "x",\n\t"metods": {},\n "methods": {}}', "line 2: metods means nothing here; did you mean methods?"),
        ("name: x\nstate: {type: pydantic}\nmethods: {a: {start: true, do: {call: expression, expr: '1'}}}\n", "line 2: state has the type pydantic and no ref"),
        (f"name: x\nstate: {{type: pydantic, ref: '{CODE}:joined'}}\nmethods: {{a: {{start: true, do: {{call: expression, expr: '1'}}}}}}\n", "which is no pydantic model"),
        ("name: x\nstate: {type: json_schema, json_schema: {properties: {n: {type: whole}}}}\nmethods: {a: {start: true, do: {call: expression, expr: '1'}}}\n", "state.json_schema.properties.n.type is 'whole'"),
    ],
)  # fmt: skip
def test_a_document_that_is_no_flow_is_refused(text: str, told: str) -> None:
    with pytest.raises(DefinitionError) as error:
        Flow.from_declaration(text)

    assert told in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"flow\.yaml: there is no such file"):
        Flow.from_declaration(tmp_path / "flow.yaml")
    with pytest.raises(DefinitionError, match="give one of"):
        Flow.from_declaration()


def test_a_model_that_cannot_be_asked_ends_the_kickoff_before_anything_runs(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    flow = flow_of(
        """
        first: {start: true, do: {call: agent, ref: "CODE:judge", with: {input: "Judge it"}}}
        second:
          listen: first
          do: {call: agent, with: {role: R, goal: g, backstory: b, llm: gpt-4o-mini, input: x}}
        """
    )

    with pytest.raises(MissingKeyError):
        flow.kickoff()

    assert runtime.journal.runs(RunFilter()) == []


def test_text_around_an_expression_is_a_warning() -> None:
    with pytest.warns(UserWarning, match=r"methods\.a\.do\.with\.input has \$\{…\} inside a longer text"):
        flow_of('a: {start: true, do: {call: agent, ref: "CODE:judge", with: {input: "Judge ${state.x}"}}}')


def test_a_module_that_kicks_off_when_it_is_imported_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kicks_off_at_once.py").write_text(
        f"from {CODE} import judge\njudge.kickoff('hello')\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(KickoffWhileLoading):
        flow_of("a: {start: true, do: {call: code, ref: 'kicks_off_at_once:x'}}")


def test_an_expression_without_a_value_fails_its_method_by_name() -> None:
    flow = flow_of('a: {start: true, do: {call: expression, expr: "state.gone"}}')

    with pytest.raises(DefinitionError, match="state has no gone") as error:
        flow.kickoff()

    assert any("raised in method a" in note for note in error.value.__notes__)
    assert json.loads(json.dumps(str(error.value)))
