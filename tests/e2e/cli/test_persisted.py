"""Persisted flows in programs that `jackstay run` starts: killed, started again, resumed, replayed."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests.e2e.cli.conftest import Folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

FLOW = """
    import json, os, signal, sys
    from jackstay import LLM, Flow, listen, persist, start

    @persist
    class Chat(Flow):
        @start()
        def hear(self):
            self.state["heard"] = self.state.get("heard", 0) + 1
            self.state["answer"] = LLM("sim/demo").call("What is a tide?")

        @listen(hear)
        def reply(self):
            if "dies" in sys.argv:
                os.kill(os.getpid(), signal.SIGKILL)
            return self.state["heard"]

    if __name__ == "__main__":
        print("heard", Chat().kickoff(inputs={"id": "chat-1"}), flush=True)
"""


@pytest.fixture
def chat(folder: Folder, stub: Any) -> Folder:
    folder.ask(stub)
    folder.write("chat.py", FLOW)
    return folder


def test_a_flow_of_a_script_goes_on_in_another_run_of_the_script(chat: Folder, stub: Any) -> None:
    killed = chat.run("run", "chat.py", "dies")
    again = chat.run("run", "chat.py")
    third = chat.run("run", "chat.py")

    assert killed.returncode != 0
    assert "heard" not in killed.stdout
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "heard 1"), again.stderr
    assert (third.returncode, third.stdout.splitlines()[-1]) == (0, "heard 2"), third.stderr
    assert len(stub.requests) == 2


def test_a_script_that_is_resumed_goes_on_in_its_own_flow(chat: Folder, stub: Any) -> None:
    chat.write("chat.py", FLOW.replace('"dies" in sys.argv', 'not os.path.exists("mended")'))
    killed = chat.run("run", "chat.py")
    chat.write("mended", "")

    resumed = chat.run("resume")

    assert killed.returncode != 0
    assert (resumed.returncode, resumed.stdout.splitlines()[-1]) == (0, "heard 1"), resumed.stderr
    assert len(stub.requests) == 1
    runs = json.loads(chat.run("runs", "--json").stdout)
    assert len(runs) == 1


def test_plain_python_with_the_id_goes_on_with_the_run(chat: Folder, stub: Any) -> None:
    killed = chat.start("chat.py", "dies", python=True)
    killed.communicate(timeout=60)
    again = chat.start("chat.py", python=True)
    out, err = again.communicate(timeout=60)

    assert (again.returncode, out.splitlines()[-1]) == (0, "heard 1"), err
    assert len(stub.requests) == 1
