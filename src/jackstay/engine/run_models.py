"""Which models a run asks for those that the definition names, and how each is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackstay.core.specs import ModelConfig, chain_of
from jackstay.errors import ConfigurationError

if TYPE_CHECKING:
    from jackstay.engine.asker import Asker
    from jackstay.engine.runtime import Runtime


class RunModels:
    """Of one run; lives on the engine loop. `override`: the model that is asked instead of all others, if there is one."""

    def __init__(self, runtime: Runtime, override: str | None) -> None:
        self._runtime, self._override = runtime, override
        self._overridden: dict[int, tuple[ModelConfig, ModelConfig]] = {}
        self._askers: dict[int, tuple[ModelConfig, Asker]] = {}

    def model_for(self, config: ModelConfig) -> ModelConfig:
        """The model that this run asks: its override, if it has one, instead of the whole chain."""
        override = self._override
        if override is None or config.model == override:
            return config
        known = self._overridden.get(id(config))
        if known is None:
            mine = config.named(override)
            # The original is kept too: its id must not be given to another object.
            known = self._overridden[id(config)] = (config, mine)
        return known[1]

    def chain_asker(self, config: ModelConfig, *, owner: str = "") -> Asker:
        """The first model of the chain that can be asked. Raises what is wrong with the first of them."""
        problem: ConfigurationError | None = None
        for member in chain_of(self.model_for(config)):
            try:
                return self.asker(member, owner=owner)
            except ConfigurationError as error:
                problem = problem or error
        assert problem is not None
        raise problem

    def asked_for(self, config: ModelConfig) -> tuple[str, ...]:
        """The names of the chain's models, as they stand in the question."""
        config = self.model_for(config)
        if not config.fallbacks:
            return (self.asker(config).requested,)
        return tuple(member.model or self.asker(member).requested for member in chain_of(config))

    def provider_of(self, requested: str) -> str:
        """Who answers for the model that was asked by this name."""
        return next((a.provider for _, a in self._askers.values() if a.requested == requested), "none")

    def asker(self, config: ModelConfig, *, owner: str = "") -> Asker:
        """How this very model is asked (see `model_for`); raises what is wrong with it (`UnknownModelError`,
        `MissingKeyError`, …)."""
        known = self._askers.get(id(config))
        if known is None:
            known = self._askers[id(config)] = (config, self._runtime.asker(config, owner=owner))
        return known[1]
