"""Finding runs, payloads of any size, conversations, bills."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jackstay.core.messages import Conversation, Message
from jackstay.core.records import Blob, Lease, MessagesBlob, RunFilter, RunRow, Write
from jackstay.errors import NotFoundError
from jackstay.journal import Journal
from tests.contract.journal.rows import (
    NOW,
    TIMEOUT_S,
    Place,
    a_reservation,
    a_run,
    a_settlement,
    a_step,
    the_end,
    write_step,
)

LARGE = json.dumps({"text": "Grüße 😀 " * 20_000}, ensure_ascii=False)


def test_large_payloads_come_back_equal(journal: Journal, place: Place) -> None:
    lease = journal.create_run(a_run(inputs=LARGE)).result(TIMEOUT_S)
    step = a_step(request=LARGE, result=LARGE, error=LARGE)
    journal.write(Write(lease, steps=(step,), end=the_end(output=LARGE, error=LARGE))).result(TIMEOUT_S)

    (read,) = journal.steps("run-1")
    run = journal.run("run-1")

    assert (read.request, read.result, read.error) == (LARGE, LARGE, LARGE)
    assert run is not None
    assert (run.inputs, run.output, run.error) == (LARGE, LARGE, LARGE)
    ((blobs, size),) = place.execute("select count(*), sum(length(bytes)) from blob")
    assert blobs == 1  # the same text, stored once
    assert size < len(LARGE) / 20


@pytest.mark.parametrize(
    "text",
    ['"\ud800 half a character"', '"a NUL: \0"', "blob:" + "0" * 64, "x" * 65536, "x" * 65537, "ü" * 40_000, ""],
    ids=["surrogate", "NUL", "looks like a marker", "at the limit", "over it", "over it in bytes", "empty"],
)
def test_any_text_is_a_payload(journal: Journal, text: str) -> None:
    lease = journal.create_run(a_run(inputs=text)).result(TIMEOUT_S)
    write_step(journal, lease, "a#1", result=text)

    run = journal.run("run-1")

    assert run is not None
    assert run.inputs == text
    assert journal.steps("run-1")[0].result == text


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(), max_size=30), max_size=5))
def test_conversations_come_back_from_their_stretches(journal: Journal, texts: list[str]) -> None:
    lease = journal.create_run(a_run(f"run-{Conversation.of(Message('user', t) for t in texts).hash}-{id(texts)}"))
    conversation, blobs = Conversation(), []
    for text in texts:
        parent = conversation.hash
        added = (Message("user", text), Message("assistant", text, raw={"signature": "s"}))
        conversation = conversation.add(*added)
        body = json.dumps([message.to_json() for message in added], ensure_ascii=False)
        blobs.append(MessagesBlob(conversation.hash, parent, body))

    journal.write(Write(lease.result(TIMEOUT_S), blobs=tuple(blobs))).result(TIMEOUT_S)

    assert tuple(journal.messages(conversation.hash)) == conversation.messages


def test_a_conversation_grows_by_its_new_messages_only(journal: Journal, place: Place) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    conversation = Conversation()
    for number in range(50):
        parent = conversation.hash
        message = Message("user", f"{number}" * 500)
        conversation = conversation.add(message)
        blob = MessagesBlob(conversation.hash, parent, json.dumps([message.to_json()]))
        for _ in range(2):  # asked twice: stored once
            journal.write(Write(lease, blobs=(blob,))).result(TIMEOUT_S)

    assert place.execute("select count(*) from blob") == [(50,)]
    assert len(journal.messages(conversation.hash)) == 50


def test_missing_blobs_are_named(journal: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    journal.write(Write(lease, blobs=(Blob("b" * 64, b"\0\xff" * 1000), Blob("e" * 64, b"")))).result(TIMEOUT_S)

    assert journal.blob("b" * 64) == b"\0\xff" * 1000
    assert journal.blob("e" * 64) == b""
    with pytest.raises(NotFoundError, match="c" * 64):
        journal.blob("c" * 64)
    with pytest.raises(NotFoundError, match="b" * 64):
        journal.messages("b" * 64)


def test_runs_are_found_by_the_beginning_of_their_id_or_by_their_key(journal: Journal) -> None:
    for run_id, key in (("0198-aa", None), ("0198-ab", "nightly"), ("0199-aa", None), ("01%-aa", None)):
        journal.create_run(a_run(run_id, run_key=key)).result(TIMEOUT_S)

    found = {
        text: sorted(run.id for run in journal.find_runs(text)) for text in ("0198", "0198-aa", "nightly", "01%", "x")
    }

    assert found == {
        "0198": ["0198-aa", "0198-ab"],
        "0198-aa": ["0198-aa"],
        "nightly": ["0198-ab"],
        "01%": ["01%-aa"],
        "x": [],
    }


def test_runs_are_listed_newest_first_in_pages(journal: Journal) -> None:
    for number in range(7):
        at = NOW + timedelta(seconds=number // 2)  # pairs of the same age
        journal.create_run(a_run(f"run-{number}", created_at=at)).result(TIMEOUT_S)

    pages, before = [], None
    while page := journal.runs(RunFilter(limit=3, before=before)):
        pages.append([run.id for run in page])
        before = page[-1].id

    assert pages == [["run-6", "run-5", "run-4"], ["run-3", "run-2", "run-1"], ["run-0"]]


def test_runs_are_filtered(journal: Journal) -> None:
    journal.create_run(a_run("batch", kind="batch")).result(TIMEOUT_S)
    first = journal.create_run(a_run("child-1", parent_run="batch", session_id="s")).result(TIMEOUT_S)
    later = a_run("child-2", parent_run="batch", name="other", created_at=NOW + timedelta(1))
    journal.create_run(later).result(TIMEOUT_S)
    journal.write(Write(first, end=the_end())).result(TIMEOUT_S)

    def ids(runs: list[RunRow]) -> set[str]:
        return {run.id for run in runs}

    assert ids(journal.runs(RunFilter(status=("succeeded",)))) == {"child-1"}
    assert ids(journal.runs(RunFilter(kind=("batch", "flow")))) == {"batch"}
    assert ids(journal.runs(RunFilter(name="other"))) == {"child-2"}
    assert ids(journal.runs(RunFilter(unfinished=True))) == {"batch", "child-2"}
    assert ids(journal.runs(RunFilter(session_id="s"))) == {"child-1"}
    assert ids(journal.runs(RunFilter(parent_run="batch"))) == {"child-1", "child-2"}
    assert [run.id for run in journal.children("batch")] == ["child-1", "child-2"]


def test_the_bill_adds_up_rows_and_lost_calls(journal: Journal, place: Place) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    call = {"input_tokens": 100, "cached_tokens": 20, "output_tokens": 10, "cost_pico": 2_000_000_000}
    write_step(journal, lease, "a#1/llm#1", **call)
    write_step(journal, lease, "a#10/llm#1", **call)
    write_step(journal, lease, "a#1/llm#2", **call, origin_run_id="run-0")  # copied: not billed again
    write_step(journal, lease, "a#1/tool#1", kind="tool", input_tokens=7, cost_pico=7)
    lost = a_reservation(path="a#1/llm#3", worst_pico=5_000_000_000, worst_input_tokens=50, worst_output_tokens=40)
    done = a_reservation(path="a#1/llm#4")
    journal.write(Write(lease, reservations=(lost, done))).result(TIMEOUT_S)
    journal.write(Write(lease, settlements=(a_settlement(path="a#1/llm#4"),))).result(TIMEOUT_S)
    place.let_leases_expire()
    journal.take_up("run-1").result(TIMEOUT_S)

    whole, part, nothing = journal.bill("run-1"), journal.bill("run-1", "a#1"), journal.bill("run-1", "b#1")

    assert (whole.recorded.usage.input_tokens, whole.recorded.usage.cached_tokens) == (200, 40)
    assert (whole.recorded.requests, whole.recorded.cost_usd) == (2, Decimal("0.004"))
    assert (whole.lost.requests, whole.lost.cost_usd, whole.lost.usage.total_tokens) == (1, Decimal("0.005"), 90)
    assert (part.recorded.requests, part.total.cost_usd) == (1, Decimal("0.007"))
    assert (nothing.total.requests, nothing.total.cost_usd) == (0, Decimal(0))


def test_one_unknown_price_makes_the_bill_unknown(journal: Journal) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    write_step(journal, lease, "a#1", input_tokens=1, cost_pico=1)
    write_step(journal, lease, "b#1", input_tokens=1, flags="streamed,estimated")

    bill = journal.bill("run-1").recorded

    assert bill.cost_usd is None
    assert bill.usage.estimated


def test_reading_does_not_wait_for_the_writer(journal: Journal, place: Place) -> None:
    lease = journal.create_run(a_run()).result(TIMEOUT_S)
    write_step(journal, lease, "a#1")
    connection = journal._database.write_connection()
    with connection.transaction():  # as a writer of another process in the middle of its transaction
        connection.execute("update run set name = 'changed'")

        run = journal.run("run-1")

        assert run is not None
        assert run.name == "research"
    connection.close()
    assert Lease("run-1", 1) == lease
