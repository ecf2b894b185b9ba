"""Rows on what happens around a model call: failures caught, retries, keys, the choice of the model."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from jackstay.testing import Fault, Stub, StubRequest, tool_call
from tests.seed import excerpts
from tests.seed.stage import Played, once, play

REFUSED = Fault.http(401)
KEY = "sk-seed-0123456789abcdef"


# --- try/except ------------------------------------------------------------------------------------------------------


@once
def _served() -> Played:
    with Stub() as stub:
        stub.rule(REFUSED, user="nails")
        stub.rule(Fault.context_length(), user="planks")
        stub.rule("Paint is wet.", user="paint")
        return play("service", "nails", "planks", "paint", stub=stub)


def program_survives() -> None:
    """Whatever fails in a kickoff is an `Exception` of ours with a stable code, and the next kickoff works."""
    played = _served()
    *failed, last = played.told

    assert [one["code"] for one in failed] == ["missing_variable", "authentication", "context_window"]
    assert last == {"answer": "Paint is wet."}
    assert [request.status for request in played.requests] == [401, 400, 200], "one request per failure that got so far"


def failures_logged() -> None:
    """Each failure is in the log with its class, its reason and the command that goes on; no key is."""
    played = _served()
    logged = re.split(r"^ERROR ", played.err, flags=re.MULTILINE)[1:]

    assert len(logged) == 3
    for entry, name in zip(logged, ("MissingVariable", "ModelAuthentication", "ModelContextExceeded"), strict=True):
        assert f".{name}" in entry
    assert "'topic'" in logged[0]
    assert all("jackstay resume" in entry for entry in logged[1:])
    assert "sk-stub" not in played.err


# --- retries ---------------------------------------------------------------------------------------------------------


def _insisted(**blocks: Any) -> Played:
    with Stub() as stub:
        stub.rule(REFUSED, user="news", times=2)
        stub.rule("Hear, hear.", user="news")
        stub.rule(REFUSED, user="lies")
        return play("retry_loop", "news", "lies", stub=stub, **blocks)


_own_loop = once(_insisted)


def retry_with_backoff() -> None:
    """A loop of one's own sees each failure once: the waits double, the attempts are the requests."""
    played = _own_loop()
    news, _ = played.told

    assert news == {"raw": "Hear, hear.", "waits": [1, 2]}
    assert [request.status for request in played.about("news")] == [401, 401, 200]


def three_attempts_at_most() -> None:
    """The third failure is the caller's."""
    played = _own_loop()
    lies = played.told[1]

    assert lies["waits"] == [1, 2]
    assert "401" in lies["error"]
    assert [request.status for request in played.about("lies")] == [401, 401, 401]


def retry_block() -> None:
    played = _insisted(blocks={2: excerpts.block(2)})
    news, lies = played.told

    assert news == {"raw": "Hear, hear.", "waits": [1, 2]}
    assert lies["waits"] == [1, 2]
    assert lies["error"].startswith("Failed after 3 attempts: ")
    assert played.out.count("Retrying in 1s...") == 2
    assert [request.status for request in played.requests] == [401, 401, 200, 401, 401, 401]


@once
def _replaced() -> Played:
    with Stub() as stub:
        for index in (0, 1):
            stub.fault_at(index, Fault.http(503))
        return play("large_model", stub=stub, environ={**stub.environ(), "JACKSTAY_MODEL": "gpt-4o-mini"})


def outage_outlasted() -> None:
    """Without a line of the user's, a provider's failure is tried again after 1 s, then 2 s."""
    played = _replaced()
    first, second, third = (request.received_s for request in played.requests[:3])

    assert [request.status for request in played.requests] == [503, 503, 200, 200]
    for waited_s, planned_s in ((second - first, 1.0), (third - second, 2.0)):
        # Not sooner than the jitter allows; later by what a busy machine needs.
        assert 0.9 * planned_s <= waited_s <= planned_s + 3


# --- which model, how often ------------------------------------------------------------------------------------------


def iterations_bounded() -> None:
    """`max_iter` turns with tools, then one forced answer; the model's wish for more pages ends there."""

    def answer(request: StubRequest) -> Any:
        if request.tool_choice == "none":
            return "It is about the sea."
        return tool_call("next_page", number=request.index)

    with Stub(answer=answer) as stub:
        played = play("endless", stub=stub)

    assert played.told == {"raw": "It is about the sea.", "requests": 4}
    assert [request.tool_choice == "none" for request in played.requests] == [False, False, False, True]


