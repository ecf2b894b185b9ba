"""The simulated model `sim/…` as a provider: no key, no network, made-up prices that say so.

Answers come from `sim_brain.py`, settings from `sim_options.py`. It is used only where a model's name says `sim/`;
nothing chooses it for a user, and nothing outside `models/sim*` and `testing/` knows it.
With a `base_url` (or SIM_BASE_URL) it asks that address in OpenAI's language instead: the stub server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal

from jackstay.core.messages import Answer, Question
from jackstay.core.usage import Price
from jackstay.errors import ModelTimeout
from jackstay.models.lazy import load
from jackstay.models.provider import Connection, Delta, Endpoint, Listener, Provider
from jackstay.models.sim_brain import SimAnswer, respond
from jackstay.models.sim_draw import Draw
from jackstay.models.sim_faults import error_for
from jackstay.models.sim_options import SimOptions, read_options, with_sampling

PRICE_TABLE = "sim-2026-11"
_PRICES: Mapping[str, tuple[str, str, str]] = {
    "demo": ("0.15", "0.60", "0.075"),
    "pro": ("2.50", "10.00", "1.25"),
}
"""US dollars per million tokens: input, output, cached input. Made up; other names cost what `demo` costs."""


def price(endpoint: Endpoint) -> Price:
    """The simulated price of a simulated model."""
    rates = _PRICES.get(endpoint.model.partition("?")[0], _PRICES["demo"])
    given, said, cached = (Decimal(rate) for rate in rates)
    return Price(given, said, cached_mtok=cached, version=PRICE_TABLE, simulated=True)


class SimConnection:
    """Plays answers and faults in this process. Latency is slept here, the brain is pure."""

    turnstile = None

    def __init__(self) -> None:
        self._requests: dict[str, int] = {}
        self._failed: dict[tuple[str, str], int] = {}

    async def ask(
        self, endpoint: Endpoint, question: Question, *, timeout_s: float | None, on_delta: Listener | None
    ) -> Answer:
        """As a provider answers; a fault raises what the wire raises for it."""
        options = with_sampling(read_options(endpoint.model), question.sampling, endpoint.model)
        limit_s = timeout_s if timeout_s is not None else endpoint.timeout_s
        try:
            async with asyncio.timeout(limit_s):
                return await self._answer(endpoint, question, options, on_delta)
        except TimeoutError as exc:
            raise ModelTimeout(
                f"model {endpoint.requested} (simulated) did not answer within {limit_s:g} s",
                model=endpoint.requested,
                provider="sim",
            ) from exc

    async def _answer(
        self, endpoint: Endpoint, question: Question, options: SimOptions, on_delta: Listener | None
    ) -> Answer:
        fault = self._fault(endpoint.model, question, options)
        await asyncio.sleep(options.latency)
        if fault == "hang":
            await asyncio.get_running_loop().create_future()
        if fault not in ("ok", "cut"):
            raise error_for(fault, endpoint.requested)
        answer = _think(question, options)
        await _speak(answer, options, on_delta, whole=fault == "ok")
        if fault == "cut":
            raise error_for(fault, endpoint.requested)
        return Answer(
            text=answer.text,
            tool_calls=answer.tool_calls,
            usage=answer.usage,
            model=endpoint.model.partition("?")[0],
            provider="sim",
            finish_reason=answer.finish_reason,
        )

    def _fault(self, model: str, question: Question, options: SimOptions) -> str:
        """The fault of this request: the script's, by its number; else by chance; else `ok`."""
        if not options.faults and not options.chances:
            return "ok"
        number = self._requests[model] = self._requests.get(model, -1) + 1
        if number < len(options.faults):
            return options.faults[number]
        # By question and attempt, not by order of arrival: concurrent runs draw the same in every execution.
        asked = (model, question.conversation.hash)
        attempt = self._failed.get(asked, 0)
        draw = Draw(f"{options.seed}:fault:{asked[1]}:{attempt}")
        for fault, share in options.chances:
            if draw.share() < share:
                self._failed[asked] = attempt + 1
                return fault
        self._failed.pop(asked, None)
        return "ok"

    async def list_models(self, endpoint: Endpoint) -> list[str]:
        return sorted(_PRICES)

    async def close(self) -> None:
        self._requests.clear()
        self._failed.clear()


def _think(question: Question, options: SimOptions) -> SimAnswer:
    return respond(
        question.conversation.messages,
        question.tools,
        question.output,
        seed=options.seed,
        rounds=options.rounds,
        tool_choice=question.sampling.tool_choice,
        max_tokens=question.sampling.max_tokens,
        words=options.words,
    )


async def _speak(answer: SimAnswer, options: SimOptions, on_delta: Listener | None, *, whole: bool) -> None:
    """Tells the listener the pieces at the wanted speed; half of them if the answer is to break off."""
    pieces = _pieces(answer)
    pause_s = 1 / options.tps if options.tps else 0.0
    if on_delta is None:
        await asyncio.sleep(pause_s * len(pieces) / (1 if whole else 2))
        return
    for piece in pieces if whole else pieces[: len(pieces) // 2]:
        await asyncio.sleep(pause_s)
        on_delta(piece)


def _pieces(answer: SimAnswer) -> list[Delta]:
    """Four characters a token, as the usage counts them."""
    pieces = [Delta("text", answer.text[start : start + 4]) for start in range(0, len(answer.text), 4)]
    for index, call in enumerate(answer.tool_calls):
        pieces.append(Delta("tool_call", "", index, call.name))
        pieces += [
            Delta("tool_call", call.arguments[start : start + 4], index) for start in range(0, len(call.arguments), 4)
        ]
    return pieces


def prepare(endpoint: Endpoint, _environ: Mapping[str, str]) -> Endpoint:
    """Mistakes in the options are said before the first call."""
    read_options(endpoint.model)
    return endpoint


def connect(endpoint: Endpoint, environ: Mapping[str, str]) -> Connection:
    """In this process; with an address, over OpenAI's wire to it."""
    if endpoint.base_url is None:
        return SimConnection()
    over_http: Connection = load("jackstay.models.clients.openai:connect")(endpoint, environ)
    return over_http


PROVIDER = Provider(
    "sim",
    ("sim",),
    connect,
    needs_key=False,
    base_url_variables=("SIM_BASE_URL",),
    prepare=prepare,
    price=price,
)
