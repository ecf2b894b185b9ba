"""What our OpenAI client sends is what the SDK's own one would."""

from __future__ import annotations

from typing import Any

import pytest
from openai import AsyncOpenAI

from jackstay.models.clients.openai_sdk import Client
from jackstay.models.network import http_client
from jackstay.testing import Stub

pytestmark = pytest.mark.anyio

CONVERSATION: list[Any] = [
    {"role": "system", "content": "Brief."},
    {"role": "user", "content": [{"type": "text", "text": "And now?"}]},
    {
        "role": "assistant",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "7"},
]
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "f", "description": "", "parameters": {"type": "object"}}}
]
GIVEN: list[dict[str, Any]] = [
    {},
    {"tools": TOOLS, "tool_choice": "auto", "temperature": 0.5},
    {"extra_body": {"top_k": 3}, "stop": ["x"], "response_format": {"type": "json_object"}},
    {"stream": True, "stream_options": {"include_usage": True}, "tools": TOOLS},
]


async def sent_by(kind: type[AsyncOpenAI], stub: Stub, given: dict[str, Any]) -> Any:
    http: Any = http_client(stub.openai_url, {}) if kind is Client else None
    async with kind(
        base_url=stub.openai_url, api_key="stub-key-0001", max_retries=0, timeout=600.0, http_client=http
    ) as client:
        answer: Any = await client.chat.completions.create(model="m", messages=CONVERSATION, **given)
        if given.get("stream"):
            assert [piece async for piece in answer]
        else:
            assert answer.choices
    request = stub.requests[-1]
    return request.body, request.headers


@pytest.mark.parametrize("given", GIVEN)
async def test_request_is_the_one_that_the_sdk_itself_would_send(given):
    with Stub() as stub:
        theirs, their_headers = await sent_by(AsyncOpenAI, stub, given)
        ours, our_headers = await sent_by(Client, stub, given)

    assert ours == theirs
    assert ours["messages"] == CONVERSATION
    assert {**our_headers, "user-agent": ""} == {**their_headers, "user-agent": ""}
