"""OpenAI's client, relieved of work that a plain question and its answer do not need.

The SDK compares each message and tool with some seventy types, to rename fields and to read files into base64; it copies
its options several times, and builds an answer field by field, asking each one's type. The wire library hands over
finished JSON and validates the answer itself, so that all this was half of the CPU time of a kickoff
(`bench/bench_crews.py`), and grows with the conversation. Streams, and answers that are not what they should be, are the
SDK's own business as before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any, cast

import httpx2
from openai import APIConnectionError, APITimeoutError, AsyncOpenAI, NotGiven, Omit, not_given, omit
from openai._models import FinalRequestOptions
from openai.resources.chat import AsyncChat, AsyncCompletions
from openai.types.chat import ChatCompletion
from pydantic import ValidationError

from jackstay.models.transport import HttpClient, Prepared

PATH = "/chat/completions"


class Checked(ChatCompletion):
    """An answer that has all its fields as OpenAI describes them."""


class Client(AsyncOpenAI):
    """Sends the same requests as its base class, returns and raises the same."""

    @cached_property
    def chat(self) -> AsyncChat:
        return _Chat(self)

    async def answer(self, body: Mapping[str, Any], headers: Mapping[str, Any]) -> ChatCompletion:
        """One question that is not streamed."""
        like, prepared = self._like(headers)
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        http = cast("HttpClient", self._client)
        try:
            whole = await http.transport.whole(prepared, content)
            if whole.is_plain:
                with suppress(ValidationError):
                    return Checked.model_validate_json(whole.content)
            response = whole.response(_with_content(like, content))
            if response.has_redirect_location:
                response = await http.send(response.request)
        except httpx2.TimeoutException as exc:
            raise APITimeoutError(request=_with_content(like, content)) from exc
        except httpx2.RequestError as exc:
            raise APIConnectionError(request=_with_content(like, content)) from exc
        if not response.is_success:
            raise self._make_status_error_from_response(response)
        try:
            return ChatCompletion.model_validate_json(response.content)
        except ValidationError:
            return await self._as_it_came(response)

    @cached_property
    def _known(self) -> dict[tuple[tuple[str, Any], ...], tuple[httpx2.Request, Prepared]]:
        return {}

    def _like(self, given: Mapping[str, Any]) -> tuple[httpx2.Request, Prepared]:
        """A request with these headers and the SDK's, but for its body: both libraries would merge them anew for each."""
        key = tuple(given.items())
        if key not in self._known:
            options = FinalRequestOptions(method="post", url=PATH, headers=dict(given), security={"bearer_auth": True})
            headers, url = self._build_headers(options), self._prepare_url(PATH)
            request = self._client.build_request("POST", url, headers=headers, timeout=self.timeout)
            del request.headers["content-length"]
            self._known[key] = request, Prepared(request)
        return self._known[key]

    async def _as_it_came(self, response: httpx2.Response) -> ChatCompletion:
        """As the SDK does it, which validates nothing: the wire library says what is wrong with it."""
        return await self._process_response(
            cast_to=ChatCompletion,
            options=FinalRequestOptions(method="post", url=PATH),
            response=response,
            stream=False,
            stream_cls=None,
        )


def _with_content(like: httpx2.Request, content: bytes) -> httpx2.Request:
    return httpx2.Request(like.method, like.url, headers=like.headers, content=content, extensions=like.extensions)


class _Chat(AsyncChat):
    @cached_property
    def completions(self) -> AsyncCompletions:
        return _Completions(cast("Client", self._client))


class _Completions(AsyncCompletions):
    _client: Client

    async def create(  # its overloads tell streams from answers; who calls knows which it wants
        self, *, messages: Any, tools: Any | Omit = omit, extra_body: Any = None, **others: Any
    ) -> Any:
        finished = {"messages": messages, **({} if isinstance(tools, Omit) else {"tools": tools}), **(extra_body or {})}
        headers, timeout = others.pop("extra_headers", None) or {}, others.pop("timeout", not_given)
        if others.get("stream") or not isinstance(timeout, NotGiven):
            return await super().create(
                messages=[], extra_headers=headers, extra_body=finished, timeout=timeout, **others
            )
        given = {name: value for name, value in others.items() if not isinstance(value, Omit)}
        return await self._client.answer({**given, **finished}, headers)