def calls_paced() -> None:
    """`max_iter` turns and a forced answer, no oftener than `max_rpm` allows: 120 a minute are half a second apart."""

    def answer(request: StubRequest) -> Any:
        return "It is about AI." if request.tool_choice == "none" else tool_call("next_page", number=request.index)

    with Stub(answer=answer) as stub:
        played = play("paced", stub=stub)

    assert played.told == {"raw": "It is about AI.", "requests": 4}
    # The first one loads the provider's SDK after its turn; one that was late may catch up by a fifth of a second.
    at_s = [request.received_s for request in played.requests[1:]]
    assert all(later - earlier > 0.25 for earlier, later in pairwise(at_s))
    assert at_s[-1] - at_s[0] > 2 * 0.5 - 0.25


def paced_block() -> None:
    with Stub() as stub:
        stub.rule("AI is new.")
        played = play("paced_block", stub=stub, blocks={8: excerpts.block(8)})

    assert played.told == {"raw": "AI is new.", "max_iter": 15, "max_rpm": 10}


def small_model_first() -> None:
    """One variable makes a program that was written for a large model ask the small one, and says so."""
    played = _replaced()

    assert {request.model for request in played.requests} == {"gpt-4o-mini"}
    assert played.requests[-1].body["temperature"] == 0.2, "what else the agents' models were told stays"
    assert len([line for line in played.err.splitlines() if "gpt-4o-mini" in line]) == 1, played.err


def model_falls_back() -> None:
    """The first model is down: the second answers at once, and is the one that is paid."""
    with Stub() as stub:
        stub.rule(Fault.http(500), model="^gpt-4o$")
        stub.rule("Left, then up.")
        played = play("fallback", stub=stub)

    first, second = played.requests
    assert [(first.model, first.status), (second.model, second.status)] == [("gpt-4o", 500), ("gpt-4o-mini", 200)]
    assert played.told["raw"] == "Left, then up."
    assert second.usage is not None
    billed = (second.usage.input_tokens * 0.15 + second.usage.output_tokens * 0.60) / 1e6
    assert abs(played.told["cost_usd"] - billed) < 1e-9
    assert second.received_s - first.received_s < 1


def fallback_block() -> None:
    with Stub() as stub:
        stub.rule("Left, then up.")
        played = play("fallback_block", stub=stub, blocks={12: excerpts.block(12)})

    assert played.told["raw"] == "Left, then up."
    assert [request.model for request in played.requests] == ["gpt-4o"]


# --- keys ------------------------------------------------------------------------------------------------------------


def _env_file(stub: Stub) -> str:
    return "\n".join(
        (
            "# what this program needs",
            f"OPENAI_API_KEY={KEY}",
            "SERPER_API_KEY=none            # for a search tool that is not there",
            "CREWAI_TELEMETRY_ENABLED=false # no telemetry in production",
            f"OPENAI_BASE_URL={stub.openai_url}  # where the stub is",
        )
    )


@once
def _kept() -> Played:
    with Stub(keys=[KEY]) as stub:
        stub.rule("The door is open.", user="door")
        return play("keys", stub=stub, files={".env": _env_file(stub)}, environ={})


def load_dotenv() -> None:
    """What `load_dotenv()` finds is what is used, without the comments after it; no address but the model's is called."""
    played = _kept()

    assert played.told["raw"] == "The door is open."
    assert [request.status for request in played.requests] == [200]
    assert len(played.told["connected"]) == 1, played.told["connected"]
    assert played.told["connected"][0].startswith("127.0.0.1:")


def env_file() -> None:
    """`jackstay run` reads the file for a program that does not, and the telemetry switch is accepted in silence."""
    with Stub(keys=[KEY]) as stub:
        stub.rule("The door is open.", user="door")
        files = {".env": _env_file(stub)}
        played = play("env_file", stub=stub, files=files, environ={}, command=("-m", "jackstay", "run"))

    assert played.told == {"raw": "The door is open.", "telemetry": "false"}
    assert [request.status for request in played.requests] == [200]
    assert "elemetry" not in played.err


def no_key_in_source() -> None:
    """Without a key the error names variable, model, agent and remedy, before any request; the key is stored nowhere."""
    played = _kept()

    for words in ("OPENAI_API_KEY is not set", "gpt-4o-mini", "Keeper", ".env"):
        assert words in played.told["problem"]
    assert len(played.stored) > 1000
    assert KEY.encode() not in played.stored
    assert KEY not in played.out + played.err


@once
def _block_kept() -> Played:
    with Stub(keys=[KEY]) as stub:
        said = excerpts.fenced("bash")[1].replace("sk-...", KEY)
        files = {".env": f"{said}OPENAI_BASE_URL={stub.openai_url}\n"}
        return play("keys_block", stub=stub, blocks={11: excerpts.block(11)}, files=files, environ={})


def env_block() -> None:
    played = _block_kept()

    assert [request.status for request in played.requests] == [200]
    assert played.told["raw"]
