"""`jackstay` as a user has it: a process of its own, a folder of its own, an environment without anybody's keys."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jackstay.cli.app import app
from jackstay.testing import Stub
from tests import warm_python

PROGRAM = """
    from jackstay import Agent, Crew, Task
    from jackstay.tools import tool

    @tool
    def look_up(name: str) -> str:
        "Looks a name up."
        return f"{name} was found"

    analyst = Agent(role="Analyst", goal="Know {topic}", backstory="Thorough.", llm="gpt-4o-mini", tools=[look_up])
    writer = Agent(role="Writer", goal="Explain {topic}", backstory="Brief.", llm="gpt-4o-mini")
    crew = Crew(
        agents=[analyst, writer],
        tasks=[
            Task(name="research", description="Research {topic}", expected_output="Three facts", agent=analyst),
            Task(name="write", description="Write about {topic}", expected_output="One sentence", agent=writer),
        ],
    )
"""
"""Three model calls and a tool call with `sim/demo`."""

KICKOFF = """
    if __name__ == "__main__":
        print("begin", flush=True)
        print("answer:", crew.kickoff(inputs={"topic": "boats"}).raw)
"""


class Folder:
    """A project folder with the command line in it."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.path, self.environ = path, dict(environ)

    def write(self, name: str, *parts: str) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(textwrap.dedent(part) for part in parts), encoding="utf-8")
        return file

    def ask(self, stub: Stub) -> None:
        """The simulated models are asked over HTTP, at the stub."""
        self.environ |= {"SIM_BASE_URL": stub.openai_url, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """`jackstay ARGUMENTS` to its end."""
        return warm_python.run(["-m", "jackstay", *arguments], cwd=self.path, env=self.environ | environ)

    def start(
        self,
        *arguments: str,
        python: bool = False,
        environ: Mapping[str, str] | None = None,
        interactive: bool = False,
    ) -> warm_python.Process:
        command = [*([] if python else ["-m", "jackstay"]), *arguments]
        process = warm_python.Process(command, cwd=self.path, env=self.environ | dict(environ or {}))
        if not interactive:
            process.stdin.close()
        return process

    def here(self, *arguments: str) -> Result:
        """The same in this process: for commands that run no program, which need not pay for a process."""
        return CliRunner(env=self.environ).invoke(app, list(arguments))


@pytest.fixture
def environ(tmp_path) -> dict[str, str]:
    kept = ("PATH", "LANG", "SYSTEMROOT", "TMPDIR", "VIRTUAL_ENV")
    own = {name: value for name, value in os.environ.items() if name in kept}
    return {**own, "HOME": str(tmp_path / "home"), "JACKSTAY_MODEL": "sim/demo", "PYTHONWARNDEFAULTENCODING": ""}


@pytest.fixture
def folder(tmp_path, environ, monkeypatch) -> Folder:
    project = tmp_path / "project"
    project.mkdir()
    for name in set(os.environ) - set(environ):
        if (
            name.startswith(("JACKSTAY_", "OPENAI_", "ANTHROPIC_"))
            or name.endswith(("_API_KEY", "_PROXY", "_proxy"))
            or name == "CI"
        ):
            monkeypatch.delenv(name)
    monkeypatch.chdir(project)
    # What `here` runs may make this process the program's.
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    return Folder(project, environ)


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as running:
        yield running
