"""Rows on flows: errors caught, failures logged and raised again, the exercise, the router that retries."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from jackstay.testing import Fault, Reply, Stub, StubRequest
from tests.seed import excerpts
from tests.seed.stage import PROGRAMS, Played, once, play, run_in

REFUSED = Fault.http(401)


# --- the robust flow -------------------------------------------------------------------------------------------------


def _robust(program: str, **blocks: Any) -> Played:
    with Stub() as stub:
        stub.rule("Ropes hold.", user="ropes")
        stub.rule(REFUSED, user="anchors")
        return play(program, "ropes", "anchors", stub=stub, **blocks)


_robust_flow = once(lambda: _robust("robust_flow"))


def robust_flow() -> None:
    """Both branches reach the listener with the state they made; a failure costs one request and ends nothing."""
    played = _robust_flow()
    good, bad = played.told

    assert (good["text"], good["done"], good["problem"]) == ("Ropes hold.", True, "")
    assert (bad["text"], bad["done"]) == ("", False)
    assert "401" in bad["problem"], bad["problem"]
    assert played.out.splitlines()[:2] == ["written: 11 characters", "passed on: Ropes hold."]
    assert f"alarm: {bad['problem']}" in played.out
    assert [request.status for request in played.requests] == [200, 401]


def robust_flow_block() -> None:
    played = _robust("robust_flow_block", blocks={1: excerpts.block(1)})
    good, bad = played.told

    assert (good["result"], good["success"], good["error"]) == ("Ropes hold.", True, "")
    assert (bad["result"], bad["success"]) == ("", False)
    assert "401" in bad["error"], bad["error"]
    assert "Success: 11 chars" in played.out
    assert "Processing result: Ropes hold...." in played.out
    assert f"Handling error: {bad['error']}" in played.out
    assert [request.status for request in played.requests] == [200, 401]


# --- the observable flow ---------------------------------------------------------------------------------------------


def _observable(program: str, **blocks: Any) -> Played:
    with Stub() as stub:
        stub.rule(Reply("The sea is calm."), user="sea")
        stub.rule(REFUSED, user="storms")
        return play(program, "the sea", "storms", stub=stub, fails=True, **blocks)


_observable_flow = once(lambda: _observable("observable_flow"))
_OBSERVED = {
    "begun": ("INFO", "run_id", "topic", "at"),
    "ended": ("INFO", "run_id", "tokens", "length"),
    "broken": ("ERROR", "run_id", "error"),
}


def observable_flow() -> None:
    """Start, completion and failure are JSON lines with one run id each; the failure leaves the flow as it was."""
    played = _observable_flow()
    lines = [line for line in played.err.splitlines() if re.match(r"(INFO|ERROR) \{", line)]
    logged = [(line.partition(" ")[0], json.loads(line.partition(" ")[2])) for line in lines]

    _raised_again(played)
    assert [body["event"] for _, body in logged] == ["begun", "ended", "begun", "broken"]
    for level, body in logged:
        expected_level, *fields = _OBSERVED[body["event"]]
        assert level == expected_level
        assert set(fields) <= set(body)
    told = json.loads(played.out)
    assert {body["run_id"] for _, body in logged[:2]} == {told["run_id"]} == {told["state_id"]}
    assert logged[2][1]["run_id"] == logged[3][1]["run_id"] != told["run_id"]
    assert logged[1][1]["tokens"] == played.usage.total_tokens
    assert logged[1][1]["length"] == len("The sea is calm.")


def observable_flow_block() -> None:
    played = _observable("observable_flow_block", blocks={6: excerpts.block(6)})
    lines = re.findall(r"\[(INFO|ERROR)\] (\{.*\})$", played.err, re.MULTILINE)
    logged = [(level, json.loads(body)) for level, body in lines]
    told = json.loads(played.out)

    _raised_again(played)
    assert [(level, body["event"]) for level, body in logged] == [
        ("INFO", "flow_started"),
        ("INFO", "flow_completed"),
        ("INFO", "flow_started"),
        ("ERROR", "flow_failed"),
    ]
    assert logged[0][1]["run_id"] == logged[1][1]["run_id"] == told["run_id"]
    assert logged[0][1]["topic"] == "the sea"
    assert logged[1][1]["tokens"] == played.usage.total_tokens
    assert "401" in logged[3][1]["error"]


def _raised_again(played: Played) -> None:
    """The crew's own error ended the program, with the command that goes on with the run."""
    assert played.code == 1
    assert "ModelAuthenticationFailed" in played.err
    assert re.search(r"^run \S+ can go on .*: jackstay resume \S+$", played.err, re.MULTILINE), played.err
    assert json.loads(played.out)["raw"] == "The sea is calm."


