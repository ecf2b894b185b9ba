"""Receives a request: which API it is for, whether its key is accepted, what it says. And answers the side paths."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from jackstay.core.usage import Usage
from jackstay.testing.stub.fault import Fault
from jackstay.testing.stub.http import HttpRequest
from jackstay.testing.stub.log import StubRequest
from jackstay.testing.stub.wire import Asked, WireFormat, compact, input_tokens
from jackstay.testing.stub.wire_anthropic import AnthropicMessages
from jackstay.testing.stub.wire_openai_chat import OpenAIChat, not_found
from jackstay.testing.stub.wire_openai_responses import OpenAIResponses

Refusal = tuple[int, bytes]
_SECRET_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "cookie", "proxy-authorization"})
_ENDINGS: tuple[tuple[str, WireFormat], ...] = (
    ("/chat/completions", OpenAIChat()),
    ("/responses", OpenAIResponses()),
    ("/messages", AnthropicMessages()),
)


def wire_of(method: str, path: str) -> WireFormat | None:
    """The API of a path. By its end: Azure, OpenRouter and base URLs without `/v1` differ in front."""
    if method == "POST":
        for ending, wire in _ENDINGS:
            if path.endswith(ending):
                return wire
    return None


class Intake:
    """keys: the only ones accepted (None: any, or none); models: what the lists show."""

    def __init__(self, *, keys: Iterable[str] | None, models: tuple[str, ...]) -> None:
        self._accepted = None if keys is None else frozenset(_hash(key) for key in keys)
        self._models = models

    def read(self, http: HttpRequest) -> tuple[StubRequest, WireFormat | None, Refusal | None]:
        """The request for the log, its wire format (None: not a model call), and the refusal it gets at once."""
        wire = wire_of(http.method, http.path)
        key_hash = _key_hash(http.headers)
        body, asked, problem = _parsed(http.body, wire)
        request = _request(http, body, asked, wire, key_hash)
        dialect = wire or _dialect(http)
        if self._accepted is not None and key_hash not in self._accepted:
            return request, wire, (401, compact(dialect.error(Fault.http(401), request.model)))
        if wire is not None and problem:
            return request, wire, (400, compact(wire.error(Fault.http(400, problem), request.model)))
        return request, wire, None

    def other(self, http: HttpRequest) -> Refusal:
        """The answer to a path that is not a model call: model lists, token counts, else 404."""
        anthropic = _is_anthropic(http)
        if http.method == "GET" and http.path.endswith("/models"):
            return 200, compact(self._list(anthropic=anthropic))
        if http.method == "GET" and "/models/" in http.path:
            name = http.path.rpartition("/models/")[2]
            if name in self._models:
                return 200, compact(_model(name, anthropic=anthropic))
            return 404, compact(_dialect(http).error(Fault.http(404), name))
        if http.path.endswith("/messages/count_tokens"):
            return 200, compact({"input_tokens": input_tokens(_parsed(http.body, None)[0])})
        return 404, compact(_dialect(http).error(Fault.http(404), "")) if anthropic else not_found(http.path)

    def _list(self, *, anthropic: bool) -> dict[str, Any]:
        items = [_model(name, anthropic=anthropic) for name in self._models]
        if not anthropic:
            return {"object": "list", "data": items}
        ends = {"first_id": self._models[0], "last_id": self._models[-1]} if self._models else {}
        return {"data": items, "has_more": False, "first_id": None, "last_id": None, **ends}


def _model(name: str, *, anthropic: bool) -> dict[str, Any]:
    if anthropic:
        return {
            "type": "model", "id": name, "display_name": name, "created_at": "2025-01-01T00:00:00Z",
            "lifecycle": "active",
        }  # fmt: skip
    return {"id": name, "object": "model", "created": 1735689600, "owned_by": "stub"}


def _dialect(http: HttpRequest) -> WireFormat:
    return AnthropicMessages() if _is_anthropic(http) else OpenAIChat()


def _is_anthropic(http: HttpRequest) -> bool:
    return "anthropic-version" in http.headers


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("latin-1", "replace")).hexdigest()[:12]


def _key_hash(headers: Mapping[str, str]) -> str | None:
    key = headers.get("x-api-key") or headers.get("api-key") or headers.get("authorization", "").removeprefix("Bearer ")
    return _hash(key.strip()) if key.strip() else None


def _parsed(data: bytes, wire: WireFormat | None) -> tuple[Mapping[str, Any], Asked | None, str]:
    """Body, body in our words, and what is wrong with it."""
    try:
        body = json.loads(data) if data else {}
    except ValueError:
        return {}, None, "We could not parse the JSON body of your request."
    if not isinstance(body, Mapping):
        return {}, None, "The body of the request has to be a JSON object."
    if wire is None:
        return body, None, ""
    try:
        return body, wire.read(body), "" if body.get("model") else "you must provide a model parameter"
    except (LookupError, TypeError, ValueError, AttributeError) as exc:
        return body, None, f"Invalid request: {exc!r}"


def _request(
    http: HttpRequest, body: Mapping[str, Any], asked: Asked | None, wire: WireFormat | None, key_hash: str | None
) -> StubRequest:
    request = StubRequest(
        index=-1,
        api=wire.api if wire is not None else "other",
        method=http.method,
        path=http.path,
        body=body,
        model=str(body.get("model", "")),
        stream=body.get("stream") is True,
        key_hash=key_hash,
        received_s=time.time(),
        headers={name: value for name, value in http.headers.items() if name not in _SECRET_HEADERS},
    )
    if asked is not None:
        request.messages, request.tools, request.output = asked.messages, asked.tools, asked.output
        request.tool_choice, request.max_tokens = asked.tool_choice, asked.max_tokens
    return request


def request_from_json(body: Mapping[str, Any]) -> StubRequest:
    """A request back from `StubRequest.to_json`, its messages read again."""
    fields = dict(body)
    usage = fields.pop("usage")
    request = StubRequest(**fields, usage=None if usage is None else Usage(**usage))
    wire = wire_of(request.method, request.path)
    if wire is not None:
        asked = _parsed(compact(request.body), wire)[1]
        if asked is not None:
            request.messages, request.tools, request.output = asked.messages, asked.tools, asked.output
            request.tool_choice, request.max_tokens = asked.tool_choice, asked.max_tokens
    return request
