"""A program that lets its secrets get everywhere: into names, inputs, prompts, tools, states, errors, logs and questions.

It says nothing of them itself; what it prints of errors is Jackstay's own text.
"""

from __future__ import annotations

import base64
import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel

from jackstay import LLM, Agent, Crew, Flow, Task, listen, start
from jackstay.errors import JackstayError
from jackstay.flow import persist
from jackstay.tools import tool
from jackstay.tools.mcp import MCPServerHTTP, MCPServerStdio

NAME, VAULT, HEADER, KEY = (
    os.environ[name] for name in ("NAMED_SECRET", "VAULT_TOKEN", "CANARY_OF_HEADER", "CANARY_OF_KEY")
)
WIRED, CALLED = os.environ["CANARY_OF_WIRE"], os.environ["CANARY_OF_MCP"]
SERVER = str(Path(__file__).parent / "mcp_server.py")


@tool
def vault(code: str) -> str:
    """Opens the vault."""
    logging.getLogger("vault").warning("opened with %s", VAULT, extra={"code": code, "encoded": encoded(VAULT)})
    return f"{VAULT}, {encoded(VAULT)}, {quote(VAULT + '&')}"


@tool
def jammed(code: str) -> str:
    """Fails."""
    raise ValueError(f"the vault refuses {VAULT}")


def encoded(text: str) -> str:
    return base64.b64encode(b"user:" + text.encode()).decode()


def strict(output: Any) -> tuple[bool, Any]:
    """Refuses the first answer, and says the secret."""
    return (True, output.raw) if "again" in output.raw else (False, f"say it again, with {VAULT}")


llm = LLM(
    "gpt-4o-mini", api_key=KEY, base_url=os.environ["OPENAI_BASE_URL"],
    default_headers={"X-Team-Secret": HEADER, "Authorization": f"Bearer {HEADER}"},
)  # fmt: skip
wrong = LLM("gpt-4o-wrong", api_key=KEY, base_url=os.environ["OPENAI_BASE_URL"])
servers = [MCPServerStdio(command=sys.executable, args=[SERVER], env={"MCP_KEY": CALLED})]
analyst = Agent(
    role=f"Analyst {NAME}", goal="Open {place}", backstory=f"Knows {VAULT}", llm=llm, tools=[vault, jammed],
    mcps=servers, verbose=True, max_rpm=1000,
)  # fmt: skip


def crew(**more: Any) -> Crew:
    task = Task(
        name=f"Open {NAME}", description="Open {place}", expected_output=f"What is in {VAULT}", agent=analyst, guardrail=strict,
    )  # fmt: skip
    nameless = Task(description=f"Report {NAME} of {{place}}", expected_output="A report", agent=analyst)
    return Crew(
        name=f"Desk {NAME}", agents=[analyst], tasks=[task, nameless], verbose=True, output_log_file="tasks.json", max_rpm=1000, **more
    )  # fmt: skip


class Kept(BaseModel):
    id: str = ""
    token: str = ""
    data: bytes = b""


@persist
class Leaky(Flow[Kept]):
    name = f"Leaky {NAME}"

    @start()
    def take(self) -> str:
        self.state.token, self.state.data = VAULT, b"key=" + VAULT.encode()
        self.step(f"step {NAME}", str, VAULT, key=NAME)
        return crew().kickoff(inputs={"place": f"safe {VAULT}"}).raw

    @listen(take)
    def fail(self) -> None:
        self.state.token += "!"
        try:
            Agent(role=f"Wrong {NAME}", goal="g", backstory="b", llm=wrong).kickoff(f"Say {VAULT}")
        except JackstayError as error:
            print("refused:", error)
        raise RuntimeError(f"no: {VAULT} {encoded(VAULT)}")


class Asking(Flow):
    name = f"Asking {NAME}"

    @start()
    def question(self) -> None:
        self.ask(f"May I use {VAULT}?", metadata={"of": NAME})


def run() -> None:
    try:
        Leaky().kickoff(inputs={"id": f"state {NAME}", "token": VAULT}, run_key=f"key {NAME}")
    except RuntimeError as error:
        if VAULT not in str(error):  # what the program raises reaches it as it is
            raise
    crew().kickoff_for_each([{"place": f"a {VAULT}"}])
    Asking().kickoff()
    shutil.copytree(".jackstay", "while it runs", dirs_exist_ok=True)  # with what is only in the log of SQLite
    far = Agent(
        role="Far", goal="g", backstory="b", llm=llm, mcps=[MCPServerHTTP(url=os.environ["NOBODY"], headers={"Authorization": f"Bearer {WIRED}", "X-Key": WIRED}, timeout_s=5)],
    )  # fmt: skip
    try:
        far.kickoff("Go")
    except JackstayError as error:
        print("unavailable:", error)


if __name__ == "__main__":
    run()
