"""What runs wait for, on both databases: answered once, in time, by whoever is first."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jackstay.core.masking import Secrets
from jackstay.core.records import Wait, Write
from jackstay.core.waits import TIME_OVER, Answer, Asked
from jackstay.engine.answers import give_words, open_waits, wait_of
from jackstay.engine.waits import settled
from jackstay.errors import AlreadyAnswered, NotFoundError
from jackstay.journal import Journal
from tests.contract.journal.programs import in_processes
from tests.contract.journal.programs_of_waits import answer_and_tell
from tests.contract.journal.rows import NOW, TIMEOUT_S, Place, a_run, the_end

CROWD = 20


def waiting(journal: Journal, run_id: str = "run-1", *, deadline: datetime | None = None, **given: object) -> Wait:
    """A run that waits for a person's word."""
    lease = journal.create_run(a_run(run_id)).result(TIMEOUT_S)
    asked = Asked("feedback", "good?", "a draft", ("yes", "no"), "no", **given)  # type: ignore[arg-type]
    made = asked.wait(run_id, "draft#1/@feedback#1", 1, at=NOW, project_id=None)
    wait = Wait(**{**{name: getattr(made, name) for name in Wait.__slots__}, "deadline": deadline})
    journal.write(Write(lease, waits=(wait,), end=the_end("waiting"))).result(TIMEOUT_S)
    return wait


@pytest.mark.promise("human.waits")
def test_of_twenty_answers_at_once_exactly_one_is_accepted(journal: Journal, other: Journal) -> None:
    wait, start = waiting(journal), threading.Barrier(CROWD)

    def answer(number: int) -> str:
        start.wait(TIMEOUT_S)
        try:
            give_words(
                (journal, other)[number % 2], wait, f"answer {number}", None, by=f"person {number}", secrets=Secrets()
            )
        except AlreadyAnswered as error:
            return str(error)
        return "accepted"

    with ThreadPoolExecutor(CROWD) as crowd:
        told = list(crowd.map(answer, range(CROWD)))

    assert told.count("accepted") == 1
    winner = f"person {told.index('accepted')}"
    assert all(f"{winner} has answered 'good?'" in each for each in told if each != "accepted")
    [read] = journal.waits("run-1")
    assert read.answered_by == winner
    assert Answer.from_json(read.answer or "").text == f"answer {told.index('accepted')}"


def test_of_twenty_processes_that_answer_at_once_exactly_one_is_accepted(place: Place, tmp_path: Path) -> None:
    journal = place.open()
    waiting(journal)

    in_processes(answer_and_tell, [(place.url, str(tmp_path / f"told-{number}")) for number in range(CROWD)])

    told = [(tmp_path / f"told-{number}").read_text() for number in range(CROWD)]
    assert sorted(set(told)) == ["AlreadyAnswered", "accepted"]
    assert told.count("accepted") == 1
    journal.close()


@pytest.mark.promise("human.timeout")
def test_after_its_deadline_a_wait_is_answered_by_the_default_and_takes_no_other_answer(journal: Journal) -> None:
    late = waiting(journal, deadline=datetime.now(UTC) - timedelta(seconds=1))

    with pytest.raises(AlreadyAnswered, match="was over"):
        give_words(journal, late, None, "yes", by="ann", secrets=Secrets())

    [read] = journal.waits("run-1")
    assert (read.answered_by, Answer.from_json(read.answer or "").outcome) == (TIME_OVER, "no")
    assert settled(journal, late) == Answer("", "no", TIME_OVER, read.answered_at)


def test_before_its_deadline_a_wait_is_open_and_takes_an_answer(journal: Journal) -> None:
    wait = waiting(journal, deadline=datetime.now(UTC) + timedelta(hours=1))

    assert settled(journal, wait) is None
    assert open_waits(journal, "run-1") == [wait]
    give_words(journal, wait, None, "yes", by="ann", secrets=Secrets())

    assert open_waits(journal, "run-1") == []
    assert (settled(journal, wait) or Answer(None)).outcome == "yes"


def test_open_waits_of_all_runs_are_those_of_runs_that_wait(journal: Journal) -> None:
    first, second = waiting(journal, "run-1"), waiting(journal, "run-2")
    ended = waiting(journal, "run-3")
    takeover = journal.take_up("run-3").result(TIMEOUT_S)
    journal.write(Write(takeover.lease, end=the_end("failed"))).result(TIMEOUT_S)
    give_words(journal, first, "", None, by="ann", secrets=Secrets())

    assert journal.open_waits() == [second]
    assert journal.open_waits(("failed",)) == [ended]


def test_a_wait_is_found_by_its_run_and_number(journal: Journal) -> None:
    wait = waiting(journal)

    assert wait_of(journal, "run-1", None) == wait
    assert wait_of(journal, "run-1", 1) == wait
    with pytest.raises(NotFoundError, match="no wait #2"):
        wait_of(journal, "run-1", 2)
    with pytest.raises(ValueError, match="'maybe' is no outcome"):
        give_words(journal, wait, None, "maybe", by="ann", secrets=Secrets())
    with pytest.raises(ValueError, match="there is no answer"):
        give_words(journal, wait, None, None, by="ann", secrets=Secrets())
    give_words(journal, wait, None, "yes", by="ann", secrets=Secrets())
    with pytest.raises(AlreadyAnswered, match="ann has answered"):
        wait_of(journal, "run-1", None)
