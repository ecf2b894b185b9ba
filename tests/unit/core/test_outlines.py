"""What of a definition depends on what, and what has changed in it, from outlines alone."""

from __future__ import annotations

from typing import Any

import pytest

from jackstay.core.outlines import Completion, changes, dependents, follows, likeness, tasks_of

AGENT = {"role": "Writer", "goal": "g", "backstory": "b", "model": "m", "sampling": {}, "tools": [], "max_iter": 25}
AGENT |= {"templates": [], "date": None}


def task(name: str | None, description: str = "", **more: Any) -> dict[str, Any]:
    body = {"name": name, "description": description or f"To {name}", "expected_output": "t", "agent": AGENT}
    return body | {"context": None, "tools": [], "output": None, "async": False, "markdown": False} | more


def crew(*tasks: dict[str, Any]) -> list[Any]:
    return ["crew", "crew", list(tasks)]


ASIDE: dict[str, Any] = {"async": True}
ABCD = crew(task("a"), task("b"), task("c"), task("d"))


@pytest.mark.parametrize(
    ("tasks", "seed", "found"),
    [
        ([task("a"), task("b"), task("c")], 1, {1, 2}),
        ([task("a"), task("b", context=[]), task("c", context=[0])], 0, {0, 2}),
        ([task("a"), task("b", context=[0]), task("c", context=[1])], 0, {0, 1, 2}),
        ([task("a", **ASIDE), task("b", **ASIDE), task("c")], 0, {0, 2}),
        ([task("a"), task("b", context=[], conditional=True), task("c", context=[])], 0, {0, 1}),
    ],
)
def test_what_is_told_an_output_depends_on_it(tasks, seed, found):
    assert dependents(tasks_of(crew(*tasks)), [seed]) == found


def test_tasks_have_the_parts_of_their_paths():
    parts = [each.part for each in tasks_of(crew(task("a"), task("a"), task(None, "Write about {topic}")))]

    assert parts == ["a#1", "a#2", "write_about_topic#1"]


def test_variables_are_those_of_the_question():
    (one,) = tasks_of(crew(task("a", "On {topic}", agent=AGENT | {"goal": "Know {who}"})))

    assert one.variables == {"topic", "who"}


FLOW: list[Any] = [
    "flow",
    "Flow",
    {
        "begin": [True, None, False, []],
        "left": [False, "begin", False, []],
        "right": [False, "begin", False, []],
        "join": [False, ["and", "left", "right"], False, []],
        "judge": [False, "join", True, ["good", "bad"]],
        "praise": [False, "good", False, []],
    },
    ["topic"],
]


@pytest.mark.parametrize(
    ("method", "found"),
    [
        ("begin", {"begin", "left", "right", "join", "judge", "praise"}),
        ("left", {"left", "join", "judge", "praise"}),
        ("judge", {"judge", "praise"}),
        ("praise", {"praise"}),
    ],
)
def test_what_followed_from_a_call_is_found(method, found):
    order = ("begin", "right", "left", "join", "judge", "praise")
    done = [Completion(name, 1, "good" if name == "judge" else None) for name in order]

    assert follows(FLOW, done, [(method, 1)]) == {(name, 1) for name in found}


CHANGES = [
    (crew(task("a"), task("b", "To b twice"), task("c"), task("d")), ["task 'b': its description has changed"]),
    (crew(task("a"), task("z", "To b"), task("c"), task("d")), ["task 'b' is called 'z' now"]),
    (crew(task("a"), task("b"), task("d")), ["task 'c' is gone"]),
    (crew(*ABCD[2], task("e")), ["task 'e' is new"]),
    (crew(task("b"), task("a"), task("c"), task("d")), ["the tasks are in another order"]),
    (
        crew(task("a", agent=AGENT | {"model": "n"}), *ABCD[2][1:]),
        ["task 'a': agent 'Writer': the model changed; what is recorded is kept"],
    ),
    (crew(task("a", tools=[{"name": "search"}]), *ABCD[2][1:]), ["task 'a': the tool 'search' is new"]),
    (
        crew(task("a", agent=AGENT | {"servers": [["s", None]]}), *ABCD[2][1:]),
        ["task 'a': agent 'Writer': the servers of its tools have changed"],
    ),
    (crew(task("a"), task("b", context=[0]), *ABCD[2][2:]), ["task 'b': it is given other tasks' outputs"]),
    (crew(task("a", guardrails=["f"]), *ABCD[2][1:]), ["task 'a': other guardrails"]),
    (["crew", "other", ABCD[2]], ["crew 'crew' is defined otherwise"]),
]


