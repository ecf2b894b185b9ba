"""`ScriptedModel` and `FaultPoints`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest

from jackstay.testing import Fault, FaultPoints, ScriptedModel, tool_call

USER = [{"role": "system", "content": "S"}, {"role": "user", "content": "hi"}]


def test_scripted_model_answers_in_order_and_records_what_it_was_asked():
    model = ScriptedModel(["one", {"a": 1}, lambda call: f"{call.system}{call.last_user}"])

    assert [model.call(USER), model.call("text"), model.call(USER)] == ["one", '{"a": 1}', "Shi"]
    assert [call.last_user for call in model.calls] == ["hi", "text", "hi"]


def test_scripted_model_calls_tools_in_the_form_of_custom_llms():
    model = ScriptedModel([tool_call("add", a=1, b=2), [tool_call("add", a=3, b=4)]])

    assert model.call(USER)[0]["function"] == {"name": "add", "arguments": '{"a": 1, "b": 2}'}
    assert model.call(USER, available_functions={"add": lambda a, b: a + b}) == 7


def test_scripted_model_raises_exceptions_and_complains_when_the_script_is_over():
    model = ScriptedModel([ValueError("no"), Fault.http(500)])

    with pytest.raises(ValueError, match="no"):
        model.call(USER)
    with pytest.raises(TypeError, match="give an exception"):
        model.call(USER)
    with pytest.raises(AssertionError, match="no answer to call 2: hi"):
        model.call(USER)
    assert ScriptedModel(default="always").call(USER) == "always"


def test_scripted_model_can_be_awaited_and_given_more():
    model = ScriptedModel()
    model.add("later")

    assert asyncio.run(model.acall(USER)) == "later"


def test_scripted_model_gives_each_answer_once_to_many_threads():
    got: list[Any] = []
    model = ScriptedModel(map(str, range(200)))
    threads = [threading.Thread(target=lambda: got.extend(model.call(USER) for _ in range(20))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(int, got)) == list(range(200))


def test_fault_points_raise_once_after_the_skipped_hits():
    points = FaultPoints()
    points.raise_at("commit", OSError("disk full"), skip=1)

    points.hit("commit")
    with pytest.raises(OSError, match="disk full"):
        points.hit("commit")
    points.hit("commit")

    assert points.hits == ["commit"] * 3


@pytest.mark.parametrize(("how", "code"), [("kill", -9), ("exit", 77)])
def test_fault_points_end_the_process(how, code):
    program = (
        "from jackstay.testing import FaultPoints\n"
        f"points = FaultPoints.from_environ({{'FAULT_POINTS': 'a:{how}:1'}})\n"
        "for _ in range(3): points.hit('a'); print('passed', flush=True)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (code, "passed\n")


def test_fault_points_hold_until_released():
    points = FaultPoints()
    gate = points.hold_at("sent")
    worker = threading.Thread(target=points.hit, args=("sent",))
    worker.start()
    points.wait_until_hit("sent")
    assert worker.is_alive()
    gate.set()
    worker.join(timeout=10)
    assert not worker.is_alive()

    with pytest.raises(TimeoutError, match="hit 1 times"):
        points.wait_until_hit("sent", times=2, timeout_s=0.01)


def test_unknown_way_to_die_is_refused():
    with pytest.raises(ValueError, match="'kill' or 'exit'"):
        FaultPoints().die_at("a", how="boom")
