"""The stub as seen from another process: the same reading and scripting methods, over its `/__stub__/…` paths."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

from jackstay.core.usage import NO_USAGE, Usage
from jackstay.testing.stub.control import answer_to_json
from jackstay.testing.stub.environment import client_environment
from jackstay.testing.stub.fault import Fault
from jackstay.testing.stub.intake import request_from_json
from jackstay.testing.stub.log import StubRequest
from jackstay.testing.stub.reply import reply_of


class RemoteStub:
    """A stub that runs elsewhere, by its URL. Not for use by several threads at once."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._version = 0
        self._generation = 0
        self._requests: dict[int, StubRequest] = {}
        self._others: list[StubRequest] = []
        self._in_flight = self._max_in_flight = 0

    @classmethod
    @contextmanager
    def spawn(cls, *arguments: str) -> Iterator[Self]:
        """Starts `python -m jackstay.testing.stub` with these arguments and stops it at the block's end.

        The stub also ends when this process does, even by SIGKILL: it watches its standard input.
        """
        command = [sys.executable, "-m", "jackstay.testing.stub", "--until-stdin-closes", *arguments]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                url = process.stdout.readline().strip()
                if not url:
                    raise RuntimeError(f"the stub did not start: {' '.join(command)}")
                yield cls(url)
            finally:
                process.stdin.close()
                process.wait(timeout=30)

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    def environ(self) -> dict[str, str]:
        return client_environment(self.url)

    # --- what it saw ---

    @property
    def requests(self) -> list[StubRequest]:
        self._refresh()
        return self._known()

    @property
    def other_requests(self) -> list[StubRequest]:
        self._refresh()
        return list(self._others)

    @property
    def in_flight(self) -> int:
        self._refresh()
        return self._in_flight

    @property
    def max_in_flight(self) -> int:
        self._refresh()
        return self._max_in_flight

    def total_usage(self) -> Usage:
        return sum((one.usage for one in self.requests if one.usage is not None), NO_USAGE)

    def wait_for(self, predicate: Callable[[Self], bool], timeout_s: float = 10.0) -> None:
        """Returns when `predicate(self)` holds. Raises `TimeoutError` after `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        while not predicate(self):
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError(f"not so after {timeout_s} s: {len(self._requests)} requests")
            self._refresh(wait_s=min(left_s, 5.0))

    # --- what it is told ---

    def reset(self) -> None:
        self._post("reset", {})

    def script(self, answers: Iterable[Any]) -> None:
        """As `Stub.script`; functions cannot travel and are refused with `TypeError`."""
        self._post("script", {"answers": [answer_to_json(reply_of(answer)) for answer in answers]})

    def rule(self, answer: Any, **conditions: Any) -> None:
        self._post("rule", {"answer": answer_to_json(reply_of(answer)), "conditions": conditions})

    def fault_at(self, index: int, fault: Fault | str) -> None:
        self._post("fault_at", {"index": index, "fault": _fault(fault)})

    def fault_by_chance(self, fault: Fault | str, probability: float, *, seed: int = 0) -> None:
        self._post("fault_by_chance", {"fault": _fault(fault), "probability": probability, "seed": seed})

    def set_latency(self, latency_s: float) -> None:
        self._post("latency", {"latency_s": latency_s})

    def hold(self) -> None:
        self._post("hold", {})

    def release(self) -> None:
        self._post("release", {})

    # --- over HTTP ---

    def _known(self) -> list[StubRequest]:
        return [self._requests[index] for index in sorted(self._requests)]

    def _refresh(self, wait_s: float = 0.0) -> None:
        """Fetches what changed since the last look."""
        state = self._call("GET", f"log?since={self._version}&wait_s={wait_s}", None)
        if state["generation"] != self._generation:
            self._generation = state["generation"]
            self._requests.clear()
            self._others.clear()
        self._version = state["version"]
        self._in_flight, self._max_in_flight = state["in_flight"], state["max_in_flight"]
        for body in state["requests"]:
            self._requests[body["index"]] = request_from_json(body)
        for body in state["others"]:
            if body["finished_s"] is not None:
                self._others.append(request_from_json(body))

    def _post(self, command: str, body: dict[str, Any]) -> None:
        self._call("POST", command, body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port, timeout=60)
        try:
            connection.request(method, f"/__stub__/{path}", None if body is None else json.dumps(body))
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(answer["error"])
        return answer


def _fault(fault: Fault | str) -> dict[str, Any]:
    return (Fault.from_json(fault) if isinstance(fault, str) else fault).to_json()