@pytest.mark.parametrize(("new", "said"), CHANGES, ids=[said[0] for _, said in CHANGES])
def test_every_change_of_a_crew_is_said(new, said):
    assert [change.text for change in changes(ABCD, new)] == said


BOSS, CRITIC = AGENT | {"role": "Boss"}, AGENT | {"role": "Critic"}
LEAD = AGENT | {"role": "Lead", "delegates": True}


def managed(*tasks: dict[str, Any], manager: dict[str, Any] = BOSS, agents: Any = (AGENT, CRITIC)) -> list[Any]:
    return [*crew(*tasks), {"manager": manager, "agents": list(agents)}]


TEAM = managed(task("a", agent=None), task("b"))


def test_a_managers_tasks_are_the_managers_and_need_no_agent():
    topical = CRITIC | {"goal": "Judge {topic}"}
    first, second = tasks_of(managed(*TEAM[2], agents=[AGENT, topical], manager=BOSS | {"goal": "Lead {who}"}))

    assert (first.agent, second.agent) == ("Boss", "Boss")
    assert list(first.coworkers) == ["Writer", "Critic"]
    assert first.variables == {"topic", "who"}


def test_coworkers_are_those_whom_the_tasks_own_agent_may_delegate_to():
    tasks = crew(task("a", agent=LEAD), task("b"))
    first, second = tasks_of([*tasks, {"agents": [LEAD, AGENT, CRITIC]}])

    assert (list(first.coworkers), list(second.coworkers)) == (["Writer", "Critic"], [])


@pytest.mark.parametrize(
    ("new", "said", "parts"),
    [
        (
            managed(*TEAM[2], manager=BOSS | {"goal": "h"}),
            [f"task '{name}': manager 'Boss': the goal has changed" for name in "ab"],
            ["a#1", "b#1"],
        ),
        (
            managed(*TEAM[2], manager=BOSS | {"model": "n"}),
            [f"task '{name}': manager 'Boss': the model changed; what is recorded is kept" for name in "ab"],
            [None, None],
        ),
        (
            managed(*TEAM[2], agents=[AGENT | {"tools": [{"name": "search"}], "model": "n"}, CRITIC]),
            [
                f"task '{name}': coworker 'Writer': {what}"
                for name in "ab"
                for what in ("the tools changed", "the model changed; what is recorded is kept")
            ],
            ["a#1", None, "b#1", None],
        ),
        (
            managed(*TEAM[2], agents=[AGENT, LEAD]),
            [f"task '{name}': coworker {what}" for name in "ab" for what in ("'Critic' is gone", "'Lead' is new")],
            ["a#1", "a#1", "b#1", "b#1"],
        ),
        (managed(TEAM[2][0], task("b", agent=CRITIC)), ["task 'b': it is meant for another agent"], ["b#1"]),
        (
            crew(task("a"), task("b")),
            [f"task '{name}': its agent 'Writer' does it now" for name in "ab"],
            ["a#1", "b#1"],
        ),
    ],
)
def test_every_change_of_a_team_is_said_where_it_changes_the_question(new, said, parts):
    found = changes(TEAM, new)

    assert [change.text for change in found] == said
    assert [change.part for change in found] == parts


def test_changes_of_a_flow_are_said():
    kept = {name: method for name, method in FLOW[2].items() if name != "praise"}
    changed = {**kept, "left": [True, None, False, []], "end": [False, "join", False, []]}
    new = ["flow", "Flow", changed, ["words"]]

    assert [change.text for change in changes(FLOW, new)] == [
        "method 'left' starts otherwise than before",
        "method 'praise' is gone",
        "method 'end' is new",
        "the state's field 'topic' is gone",
        "the state's field 'words' is new",
    ]


def test_nothing_has_changed():
    assert changes(ABCD, ABCD) == changes(FLOW, FLOW) == []


@pytest.mark.parametrize(
    ("new", "share"),
    [(ABCD, 1.0), (crew(*ABCD[2][:2]), 0.5), (crew(task("x"), task("y")), 0.0), (FLOW, 0.0)],
)
def test_likeness_is_the_share_of_tasks_in_common(new, share):
    assert likeness(ABCD, new) == share


def test_other_kickoff_callbacks_are_told() -> None:
    plain = ["crew", "crew", []]

    found = changes(plain, [*plain, {"before_kickoff": ["cleaned"], "after_kickoff": []}])

    assert [change.text for change in found] == ["other kickoff callbacks"]
