"""`make mutants` can do its work: each mutation changes one place of the source, and a behaviour that is off is noticed."""

from __future__ import annotations

import pytest

from tests.compat.mutations import MUTATIONS, Mutation
from tools import mutants


@pytest.mark.parametrize("promise", MUTATIONS)
def test_a_mutation_changes_one_place_and_has_a_test(promise: str) -> None:
    assert list(mutants.faults_of(promise, MUTATIONS[promise])) == []


def test_a_text_that_is_not_there_is_a_fault() -> None:
    mutation = Mutation(MUTATIONS["agent.max_iter"].file, "this is nowhere", "")

    (fault,) = mutants.faults_of("agent.max_iter", mutation)
    assert "stands 0 times" in fault


@pytest.mark.parametrize(
    ("code", "printed", "end"),
    [
        (0, "", "SURVIVED"),
        (1, "FAILED tests/x.py::test_y - E", "red"),
        (1, "ERROR tests/x.py", "BROKEN"),
        (2, "", "BROKEN"),
    ],
)
def test_only_a_test_that_failed_has_seen_it(code: int, printed: str, end: str) -> None:
    assert mutants.judged(code, printed)[0] == end


def test_what_is_switched_off_is_seen_by_its_test() -> None:
    with mutants.copy_of_the_clone() as copy:
        verdict = mutants.verdict_on(copy, "agent.max_iter", MUTATIONS["agent.max_iter"])

    assert verdict.end == "red", verdict.told
