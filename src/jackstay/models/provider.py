"""The seam between the wire and one provider: an `Endpoint` says who is asked, a `Connection` asks.

Owns the values and protocols only. Knows no provider, no HTTP library and no price.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, Protocol
from urllib.parse import urlsplit

from jackstay.core.messages import Answer, Question
from jackstay.core.specs import Secret
from jackstay.core.usage import Price
from jackstay.models.turnstile import Turnstile


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Who answers a model's questions: made by `Wire.resolve`, without I/O, before any money is spent.

    Hashable; equal endpoints share one connection. The key and the headers never show in a `repr`.
    """

    provider: str
    """The provider's name in our table: `openai`, `anthropic`, `sim`, …"""
    model: str
    """The model's name on the wire, without the prefix (for `sim`: `demo?seed=1`)."""
    requested: str
    """The model as the user wrote it; what messages and the journal call it."""
    base_url: str | None = None
    """None: the SDK's own address."""
    key_name: str = ""
    """Where the key came from: a variable's name, `api_key`, or empty when none is needed."""
    key: Secret | None = field(default=None, repr=False)
    stream: bool = False
    """Stream on the wire even when nobody listens to the pieces."""
    api: Literal["completions", "responses"] = "completions"
    api_version: str | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    options: tuple[tuple[str, str], ...] = ()
    """Client options that do not change the answer: organization, project, region, …"""
    timeout_s: float | None = None
    """The user's own limit of one request; `Wire.ask(timeout_s=…)` is what counts."""
    native_tools: bool = True
    """False: the agent loop describes tools in text (ReAct)."""
    native_output: bool | None = None
    """None: as the wire library's profile of the model says."""
    context_window: int | None = None
    prompt_caching: bool = False
    """Mark the prompt for the provider's own cache."""

    @property
    def host(self) -> str:
        """Host and port, for people and for names; empty for the SDK's own address."""
        return "" if self.base_url is None else urlsplit(self.base_url).netloc.rpartition("@")[2]

    @property
    def address(self) -> tuple[object, ...]:
        """What a connection is cached by: the provider, its address, its key, the headers sent."""
        return (
            self.provider, self.base_url, self.key_name, self.key, self.api, self.api_version, self.headers, self.options
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a streamed answer. `tool_index` counts the answer's tool calls from 0; a tool call's first piece
    has its name, later pieces the next characters of its arguments in `text`."""

    kind: Literal["text", "tool_call", "thinking", "restart"]
    """`restart`: the answer is asked for anew, what was told of it so far does not count."""
    text: str
    tool_index: int = 0
    tool_name: str = ""


Listener = Callable[[Delta], None]
"""Called on the engine loop with each piece: must return at once."""


class Connection(Protocol):
    """One per `Endpoint.address`; lives on the engine loop, asks any model there."""

    @property
    def turnstile(self) -> Turnstile | None:
        """Where requests that begin together take turns; None: they need not."""
        ...

    async def ask(
        self, endpoint: Endpoint, question: Question, *, timeout_s: float | None, on_delta: Listener | None
    ) -> Answer:
        """One request, no retry. Raises the `Model*` errors of `jackstay.errors`; a cancel closes the request."""
        ...

    async def list_models(self, endpoint: Endpoint) -> list[str]:
        """The models that the key may use; spends nothing."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Provider:
    """One row of the routing table."""

    name: str
    prefixes: tuple[str, ...]
    connect: Callable[[Endpoint, Mapping[str, str]], Connection]
    """Makes the connection (second argument: the environment). First place where an SDK may be imported."""
    key_variables: tuple[str, ...] = ()
    """In the order they are looked at; the first is named when none is set."""
    needs_key: bool = True
    base_url_variables: tuple[str, ...] = ()
    default_base_url: str | None = None
    module: str | None = None
    """The SDK's importable name, looked for without importing it."""
    extra: str | None = None
    """`pip install 'jackstay[extra]'` brings the SDK."""
    local: bool = False
    """Runs on the user's own machines: no key, no listed price."""
    prepare: Callable[[Endpoint, Mapping[str, str]], Endpoint] | None = None
    """Checks and completes the endpoint at resolve time: no I/O, no heavy import; raises `ConfigurationError`."""
    price: Callable[[Endpoint], Price | None] | None = None
    """The provider's own prices. None: the general price list (or, if `local`, unknown)."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an answer cost. `usd` None: the price is unknown, which is not the same as free."""

    usd: Decimal | None
    price_version: str | None = None
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Worst:
    """The most that one request can cost: what a reservation sets aside."""

    usd: Decimal | None
    input_tokens: int
    output_tokens: int
