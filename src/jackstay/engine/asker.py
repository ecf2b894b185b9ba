"""How one configured model is asked: over the wire, or by calling a user's own `BaseLLM`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from jackstay.core.messages import Answer, Message, Question, ToolCall
from jackstay.core.specs import ModelConfig
from jackstay.core.usage import Price, Usage, to_pico
from jackstay.engine.scope import Scope
from jackstay.engine.user_code import call_user
from jackstay.errors import ModelTimeout

if TYPE_CHECKING:
    from jackstay.models.overrides import Overrides
    from jackstay.models.provider import Delta, Endpoint
    from jackstay.models.wire import Wire


CUSTOM_OUTPUT = 16_384
"""Tokens that a reservation allows a user's own class to answer: it is not told of a limit, and has none that is known."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to one model."""

    config: ModelConfig
    question: Question
    on_delta: Callable[[Delta], None] | None = None


@dataclass(frozen=True, slots=True)
class WorstCase:
    """The most that one request can cost, for its reservation. `pico` None: no known price."""

    pico: int | None
    input: int
    output: int


class Asker(Protocol):
    requested: str
    model: str
    """Its name at the provider, without the prefix."""
    provider: str
    native_tools: bool
    key_name: str
    """The variable that the key comes from; empty without one."""
    address: str
    """Who is asked, where and with which key: what a provider's circuit breaker is called."""
    takes_max_tokens: bool

    @property
    def context_window(self) -> int | None:
        """In tokens; None: unknown."""
        ...

    async def prepare(self) -> None:
        """Loads what the first request needs; later ones find it there."""
        ...

    async def ask(self, scope: Scope, ask: Ask, *, timeout_s: float) -> Answer:
        """One request, no retry."""
        ...

    def worst(self, question: Question) -> WorstCase: ...

    def cost(self, answer: Answer) -> tuple[Decimal | None, str | None, bool]:
        """US dollars (None: unknown), the price's version, whether it is simulated."""
        ...


class WireAsker:
    """A model behind HTTP (or simulated): `models/` does the work."""

    def __init__(self, wire: Wire, endpoint: Endpoint) -> None:
        self._wire, self._endpoint = wire, endpoint
        self.requested, self.model, self.provider = endpoint.requested, endpoint.model, endpoint.provider
        self.native_tools, self.key_name = endpoint.native_tools, endpoint.key_name
        self.address = f"{endpoint.provider} {endpoint.host} {endpoint.key_name}".rstrip()
        self.takes_max_tokens = True

    @property
    def context_window(self) -> int | None:
        return self._wire.context_window(self._endpoint)

    async def prepare(self) -> None:
        await self._wire.prepare(self._endpoint)

    async def ask(self, scope: Scope, ask: Ask, *, timeout_s: float) -> Answer:
        return await self._wire.ask(self._endpoint, ask.question, timeout_s=timeout_s, on_delta=ask.on_delta)

    def worst(self, question: Question) -> WorstCase:
        worst = self._wire.worst_cost(self._endpoint, question)
        return WorstCase(to_pico(worst.usd), worst.input_tokens, worst.output_tokens)

    def cost(self, answer: Answer) -> tuple[Decimal | None, str | None, bool]:
        cost = self._wire.cost(self._endpoint, answer)
        return cost.usd, cost.price_version, cost.simulated


class CustomAsker:
    """A user's `BaseLLM`: user code, called as such. Its usage is estimated; its price is known if the user gives it."""

    provider = "custom"
    key_name = ""
    takes_max_tokens = False

    def __init__(self, llm: Any, config: ModelConfig, prices: Overrides) -> None:
        self._llm, self._prices, self.requested = llm, prices, config.model
        self.model, self.context_window = config.model, config.context_window
        self.address = f"custom {config.model}"
        supports = getattr(llm, "supports_function_calling", None)
        self.native_tools = bool(supports()) if config.native_tools is None and supports else bool(config.native_tools)

    async def prepare(self) -> None:
        return None

    async def ask(self, scope: Scope, ask: Ask, *, timeout_s: float) -> Answer:
        question = ask.question
        messages = [as_dict(message) for message in question.conversation.messages]
        tools = [{"type": "function", "function": tool.to_json()} for tool in question.tools] or None
        try:
            async with asyncio.timeout(timeout_s) as limit:
                said = await call_user(scope, self._llm.engine_call, messages, tools)
        except TimeoutError as error:
            own = f"raised {type(error).__name__}: {error}".rstrip(": ")
            told = f"did not answer within {timeout_s:g} s" if limit.expired() else own
            raise ModelTimeout(f"{self.requested} {told}", model=self.requested, provider="custom") from error
        return _answer(said, question, self.requested)

    def worst(self, question: Question) -> WorstCase:
        tokens_in, limit, price = question.roughly_tokens, question.sampling.max_tokens or 0, self._price()
        if price is None:
            return WorstCase(None, tokens_in, limit)
        usd = price.cost(Usage(tokens_in, output_tokens=limit or CUSTOM_OUTPUT))
        return WorstCase(to_pico(usd), tokens_in, limit)

    def cost(self, answer: Answer) -> tuple[Decimal | None, str | None, bool]:
        price = self._price()
        return (None, None, False) if price is None else (price.cost(answer.usage), price.version, False)

    def _price(self) -> Price | None:
        """The user's own for this name; there is no list of what users' classes cost."""
        return self._prices.find((self.requested, f"custom/{self.requested}"), datetime.now(UTC))


def as_dict(message: Message) -> dict[str, Any]:
    """A message in the form of OpenAI's chat API, which CrewAI's `BaseLLM.call` is given."""
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        body["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.role == "tool":
        body |= {"tool_call_id": message.tool_call_id, "name": message.name}
    return body


def _answer(said: Any, question: Question, model: str) -> Answer:
    calls = _tool_calls(said) if isinstance(said, list) else ()
    text = "" if calls else said if isinstance(said, str) else _text(said)
    written = len(text) + sum(len(call.arguments) for call in calls)
    usage = Usage(input_tokens=question.roughly_tokens, output_tokens=written // 4, estimated=True)
    return Answer(text, calls, usage, model=model, provider="custom", finish_reason="tool_calls" if calls else "stop")


def _tool_calls(said: list[Any]) -> tuple[ToolCall, ...]:
    calls = []
    for index, item in enumerate(said):
        function = item.get("function") if isinstance(item, Mapping) else getattr(item, "function", None)
        if function is None:
            return ()
        get = function.get if isinstance(function, Mapping) else lambda name, f=function: getattr(f, name, None)
        arguments = get("arguments") or "{}"
        identity = item.get("id") if isinstance(item, Mapping) else getattr(item, "id", None)
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        calls.append(ToolCall(id=identity or f"call_{index}", name=str(get("name")), arguments=text))
    return tuple(calls)


def _text(said: Any) -> str:
    if hasattr(said, "model_dump_json"):
        return str(said.model_dump_json())
    if isinstance(said, Mapping | list):
        return json.dumps(said, ensure_ascii=False, default=str)
    return "" if said is None else str(said)