# --- the exercise ----------------------------------------------------------------------------------------------------


def _exercise(program: str, *arguments: str, **blocks: Any) -> Played:
    with Stub() as stub:
        return play(program, *arguments, stub=stub, **blocks)


_exercised = once(lambda: _exercise("exercise", "AI agents"))


def exercise() -> None:
    """The state has topic, result, tokens, cost and success, all of them the run's; an agent used its tool."""
    played = _exercised()
    state = played.told

    assert (state["topic"], state["error"], state["success"]) == ("AI agents", "", True)
    assert state["token_count"] == played.usage.total_tokens
    assert state["cost_estimate"] > 0
    assert any(message.role == "tool" for request in played.requests for message in request.messages)
    assert state["run_id"] == state["id"]


def expected_result() -> None:
    """The three lines, in their format, with the run's figures in them."""
    played = _exercised()
    state = played.told
    words = len(state["result"].split())

    # The HTTP client has lines of its own at INFO.
    assert [line for line in played.err.splitlines() if "HTTP Request: " not in line] == [
        f"[INFO] Flow started: topic=AI agents, run_id={state['run_id']}",
        f"[INFO] Flow completed: {played.usage.total_tokens:,} tokens, ~${state['cost_estimate']:.4f}",
    ]
    assert words > 10
    assert played.out.splitlines()[0] == f"Summary: {words} words generated on 'AI agents'"


def exercise_block() -> None:
    played = _exercise("exercise_block", blocks={13: excerpts.block(13)})
    tokens = played.usage.total_tokens

    assert "[INFO] Flow started: topic=AI agents\n" in played.err
    assert f"[INFO] Completed: {tokens} tokens, ${tokens / 1000 * 0.00015:.4f}, " in played.err
    assert re.fullmatch(r"Summary: \d\d+ words generated on 'AI agents'\n", played.out), played.out
    assert len(played.requests) == 1


# --- the router ------------------------------------------------------------------------------------------------------


def _climbs() -> Played:
    with Stub() as stub:
        stub.rule(REFUSED, user="the hill", times=2)
        stub.rule("Over the hill.", user="the hill")
        stub.rule(REFUSED, user="the wall")
        return play("router_retry", "the hill", "the wall", stub=stub)


def router_retry() -> None:
    """A failed attempt is made again, three times at most; a good one goes on."""
    played = _climbs()
    hill, wall = played.told

    assert (hill["attempts"], hill["text"], hill["ended"]) == (3, "Over the hill.", "up")
    assert (wall["attempts"], wall["text"], wall["ended"]) == (3, "", "down")
    assert [request.status for request in played.requests] == [401, 401, 200, 401, 401, 401]


# --- the long flow ---------------------------------------------------------------------------------------------------


def _surveys(*endings: str) -> tuple[list[subprocess.CompletedProcess[str]], list[str]]:
    """The program once for each ending, each time as a process of its own in the same folder; what was asked in all."""
    with Stub() as stub, tempfile.TemporaryDirectory() as name:
        stub.rule(lambda request: f"{_place(request)} is surveyed")
        shutil.copy(PROGRAMS / "long_flow.py", name)
        done = [run_in(Path(name), ["long_flow.py", "survey-1", ending], stub.environ()) for ending in endings]
        return done, [_place(request) for request in stub.requests]


def _place(request: StubRequest) -> str:
    return next(place for place in ("north", "south", "whole") if f"Survey the {place}" in request.last_user)


SURVEYED = {"id": "survey-1", "north": "north is surveyed", "south": "south is surveyed", "text": "whole is surveyed"}


def flows_orchestrated() -> None:
    """Crews side by side, a join, a router, and one state in which all of it is."""
    (done,), asked = _surveys("well")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {**SURVEYED, "checked": 1}
    assert (sorted(asked[:2]), asked[2:]) == (["north", "south"], ["whole"])


def persisted() -> None:
    """Killed in its last method and started again with the state's id: only that method's crew is asked."""
    (killed, again), asked = _surveys("dies", "well")

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == {**SURVEYED, "checked": 1}
    assert (sorted(asked[:2]), asked[2:]) == (["north", "south"], ["whole"])
