"""One provider's address as a connection: asks through `pydantic_ai.direct`, once, and answers in our words.

Knows neither which provider it is (the builders in `clients/` do) nor prices, retries or budgets.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from pydantic_ai.models import Model, ModelRequestParameters

from jackstay.core.messages import Answer, Question
from jackstay.models import failures
from jackstay.models.convert import OUTPUT_TOOL, to_answer, to_messages, to_parameters
from jackstay.models.provider import Delta, Endpoint, Listener
from jackstay.models.settings import to_settings
from jackstay.models.turnstile import Ticket, Turnstile

DEFAULT_LIMIT_S = 600.0
"""What the providers' own SDKs allow one request; used when neither the call nor the user set a limit."""


class WireConnection:
    """Models of one address, made when first asked for."""

    def __init__(
        self,
        build: Callable[[Endpoint], Model],
        *,
        environ: Mapping[str, str],
        models: Callable[[], Awaitable[list[str]]],
        close: Callable[[], Awaitable[None]],
        paced: bool = True,
    ) -> None:
        """`paced`: its requests go through our pools, where those that begin together take turns."""
        self._build, self._environ, self._list, self._close = build, environ, models, close
        self.turnstile = Turnstile() if paced else None
        self._models: dict[str, Model] = {}

    async def ask(
        self, endpoint: Endpoint, question: Question, *, timeout_s: float | None, on_delta: Listener | None
    ) -> Answer:
        """One request. Raises the `Model*` errors; a cancel closes the request."""
        if self.turnstile is None:
            return await self._ask(endpoint, question, timeout_s=timeout_s, on_delta=on_delta)
        async with Ticket(self.turnstile, endpoint):
            return await self._ask(endpoint, question, timeout_s=timeout_s, on_delta=on_delta)

    async def _ask(
        self, endpoint: Endpoint, question: Question, *, timeout_s: float | None, on_delta: Listener | None
    ) -> Answer:
        model = self._model(endpoint)
        profile: Mapping[str, Any] = model.profile
        limit_s = timeout_s if timeout_s is not None else endpoint.timeout_s or DEFAULT_LIMIT_S
        settings = to_settings(question, endpoint, limit_s=limit_s, thinks=bool(profile.get("supports_thinking")))
        parameters = to_parameters(question, endpoint, profile)
        messages = to_messages(question.conversation.messages, endpoint.provider)
        streamed = endpoint.stream or on_delta is not None
        started = time.monotonic()
        try:
            if streamed:
                response = await _streamed(model, messages, settings, parameters, on_delta)
            else:
                response = await model_request(
                    model,
                    messages,
                    model_settings=settings,  # type: ignore[arg-type]
                    model_request_parameters=parameters,
                    instrument=False,
                )
        except Exception as exc:  # SDKs' code: whatever it raises is translated, nothing is swallowed
            attempt = failures.Attempt(endpoint, self._environ, limit_s, time.monotonic() - started)
            raise failures.translate(exc, attempt) from exc
        failures.check_whole(response, endpoint, streamed=streamed)
        return to_answer(response, question, endpoint)

    def _model(self, endpoint: Endpoint) -> Model:
        model = self._models.get(endpoint.model)
        if model is None:
            model = self._models[endpoint.model] = self._build(endpoint)
            model.customize_request_parameters = _Customized(model.customize_request_parameters)  # type: ignore[assignment, method-assign]
        return model

    async def list_models(self, endpoint: Endpoint) -> list[str]:
        """The models that the key may use."""
        started = time.monotonic()
        try:
            return sorted(await self._list())
        except Exception as exc:  # as in `ask`
            attempt = failures.Attempt(endpoint, self._environ, DEFAULT_LIMIT_S, time.monotonic() - started)
            raise failures.translate(exc, attempt) from exc

    async def close(self) -> None:
        await self._close()


class _Customized:
    """Tools and output formats as a provider wants them. The wire library walks through all their schemas for every
    question; those of the last few are kept."""

    def __init__(self, customize: Callable[[ModelRequestParameters], ModelRequestParameters]) -> None:
        self._customize = customize
        self._known: deque[tuple[ModelRequestParameters, ModelRequestParameters]] = deque(maxlen=8)

    def __call__(self, given: ModelRequestParameters) -> ModelRequestParameters:
        for known, made in self._known:
            if known == given:
                return made
        made = self._customize(given)
        self._known.appendleft((given, made))
        return made


async def _streamed(
    model: Model,
    messages: list[ModelMessage],
    settings: dict[str, Any],
    parameters: ModelRequestParameters,
    on_delta: Listener | None,
) -> ModelResponse:
    """The whole answer of a streamed request; `on_delta` hears the pieces on the way."""
    pieces = _Pieces(on_delta)
    async with model_request_stream(
        model,
        messages,
        model_settings=settings,  # type: ignore[arg-type]
        model_request_parameters=parameters,
        instrument=False,
    ) as stream:
        async for event in stream:
            if on_delta is not None:
                pieces.tell(event)
        return stream.get()


class _Pieces:
    """Events of the wire library as deltas. Its part indexes count texts and thoughts too; ours count tool calls."""

    def __init__(self, listener: Listener | None) -> None:
        self._tell = listener
        self._tools: dict[int, tuple[int, bool]] = {}

    def tell(self, event: object) -> None:
        assert self._tell is not None
        match event:
            case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                if text:
                    self._tell(Delta("text", text))
            case PartStartEvent(part=ThinkingPart(content=thought)):
                if thought:
                    self._tell(Delta("thinking", thought))
            case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=str(thought))):
                self._tell(Delta("thinking", thought))
            case PartStartEvent(index=index, part=ToolCallPart(tool_name=name, args=args)):
                self._tools[index] = (len(self._tools), name == OUTPUT_TOOL)
                self._tool(index, args, name)
            case PartDeltaEvent(index=index, delta=ToolCallPartDelta(args_delta=args)) if index in self._tools:
                self._tool(index, args, "")

    def _tool(self, index: int, args: object, name: str) -> None:
        assert self._tell is not None
        number, structured = self._tools[index]
        text = args if isinstance(args, str) else ""
        if not structured:
            self._tell(Delta("tool_call", text, number, name))
        elif text:
            self._tell(Delta("text", text))
