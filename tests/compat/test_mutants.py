"""What `make mutants` needs is there: each promise can be switched off, and a test that cannot fail is told apart."""

from __future__ import annotations

import pytest

from tests.compat.mutations import MUTATIONS, Mutation
from tests.compat.rows import all_rows
from tools import mutants


@pytest.mark.parametrize("promise", MUTATIONS)
def test_its_text_stands_there_once_and_a_test_is_marked_with_it(promise: str) -> None:
    assert list(mutants.faults_of(promise, MUTATIONS[promise])) == []


def test_there_are_enough_to_draw_from() -> None:
    rows = {row.promise: row for row in all_rows()}

    assert len(MUTATIONS) >= 45
    assert {rows[promise].claimed for promise in MUTATIONS} <= {"same", "better"}


@pytest.mark.parametrize(
    ("mutation", "told"),
    [
        (Mutation("core/tasks.py", "no such text", "x"), "stands 0 times"),
        (Mutation("core/nothing.py", "x", "y"), "stands 0 times"),
        (Mutation("core/tasks.py", "index", "x"), "not once"),
        (Mutation("core/tasks.py", "def stages(", "def (stages"), "is no Python"),
    ],
)
def test_a_mutation_that_cannot_be_made_is_said(mutation: Mutation, told: str) -> None:
    (fault,) = mutants.faults_of("task.context", mutation)

    assert told in fault


@pytest.mark.parametrize(
    ("code", "printed", "end"),
    [
        (0, "3 passed in 1 s", "SURVIVED"),
        (1, "FAILED tests/a.py::test_b - assert 1 == 2\n1 failed in 1 s", "red"),
        (1, "ERROR tests/a.py::test_b - fixture\n1 error in 1 s", "BROKEN"),
        (2, "ImportError\n1 error during collection", "BROKEN"),
        (4, "no such file", "BROKEN"),
        (5, "no tests ran", "BROKEN"),
    ],
)
def test_only_a_failed_test_has_seen_it(code: int, printed: str, end: str) -> None:
    assert mutants.judged(code, printed)[0] == end


def test_what_is_drawn_can_be_drawn_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv(mutants.SEED, raising=False)
    drawn = mutants.chosen([])
    monkeypatch.setenv(mutants.SEED, capsys.readouterr().out.strip().partition("=")[2])

    assert mutants.chosen([]) == drawn
    assert len(set(drawn)) == mutants.DRAWN


def test_a_mutant_is_seen_and_what_changes_nothing_survives() -> None:
    real = MUTATIONS["agent.backstory"]
    with mutants.copy_of_the_clone() as copy:
        seen = mutants.verdict_on(copy, "agent.backstory", real)
        idle = mutants.verdict_on(copy, "agent.backstory", Mutation(real.file, real.old, real.old))

    assert (seen.end, seen.told) == ("red", "test_the_identity_is_role_backstory_and_goal")
    assert idle.end == "SURVIVED", idle.told
