"""Kickoffs in request handlers: `async def` with `akickoff`, `def` with `kickoff`, many at once."""

from __future__ import annotations

import json
import socket
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from jackstay.tools import tool
from tests.e2e.hosts.crews import crew_of
from tests.e2e.ledger import Ledger


def application() -> FastAPI:
    @tool
    def shout(topic: str) -> str:
        """Says it loudly."""
        return topic.upper()

    app, crew = FastAPI(), crew_of(shout)

    @app.get("/async/{topic}")
    async def asynchronous(topic: str) -> dict[str, Any]:
        output = await crew.akickoff(inputs={"topic": topic})
        return {"raw": output.raw, "run_id": output.run_id}

    @app.get("/sync/{topic}")
    def synchronous(topic: str) -> dict[str, Any]:
        output = crew.kickoff(inputs={"topic": topic})
        return {"raw": output.raw, "run_id": output.run_id}

    @app.get("/blocking/{topic}")
    async def blocking(topic: str) -> dict[str, Any]:
        output = crew.kickoff(inputs={"topic": topic})
        return {"raw": output.raw, "run_id": output.run_id}

    return app


@pytest.fixture
def address(runtime) -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application(), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=60) as response:
        body: dict[str, Any] = json.loads(response.read())
    return body


@pytest.mark.filterwarnings("ignore:kickoff.. was called while")
@pytest.mark.parametrize("handler", ["async", "sync", "blocking"])
def test_twenty_requests_at_once_are_answered_each_with_its_own_run(address, runtime, handler):
    with ThreadPoolExecutor(20) as clients:
        answers = list(clients.map(lambda n: get(f"{address}/{handler}/t{n}"), range(20)))

    assert [answer["raw"] for answer in answers] == [f"t{n}(T{n})" for n in range(20)]
    assert len({answer["run_id"] for answer in answers}) == 20
    assert {run.status for run in Ledger.of(runtime).runs} == {"succeeded"}
