"""The wire as the engine sees it: which endpoint, one request, what it cost. One per runtime.

Knows no run, no retry, no budget. Clients belong to the engine loop: the asynchronous methods run there only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from jackstay.core.messages import Answer, Question
from jackstay.core.specs import ModelConfig
from jackstay.core.usage import Usage
from jackstay.models.lazy import in_thread
from jackstay.models.overrides import NO_OVERRIDES, Overrides
from jackstay.models.prices import PriceList
from jackstay.models.provider import Connection, Cost, Endpoint, Listener, Provider, Worst
from jackstay.models.routing import Routes
from jackstay.models.table import COMPATIBLE
from jackstay.models.table import providers as table

UNKNOWN = replace(COMPATIBLE, local=True)
"""A server that nothing is known of, its address included: no list may be asked for its price."""
OnHeaders = Callable[[str, str, str, int, Mapping[str, str]], None]


class Wire:
    """Asks models. `providers` replaces or adds rows of the routing table (by name), `prices` are the user's own.
    `on_headers` is told what answers say about rate limits: provider, key's name, model (without a prefix), status, headers.
    (Not of SDKs with an HTTP of their own: boto3.)"""

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        providers: Mapping[str, Provider] | None = None,
        prices: Overrides = NO_OVERRIDES,
        on_headers: OnHeaders | None = None,
    ) -> None:
        self._environ, self._on_headers = environ, on_headers
        self._routes = Routes({**table(), **(providers or {})}.values())
        self._prices = PriceList(prices)
        self._connections: dict[object, asyncio.Task[Connection]] = {}
        self._inherited: list[object] = []

    def resolve(self, config: ModelConfig, *, owner: str = "") -> Endpoint:
        """The endpoint that answers a model's questions; no I/O, so that mistakes cost nothing.

        `owner` stands in error messages: `agent 'Analyst'`. Raises `UnknownModelError`, `MissingKeyError`,
        `MissingExtraError`.
        """
        return self._routes.resolve(config, self._environ, owner=owner)

    async def prepare(self, endpoint: Endpoint) -> None:
        """Loads the provider's SDK and the price list, beside the loop: about a second the first time."""
        await self._connection(endpoint)

    async def ask(
        self,
        endpoint: Endpoint,
        question: Question,
        *,
        timeout_s: float | None = None,
        on_delta: Listener | None = None,
    ) -> Answer:
        """One request, no retry. With `on_delta` (or `endpoint.stream`) the answer is streamed on the wire.

        Raises the `Model*` errors of `jackstay.errors`. A cancel closes the request.
        """
        connection = await self._connection(endpoint)
        return await connection.ask(endpoint, question, timeout_s=timeout_s, on_delta=on_delta)

    async def list_models(self, endpoint: Endpoint) -> list[str]:
        """The models that the endpoint's key may use; spends nothing."""
        connection = await self._connection(endpoint)
        return await connection.list_models(endpoint)

    def cost(self, endpoint: Endpoint, answer: Answer) -> Cost:
        """What the answer cost; unknown (`usd` None) where no price is listed."""
        return self._prices.cost(
            self._routes.provider(endpoint.provider), endpoint, answer.usage, answered_by=answer.model
        )

    def estimate(self, model: str, usage: Usage, *, requests: int = 1) -> Cost:
        """What that usage costs with a model of this name; needs no key. Unknown also where the provider is."""
        provider, name = self._routes.named(model) or (UNKNOWN, model)
        return self._prices.cost(provider, Endpoint(provider.name, name, model), usage, requests=requests)

    def worst_cost(self, endpoint: Endpoint, question: Question) -> Worst:
        """The most that one request can cost: what a reservation sets aside."""
        return self._prices.worst(self._routes.provider(endpoint.provider), endpoint, question)

    def context_window(self, endpoint: Endpoint) -> int | None:
        """The most tokens that the model reads and writes in one call; None: unknown."""
        return self._prices.context_window(self._routes.provider(endpoint.provider), endpoint)

    async def _connection(self, endpoint: Endpoint) -> Connection:
        task = self._connections.get(endpoint.address)
        if task is not None and task.done() and not task.cancelled() and task.exception() is None:
            return task.result()
        if task is None or task.done():
            task = asyncio.create_task(self._connect(endpoint), name=f"connect {endpoint.provider}")
            self._connections[endpoint.address] = task
        # Shielded: 200 first calls share one connecting, and a cancelled one of them must not take it from the rest.
        return await asyncio.shield(task)

    async def _connect(self, endpoint: Endpoint) -> Connection:
        provider = self._routes.provider(endpoint.provider)

        def connect() -> Connection:
            if provider.price is None and not provider.local:
                self._prices.load()
            return provider.connect(endpoint, self._environ)

        connection = await in_thread(connect)
        if connection.turnstile is not None and self._on_headers is not None:
            connection.turnstile.heard = self._heard
        return connection

    def _heard(self, endpoint: object, status: int, headers: Mapping[str, str]) -> None:
        assert self._on_headers is not None
        assert isinstance(endpoint, Endpoint)
        self._on_headers(endpoint.provider, endpoint.key_name, endpoint.model, status, headers)

    async def close(self) -> None:
        """Closes all connections; the wire can be used again."""
        tasks, self._connections = list(self._connections.values()), {}
        for made in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(made, BaseException):  # one that could not be made needs no closing
                await made.close()

    def forget_in_child(self) -> None:
        """After a fork: the parent's connections are forgotten but kept, since even their collection as garbage would
        write to sockets (TLS) and an event loop that belong to the parent."""
        self._inherited.append(self._connections)
        self._connections = {}
