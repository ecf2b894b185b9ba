"""The models that may answer one call, in their order: which one is asked next, and why each other did not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jackstay.core.messages import Question
from jackstay.core.specs import ModelConfig, chain_of
from jackstay.engine.asker import Ask, Asker
from jackstay.errors import ConfigurationError, ModelContextExceeded, ModelError

if TYPE_CHECKING:
    from jackstay.engine.scope import Scope

_warming: set[asyncio.Task[None]] = set()
_warmed: set[str] = set()


@dataclass(frozen=True, slots=True)
class Member:
    """One model of the chain, resolved."""

    config: ModelConfig
    asker: Asker
    question: Question
    """As this model is asked: with its own sampling, where it was given one."""
    place: int
    replaceable: bool
    """There is another model behind it."""

    @property
    def breakers(self) -> tuple[str, str]:
        """The names of its circuit breakers: the provider's (at this address, with this key) and its own."""
        return self.asker.address, f"{self.asker.address} {self.asker.requested}"


class Chain:
    """Of one call. `tried` is told of every model that is passed over."""

    def __init__(self, scope: Scope, ask: Ask, tried: list[dict[str, Any]]) -> None:
        self._scope, self._run, self._ask, self._tried = scope, scope.run, ask, tried
        self._configs = list(chain_of(ask.config))
        self._place = 0
        self._problem: ConfigurationError | None = None
        self._downgraded: set[str] = set()

    async def next(self) -> Member:
        """The first model, from here on, that may be asked; `done_with` it in any case. Raises what is wrong with the first if none can be."""
        while True:
            member = self._first_usable()
            if member is None:
                raise self._problem or ConfigurationError("no model of the chain can be asked")
            if not member.replaceable:
                return member
            self._warm_up()
            why = await self._run.runtime.breakers.enter(member.breakers)
            if not why:
                return member
            self._note(member.asker.requested, "breaker_open", why)
            self._run.tell("fallback", self._scope.path, model=member.asker.requested, reason=why)
            self._place += 1

    def done_with(self, member: Member) -> None:
        """It has answered, or another one is asked."""
        if member.replaceable:
            self._run.runtime.breakers.leave(member.breakers)

    def fall_back(self, member: Member, error: ModelError) -> bool:
        """Whether another model is asked after this failure; then it is the next."""
        self._place += 1
        if isinstance(error, ModelContextExceeded):
            self._skip_smaller(member.asker.context_window)
        return self._first_usable() is not None

    def pass_over(self, member: Member, code: str, why: str) -> bool:
        """Whether another model is asked instead of this one, which has not been."""
        self._note(member.asker.requested, code, why)
        self._place += 1
        return self._first_usable() is not None

    def downgrade(self, member: Member, model: str, why: str) -> bool:
        """The cheaper model of a budget is the next and the last. False: it is that one already."""
        if member.config.model == model or model in self._downgraded:
            return False  # two budgets may each name the other's model
        self._downgraded.add(model)
        self._note(member.asker.requested, "budget", why)
        self._configs[member.place :] = [member.config.named(model)]
        self._place = member.place
        return True

    def _first_usable(self) -> Member | None:
        while self._place < len(self._configs):
            config = self._configs[self._place]
            asker = self._usable(config, say=True)
            if asker is not None:
                behind = any(self._usable(each) is not None for each in self._configs[self._place + 1 :])
                return Member(config, asker, self._question(config), self._place, behind)
            self._place += 1
        return None

    def _usable(self, config: ModelConfig, *, say: bool = False) -> Asker | None:
        """How the model is asked; None if it cannot be: no key, no SDK, or no tools where the question has some."""
        try:
            asker = self._run.models.asker(config, owner=f"agent '{self._scope.agent}'" if self._scope.agent else "")
            if self._ask.question.tools and not asker.native_tools:
                raise ConfigurationError(
                    f"{config.model} does not take tools (native_tools=False), which this call needs"
                )
        except ConfigurationError as error:
            if say:
                self._problem = self._problem or error
                self._note(config.model, error.code, str(error))
            return None
        return asker

    def _question(self, config: ModelConfig) -> Question:
        question, first = self._ask.question, self._configs[0]
        if config is first or config.sampling is first.sampling:
            return question
        forced, stop = question.sampling.tool_choice, question.sampling.stop[len(first.sampling.stop) :]
        sampling = replace(config.sampling, tool_choice=forced, stop=(*config.sampling.stop, *stop))
        return replace(question, sampling=sampling)

    def _skip_smaller(self, window: int | None) -> None:
        """Too long for this model: one whose window is known not to be larger need not be asked."""
        while window is not None and self._place < len(self._configs):
            asker = self._usable(self._configs[self._place])
            other = None if asker is None else asker.context_window
            if other is None or other > window:
                return
            self._note(
                self._configs[self._place].model, "context_window", f"its window of {other:,} tokens is no larger"
            )
            self._place += 1

    def _note(self, model: str, code: str, why: str) -> None:
        self._tried.append({"model": model, "code": code, "why": why})

    def _warm_up(self) -> None:
        """Loads the next model's SDK (a second, the first time) while this one is being asked."""
        behind = (self._usable(each) for each in self._configs[self._place + 1 :])
        asker = next((each for each in behind if each is not None), None)
        if asker is None or asker.address in _warmed:
            return
        _warmed.add(asker.address)
        task = asyncio.get_running_loop().create_task(_prepared(asker))
        _warming.add(task)
        task.add_done_callback(_warming.discard)


async def _prepared(asker: Asker) -> None:
    try:
        await asker.prepare()
    except Exception:  # noqa: BLE001, S110 - said when it is asked, if it ever is
        pass


def why_each(tried: list[dict[str, Any]]) -> Mapping[str, str]:
    """Of every model that did not answer, the last reason."""
    return {each["model"]: each["why"] for each in tried}
