"""`jackstay resume` of a batch: the command that its warning gives tries the failed items again, and no other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from jackstay.testing import Fault, Stub
from tests.e2e.cli.conftest import Folder

ITEMS = """
    from jackstay import Agent, Crew, Retry, Task

    writer = Agent(role="Writer", goal="g", backstory="b", llm="gpt-4o-mini", retry=Retry(max_attempts=1))
    tasks = [
        Task(name=step, description=f"To {step} {{topic}}", expected_output="t", agent=writer)
        for step in ("gather", "check")
    ]
    crew = Crew(agents=[writer], tasks=tasks)

    if __name__ == "__main__":
        outputs = crew.kickoff_for_each([{"topic": topic} for topic in ("boats", "kites", "trains")])
        print([output.ok for output in outputs])
"""


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as running:
        yield running


def test_the_command_in_the_warning_tries_the_failed_item_again_where_it_failed(folder: Folder, stub: Stub) -> None:
    folder.environ |= {"SIM_BASE_URL": stub.openai_url, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    folder.write("items.py", ITEMS)
    stub.rule(Fault.http(401), user="To check kites", times=1)
    process = folder.start("items.py", python=True)
    out, err = process.communicate(timeout=60)
    command = re.search(r"jackstay (resume \S+)", err)
    assert command is not None, err
    before = len(stub.requests)

    resumed = folder.run(*command[1].split())

    assert "[True, False, True]" in out
    assert err.count("1 of 3 items failed") == 1
    assert resumed.returncode == 0, resumed.stderr
    assert "[True, True, True]" in resumed.stdout
    assert "5 recorded model calls will not be made again" in resumed.stderr
    assert ["To check kites" in request.last_user for request in stub.requests[before:]] == [True]
    states = {run["kind"]: run["state"] for run in json.loads(folder.here("runs", "--json").stdout)}
    assert set(states.values()) == {"succeeded"}, states
