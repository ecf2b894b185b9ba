"""The simulated model's answers: deterministic, of the wanted length, fit for schemas, with tool rounds."""

from __future__ import annotations

import hashlib
import json

import pytest

from jackstay.core.messages import Message, OutputSchema, ToolCall, ToolSpec
from jackstay.core.prompts import FORCED_ANSWER, react_text, schema_text
from jackstay.core.react import Action, parse
from jackstay.models.sim_brain import respond
from jackstay.models.sim_brief import read_brief, topic_of

SYSTEM = Message("system", "You are Senior Analyst. Expert researcher.\nYour personal goal is: Research AI agents")
SEARCH = ToolSpec(
    "search",
    "Search the web",
    {
        "type": "object",
        "properties": {"query": {"type": "string"}, "limit": {"type": "integer", "minimum": 1, "maximum": 5}},
        "required": ["query", "limit"],
    },
)
SAVE = ToolSpec("save_note", "Save a note", {"type": "object", "properties": {"text": {"type": "string"}}})


def task(description: str, expected: str = "A brief research summary") -> list[Message]:
    text = f"Current Task: {description}\n\nThis is the expected criteria for your final answer: {expected}\n\n"
    return [SYSTEM, Message("user", f"{text}You MUST return the actual complete content as the final answer.")]


def after_tools(messages: list[Message], answer_calls: tuple[ToolCall, ...], result: str) -> list[Message]:
    results = [Message("tool", result, tool_call_id=call.id, name=call.name) for call in answer_calls]
    return [*messages, Message("assistant", "", answer_calls), *results]


def test_equal_conversations_get_equal_answers_and_others_do_not():
    first = respond(task("Research AI agents"))

    assert respond(task("Research AI agents")) == first
    assert respond(task("Research AI agents"), seed=1).text != first.text
    assert respond(task("Research RAG systems")).text != first.text


def test_answers_are_the_same_in_every_process_and_python_version():
    # A change here breaks recorded demos: it is a new version of the simulated model.
    text = respond(task("Research AI agents", "A summary in 12 words")).text
    long = respond(task("Write about AI agents", "A report of 400 words in markdown")).text
    call = respond(task("Research AI agents"), [SEARCH]).tool_calls[0]

    assert hashlib.sha256(long.encode()).hexdigest()[:12] == "e5669d36658f"
    assert text == GOLDEN_TEXT
    assert (call.id, call.name, json.loads(call.arguments)) == GOLDEN_CALL


GOLDEN_TEXT = "Work on AI agents has moved from experiments to everyday use today."
GOLDEN_CALL = ("call_76b74b0a9bb0a671a1169b6d", "search", {"query": "AI agents", "limit": 2})


def test_answer_does_not_depend_on_the_ids_of_tool_calls():
    asked = task("Research AI agents")
    one = after_tools(asked, (ToolCall("a", "search", "{}"),), "42 results")
    other = after_tools(asked, (ToolCall("b", "search", "{}"),), "42 results")

    assert respond(one, [SEARCH]) == respond(other, [SEARCH])


@pytest.mark.parametrize(
    ("wish", "low", "high"),
    [
        ("exactly 500 words", 500, 500),
        ("a 40-word teaser", 40, 40),
        ("at most 100 words", 60, 100),
        ("at least 200 words", 200, 240),
        ("between 50 and 80 words", 50, 80),
        ("50-80 words", 50, 80),
        ("1,200 words", 1200, 1200),
        ("one sentence", 5, 40),
    ],
)
def test_wanted_number_of_words_is_kept(wish, low, high):
    text = respond(task("Write about AI agents", wish)).text

    assert low <= len(text.split()) <= high


def test_guardrail_complaint_about_the_length_is_heeded():
    first = respond(task("Write about AI agents", "300 words"))
    complaint = Message("user", "The answer is too long: use at most 30 words.")

    second = respond([*task("Write about AI agents", "300 words"), Message("assistant", first.text), complaint])

    assert len(second.text.split()) <= 30


def test_text_names_the_topic_and_lists_the_wanted_items():
    text = respond(task("Find trends in quantum sensors", "A list of 4 bullet points about quantum sensors")).text

    assert len([line for line in text.splitlines() if line.startswith("- ")]) == 4
    assert "quantum sensors" in text


def test_markdown_is_written_where_it_is_asked_for():
    text = respond(task("Write about AI agents", "A report in markdown")).text

    assert text.startswith("# ")
    assert "\n## " in text


@pytest.mark.parametrize(
    ("description", "topic"),
    [
        ("Research AI agents", "AI agents"),
        ("Write a short summary about solar power in Spain", "solar power in Spain"),
        ("Summarize 'The Old Man' for children", "The Old Man"),
        ("", "the task"),
    ],
)
def test_topic_is_taken_from_the_task(description, topic):
    assert topic_of(description) == topic


