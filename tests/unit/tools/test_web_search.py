"""The web search tool against a server on loopback."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from jackstay.errors import ToolFailure
from jackstay.testing import ScriptedModel, tool_call
from jackstay.testing.plugin import MakeRuntime
from jackstay.tools import WebSearchTool
from tests.unit.crew.building import one_task

PAGE = {"title": "Tides", "link": "https://example.org", "snippet": "High water", "position": 1}


class Server:
    """Answers every request alike, and remembers it."""

    def __init__(self) -> None:
        self.status, self.body = 200, json.dumps({"organic": [PAGE, PAGE], "news": [PAGE]})
        self.asked: list[tuple[str, str | None, Any]] = []
        self.hold = threading.Event()
        self.hold.set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.asked.append((self.path, self.headers["X-API-KEY"], asked))
                server.hold.wait(10)
                self.send_response(server.status)
                self.end_headers()
                self.wfile.write(server.body.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.hold.set()
        self._http.shutdown()
        self._thread.join(10)
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        yield made


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERPER_API_KEY", "s3cret")


def failure(tool: WebSearchTool) -> ToolFailure:
    with pytest.raises(ToolFailure) as raised:
        tool.run(search_query="tides")
    return raised.value


def test_a_search_gives_the_pages_found(server: Server) -> None:
    found = WebSearchTool(base_url=server.url, n_results=1, country="fr").run(search_query="tides")

    assert found == {"results": [{name: PAGE[name] for name in ("title", "link", "snippet")}]}
    assert server.asked == [("/search", "s3cret", {"q": "tides", "num": 1, "gl": "fr"})]


def test_news_are_searched_by_their_own_address(server: Server) -> None:
    found = WebSearchTool(base_url=f"{server.url}/", search_type="news").run(search_query="tides")

    assert len(found["results"]) == 1
    assert server.asked[0][0] == "/news"


@pytest.mark.parametrize(
    ("status", "retryable", "said"),
    [
        (401, False, "refused the key in SERPER_API_KEY"),
        (400, False, "answered 400: no"),
        (429, True, "answered 429"),
        (503, True, "answered 503"),
    ],
)
def test_a_refusal_is_a_typed_failure(server: Server, status: int, retryable: bool, said: str) -> None:
    server.status, server.body = status, "no"

    failed = failure(WebSearchTool(base_url=server.url))

    assert said in failed.message
    assert "s3cret" not in failed.message
    assert (failed.code, failed.retryable, failed.reason) == (f"http_{status}", retryable, "unavailable")


@pytest.mark.parametrize("body", ["<html>", "[]"])
def test_an_answer_that_is_none_is_a_typed_failure(server: Server, body: str) -> None:
    server.body = body

    assert failure(WebSearchTool(base_url=server.url)).code == "unreadable"


def test_a_server_that_does_not_answer_is_a_typed_failure(server: Server) -> None:
    server.hold.clear()

    assert failure(WebSearchTool(base_url=server.url, timeout_s=0.1)).code == "timeout"


def test_a_server_that_is_not_there_is_a_typed_failure(server: Server) -> None:
    with Server() as other:
        gone = other.url

    failed = failure(WebSearchTool(base_url=gone, timeout_s=5))
    assert (failed.code, failed.retryable) == ("connection", True)


def test_a_key_is_found_by_its_variables_name_and_is_missed_by_it(
    server: Server, jackstay_make_runtime: MakeRuntime
) -> None:
    def told(environ: dict[str, str]) -> str:
        jackstay_make_runtime(environ=environ)
        search = WebSearchTool(base_url=server.url, api_key_env="OTHER_KEY")
        model = ScriptedModel([tool_call("web_search", search_query="tides"), "done"])
        one_task(model, agent_fields={"tools": [search]}).kickoff()
        return str(model.calls[-1].messages[-1]["content"])

    assert "needs OTHER_KEY" in told({})
    assert server.asked == []
    assert "Tides" in told({"OTHER_KEY": "k"})
    assert server.asked[0][1] == "k"


def test_a_search_can_be_awaited(server: Server) -> None:
    assert asyncio.run(WebSearchTool(base_url=server.url).arun(search_query="tides"))["results"]
