"""Which model the demo asks: a real one where there is a key for it, else the simulated one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jackstay.core.specs import ModelConfig
from jackstay.errors import ConfigurationError
from jackstay.models.wire import Wire

SIMULATED = "sim/demo?rounds=2"
"""Two turns with tools before each answer, so that there is something to be killed in the middle of."""
CHEAP = (
    "gpt-4o-mini",
    "anthropic/claude-haiku-4-5",
    "gemini/gemini-2.5-flash-lite",
    "mistral/mistral-small-latest",
    "groq/llama-3.1-8b-instant",
    "deepseek/deepseek-chat",
    "xai/grok-3-mini",
    "openrouter/openai/gpt-4o-mini",
)
"""One inexpensive model of each provider, in the order in which their keys are looked for."""


@dataclass(frozen=True, slots=True)
class Choice:
    model: str
    provider: str
    key_name: str = ""

    @property
    def simulated(self) -> bool:
        return self.provider == "sim"


def choose(environ: Mapping[str, str]) -> Choice:
    """The user's own JACKSTAY_MODEL, the first provider whose key is set, or the simulated model. JACKSTAY_DEMO=sim
    simulates in any case."""
    simulated = Choice(SIMULATED, "sim")
    named = environ.get("JACKSTAY_MODEL", "")
    if environ.get("JACKSTAY_DEMO", "").lower() == "sim" or named.startswith("sim/"):
        return simulated
    wire = Wire(environ)
    if named:
        endpoint = wire.resolve(ModelConfig(named), owner="the demo")
        return Choice(named, endpoint.provider, endpoint.key_name)
    return next((found for model in CHEAP if (found := _with_key(wire, model))), simulated)


def _with_key(wire: Wire, model: str) -> Choice | None:
    try:
        endpoint = wire.resolve(ModelConfig(model))
    except ConfigurationError:  # no key, or the provider's SDK is not installed: the next one
        return None
    return Choice(model, endpoint.provider, endpoint.key_name) if endpoint.key_name else None