def test_brief_reads_role_task_expected_output_and_context():
    messages = task("Research AI agents", "Three facts")
    messages[1] = Message(
        "user", f"{messages[1].content}\n\nThis is the context you're working with:\nEarlier: 7 facts"
    )

    brief = read_brief(messages)

    assert (brief.role, brief.task, brief.expected) == ("Senior Analyst", "Research AI agents", "Three facts")
    assert brief.context == "Earlier: 7 facts"


def test_tools_are_called_first_and_their_results_used_after():
    asked = task("Research AI agents")

    first = respond(asked, [SEARCH])
    second = respond(after_tools(asked, first.tool_calls, "Seven vendors ship agents"), [SEARCH])

    assert first.finish_reason == "tool_calls"
    assert json.loads(first.tool_calls[0].arguments)["query"] == "AI agents"
    assert second.tool_calls == ()
    assert "Seven vendors ship agents" in second.text


def test_three_rounds_make_four_turns():
    messages, turns = task("Research AI agents"), 0
    while True:
        turns += 1
        answer = respond(messages, [SEARCH, SAVE], rounds=3)
        if not answer.tool_calls:
            break
        messages = after_tools(messages, answer.tool_calls, "found it")

    assert turns == 4


def test_many_rounds_do_not_ask_the_same_thing_again_and_again():
    messages, asked = task("Research AI agents"), []
    for _ in range(6):
        answer = respond(messages, [SEARCH], rounds=6)
        asked.append(answer.tool_calls[0].arguments)
        messages = after_tools(messages, answer.tool_calls, "found it")

    assert len(set(asked)) == 5, "the second round asks as the first"


def test_forced_final_answer_and_tool_choice_are_obeyed():
    asked = task("Research AI agents")

    assert respond([*asked, Message("user", FORCED_ANSWER)], [SEARCH], rounds=9).tool_calls == ()
    assert respond(asked, [SEARCH], tool_choice="none").tool_calls == ()
    assert respond(asked, [SEARCH, SAVE], tool_choice="save_note").tool_calls[0].name == "save_note"
    done = after_tools(asked, (ToolCall("a", "search", "{}"),), "x")
    assert respond(done, [SEARCH], tool_choice="required").tool_calls[0].name == "search"


def test_structured_answer_fits_the_schema_given_or_pasted_into_the_prompt():
    schema = {
        "type": "object",
        "properties": {"title": {"type": "string"}, "score": {"type": "integer", "minimum": 1, "maximum": 10}},
        "required": ["title", "score"],
    }
    asked = task("Rate AI agents")
    pasted = [asked[0], Message("user", f"{asked[1].content}\n\n{schema_text(schema)}")]

    for answer in (respond(asked, (), OutputSchema("Rating", schema)), respond(pasted)):
        value = json.loads(answer.text)
        assert set(value) == {"title", "score"}
        assert 1 <= value["score"] <= 10


def test_schema_in_the_envelope_of_openai_is_found():
    envelope = {
        "type": "json_schema",
        "json_schema": {"name": "X", "schema": {"type": "object", "properties": {"a": {}}}},
    }

    text = respond([Message("user", f"Answer in JSON by this OpenAPI schema: {json.dumps(envelope)}")]).text

    assert set(json.loads(text)) == {"a"}


def test_json_in_a_prompt_without_a_wish_for_json_is_left_alone():
    text = respond([Message("user", 'Explain the config {"properties": {"a": 1}} in 10 words')]).text

    assert not text.startswith("{")


def test_tools_described_in_text_are_called_in_the_react_format():
    messages = [Message("system", f"{SYSTEM.content}\n\n{react_text([SEARCH])}"), task("Research AI agents")[1]]

    action = parse(respond(messages).text)
    assert isinstance(action, Action)
    assert action.tool == "search"
    assert json.loads(action.arguments)["query"] == "AI agents"

    done = [*messages, Message("assistant", respond(messages).text), Message("user", "Observation: seven vendors")]
    final = parse(respond(done).text)
    assert isinstance(final, str)
    assert "seven vendors" in final


def test_usage_is_a_quarter_of_the_characters():
    answer = respond([Message("user", "x" * 400)])

    assert answer.usage.input_tokens == 100
    assert answer.usage.output_tokens == -(-len(answer.text) // 4)


def test_max_tokens_cuts_the_text():
    answer = respond(task("Write about AI agents", "300 words"), max_tokens=10)

    assert (len(answer.text), answer.finish_reason) == (40, "length")


def test_words_argument_sets_the_length_where_the_task_does_not():
    assert len(respond(task("Write about AI agents", "A text"), words=33).text.split()) == 33
    assert len(respond(task("Write about AI agents", "20 words"), words=33).text.split()) == 20
