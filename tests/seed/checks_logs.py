"""Rows on what a program says while it runs: verbose for a person, logs for a machine, nothing unless asked."""

from __future__ import annotations

import json
import re
from typing import Any

from jackstay.core.messages import ToolCall
from jackstay.testing import Reply, Stub, StubRequest
from tests.seed import excerpts
from tests.seed.stage import Played, play

DELEGATE = "delegate_work_to_coworker"


def _answer(request: StubRequest) -> Reply:
    said = [message for message in request.messages if message.role == "tool"]
    if "Researcher" not in request.system:
        return Reply(
            "Ports have piers.\nMany of them." if "Write on ports" in request.last_user else "Short and clear."
        )
    if not said:
        return Reply(tool_calls=(ToolCall("a", "look_up", json.dumps({"topic": "ports"})),))
    if len(said) == 1:
        work = {"task": "Say it clearly", "context": "Eleven piers", "coworker": "Writer"}
        return Reply(tool_calls=(ToolCall("b", DELEGATE, json.dumps(work)),))
    return Reply("Ports have eleven piers.\nSource: the harbour master.")


def _played(how: str, **more: Any) -> Played:
    with Stub(answer=_answer) as stub:
        return play("verbose", how, stub=stub, **{**more, "environ": {**stub.environ(), **more.get("environ", {})}})


def _tells_it(out: str) -> None:
    told = (
        "Researcher does task research",
        'Researcher uses look_up(topic="ports")',
        "look_up gives Researcher: ports: eleven piers",
        "Researcher delegates to Writer: Say it clearly",
        "Writer answers Researcher: Short and clear.",
        "Researcher completed task research",
        "Ports have eleven piers.",
        "Writer does task write",
        "Writer completed task write",
        "Ports have piers.",
    )
    assert re.search(".*".join(map(re.escape, told)), out, re.DOTALL), out


def verbose_mode() -> None:
    """The seed's list: which agent does which task, tool calls and results, delegation, completion and summaries."""
    _tells_it(_played("verbose").out)


def verbose_block() -> None:
    _tells_it(_played("block", blocks={7: excerpts.block(7)}).out)


def silent_in_production() -> None:
    """`verbose=False` writes nothing to stdout; structured logs have it all instead, each line an object."""
    played = _played("silent", environ={"JACKSTAY_LOG": "json"})
    lines = [json.loads(line) for line in played.err.splitlines()]
    [mine] = [line for line in lines if line["logger"] == "desk"]

    assert played.out == ""
    assert sum(line["tokens"] for line in lines if line["event"] == "model_call_finished") == played.usage.total_tokens
    assert [line["task"] for line in lines if line["event"] == "task_finished"] == ["research", "write"]
    assert (mine["agent"], mine["task"], mine["tool"]) == ("Researcher", "research", "look_up")


def log_to_a_file() -> None:
    """Every line of the file is an object that names its run; the program's own lines on stderr stay as they were."""
    with Stub(answer=_answer) as stub:
        command = ("-m", "jackstay", "run")
        # The option stands before the program: what comes after it is the program's.
        given = {**stub.environ(), "JACKSTAY_LOG_FILE": ".jackstay/run.json"}
        played = play("verbose", "--", "quiet", stub=stub, command=command, environ=given)
    lines = [json.loads(line) for line in _log_in(played.stored)]

    assert "looking up ports" in played.err
    assert {line["run_id"] for line in lines} == {played.told["run_id"]}
    assert lines[0]["event"] == "run_started"
    assert lines[-1]["event"] == "run_finished"
    assert lines[-1]["tokens"] == played.told["tokens"] == played.usage.total_tokens


def _log_in(stored: bytes) -> list[str]:
    """The lines of the log among all that the program left."""
    found = re.findall(rb'^\{"timestamp":.*\}$', stored, re.MULTILINE)
    # The file before it may end without a line's end.
    first = re.search(rb'\{"timestamp":[^\n]*"event":"run_started"[^\n]*\}', stored)
    lines = [line.decode() for line in found]
    return lines if first is None or first[0] in found else [first[0].decode(), *lines]
