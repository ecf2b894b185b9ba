"""OpenAI's client, relieved of one thing: its walk over every message before a request.

The SDK compares each message and tool with some seventy types, to rename fields and to read files into base64. The wire
library hands over finished JSON, in which there is nothing to rename or read; the walk took a seventh of a kickoff's CPU
(`bench/bench_crews.py`), and grows with the conversation. What the SDK calls `extra_body` it sends as it is.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from openai import AsyncOpenAI, Omit, omit
from openai.resources.chat import AsyncChat, AsyncCompletions


class Client(AsyncOpenAI):
    """Sends the same requests as its base class."""

    @cached_property
    def chat(self) -> AsyncChat:
        return _Chat(self)


class _Chat(AsyncChat):
    @cached_property
    def completions(self) -> AsyncCompletions:
        return _Completions(self._client)


class _Completions(AsyncCompletions):
    async def create(  # its overloads tell streams from answers; who calls knows which it wants
        self, *, messages: Any, tools: Any | Omit = omit, extra_body: Any = None, **others: Any
    ) -> Any:
        plain = {"messages": messages} if isinstance(tools, Omit) else {"messages": messages, "tools": tools}
        return await super().create(messages=[], extra_body={**plain, **(extra_body or {})}, **others)
