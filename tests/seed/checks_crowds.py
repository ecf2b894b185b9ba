"""Rows on many items with one crew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jackstay.testing import Fault, Reply, Stub, StubRequest
from tests.seed import excerpts
from tests.seed.stage import Played, once, play

LATENCY_S = 0.2
"""Long beside what the program needs between two calls, so that what may overlap does."""


def _crowd(topics: Sequence[str], failing: str, **blocks: Any) -> Played:
    """The failing topic fails at its second asking: in `kickoff_for_each`, after the batch."""

    def answer(request: StubRequest) -> Any:
        topic = next(topic for topic in topics if topic in request.last_user)
        if topic == failing and request.index >= len(topics):
            return Fault.http(401)
        # The first topic takes longer: an order of results that follows the answers would show.
        return Reply(f"On {topic}.", latency_s=2 * LATENCY_S if topic == topics[0] else None)

    with Stub(answer=answer, latency_s=LATENCY_S) as stub:
        return play("crowd", stub=stub, **blocks)


TOPICS = ("ropes", "sails", "masts", "keels")
_crowded = once(lambda: _crowd(TOPICS, "sails"))


def batch_with_semaphore() -> None:
    """The program's own semaphore holds: never more in flight than it lets in, results in the order of the topics."""
    _batch_holds(_crowded(), TOPICS)


def _batch_holds(played: Played, topics: Sequence[str]) -> None:
    assert played.told["batch"] == [{"topic": topic, "result": f"On {topic}."} for topic in topics]
    assert max(request.in_flight for request in played.requests[: len(topics)]) == 2


def for_each() -> None:
    """One item of three fails: two results in their places, one failure that says what it was, one warning."""
    played = _crowded()
    first, failed, last = played.told["each"]

    assert [(one["ok"], one["raw"]) for one in (first, last)] == [(True, "On ropes."), (True, "On masts.")]
    assert (failed["ok"], failed["raw"]) == (False, "")
    assert "ModelAuthenticationFailed" in failed["error"]
    assert played.err.count("1 of 3 items failed") == 1, played.err
    assert len(played.err.splitlines()) == 1, played.err


def items_apart() -> None:
    """The items are under way together, and a failed one takes no other along."""
    played = _crowded()
    requests = played.requests[len(TOPICS) :]

    assert max(request.in_flight for request in requests) == 3
    assert sorted(request.status or 0 for request in requests) == [200, 200, 401]


SEED_TOPICS = ("AI agents", "RAG systems", "Fine-tuning", "Embeddings")


@once
def _crowded_blocks() -> Played:
    return _crowd(SEED_TOPICS, "RAG systems", blocks={number: excerpts.block(number) for number in (9, 10)})


def batch_block() -> None:
    _batch_holds(_crowded_blocks(), SEED_TOPICS)


def for_each_block() -> None:
    played = _crowded_blocks()

    assert [one["ok"] for one in played.told["each"]] == [True, False, True]
    assert played.out.count("Output: ") == 3
    assert "Output: On AI agents...." in played.out
