"""The stub's request log: what arrived, when, and what became of it. Safe to read from any thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jackstay.core.messages import Message, OutputSchema, ToolSpec
from jackstay.core.usage import NO_USAGE, Usage
from jackstay.testing.stub.reply import usage_to_json


@dataclass(slots=True, eq=False)
class StubRequest:
    """One request as the stub saw it. The last five fields are filled in when it ends.

    Times are seconds since the epoch (`time.time()`), comparable across the processes of one machine.
    """

    index: int
    """Number of the model call since the last reset, from 0 (-1: not a model call)."""
    api: str
    """`openai-chat`, `openai-responses`, `anthropic`; `other` for model lists and unknown paths."""
    method: str
    path: str
    body: Mapping[str, Any]
    model: str
    stream: bool
    key_hash: str | None
    """First 12 hex digits of the key's SHA-256; None when no key was sent. Never the key."""
    received_s: float
    in_flight: int = 0
    """Model calls in flight at receipt, this one included."""
    messages: tuple[Message, ...] = ()
    tools: tuple[ToolSpec, ...] = ()
    output: OutputSchema | None = None
    tool_choice: str | None = None
    max_tokens: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Without the ones that carry keys."""
    version: int = 0
    """The log's version at this request's last change."""
    finished_s: float | None = None
    status: int | None = None
    usage: Usage | None = None
    """What the answer reported; None for errors and answers that broke off."""
    fault: str = ""
    client_left: bool = False
    """The client closed the connection before the answer's end."""

    @property
    def finished(self) -> bool:
        return self.finished_s is not None

    @property
    def system(self) -> str:
        return "\n".join(message.content for message in self.messages if message.role == "system")

    @property
    def last_user(self) -> str:
        return next((message.content for message in reversed(self.messages) if message.role == "user"), "")

    def to_json(self) -> dict[str, Any]:
        """For the log over HTTP and the log file; messages and tools are in `body`."""
        skipped = ("messages", "tools", "output", "tool_choice", "max_tokens", "usage")
        body = {name: getattr(self, name) for name in self.__slots__ if name not in skipped}
        body["usage"] = None if self.usage is None else usage_to_json(self.usage)
        return body


class Log:
    """All requests since the last reset, and a condition to wait on."""

    def __init__(self, on_finished: Callable[[StubRequest], None] | None = None) -> None:
        self.changed = threading.Condition()
        self.version = 0
        self.generation = 0
        """Counts resets, so that a reader with older entries knows to drop them."""
        self.requests: list[StubRequest] = []
        self.others: list[StubRequest] = []
        self.in_flight = 0
        self.max_in_flight = 0
        self.watchers: set[Callable[[], None]] = set()
        """Called at every change, on the stub's loop, where all changes are made."""
        self._on_finished = on_finished

    def opened(self, request: StubRequest, *, model_call: bool) -> None:
        with self.changed:
            if model_call:
                request.index = len(self.requests)
                self.in_flight += 1
                self.max_in_flight = max(self.max_in_flight, self.in_flight)
                request.in_flight = self.in_flight
                self.requests.append(request)
            else:
                self.others.append(request)
            self._touch(request)

    def closed(self, request: StubRequest, *, status: int | None, usage: Usage | None, left: bool) -> None:
        """The request's end; a second word about the same request is ignored."""
        with self.changed:
            if request.finished:
                return
            request.finished_s = time.time()
            request.status, request.usage, request.client_left = status, usage, left
            if request.index >= 0:
                self.in_flight -= 1
            self._touch(request)
        if self._on_finished is not None:
            self._on_finished(request)

    def _touch(self, request: StubRequest) -> None:
        self._tell()
        request.version = self.version

    def _tell(self) -> None:
        self.version += 1
        self.changed.notify_all()
        for watcher in self.watchers:
            watcher()

    def reset(self) -> None:
        """Forgets the requests; those in flight go on and are counted as in flight only."""
        with self.changed:
            self.requests, self.others = [], []
            self.max_in_flight = self.in_flight
            self.generation += 1
            self._tell()

    def total_usage(self) -> Usage:
        with self.changed:
            return sum((request.usage for request in self.requests if request.usage is not None), NO_USAGE)

    def since(self, version: int) -> dict[str, Any]:
        """The state for a reader in another process: the entries that changed after `version`."""
        with self.changed:
            return {
                "version": self.version,
                "generation": self.generation,
                "in_flight": self.in_flight,
                "max_in_flight": self.max_in_flight,
                "requests": [one.to_json() for one in self.requests if one.version > version],
                "others": [one.to_json() for one in self.others if one.version > version],
            }
