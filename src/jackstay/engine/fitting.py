"""A conversation that would not fit into the model's context window is made to fit before it is sent.

First long texts are shortened to their beginning and end, with a tool that reads on in them: nothing is lost and nothing
is spent. If that is not enough, the turns before the last one are summed up by the agent's own model, each piece a
recorded call. All of it follows from the conversation and from recorded answers, so that a resumed run comes to the same.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from jackstay.core import prompts
from jackstay.core.context_window import (
    ASSUMED,
    READ_MORE,
    SHARE,
    USABLE,
    LongTexts,
    Parts,
    parts_of,
    pieces,
    read_more_spec,
    room,
    tokens_of,
    transcript,
)
from jackstay.core.messages import Conversation, Message
from jackstay.core.specs import AgentSpec, ModelConfig, ToolDef, chain_of
from jackstay.engine.scope import Scope
from jackstay.errors import ConfigurationError, ModelContextExceeded

NARROWER = 0.7
"""Of what a model has refused as too long, this much is tried next."""
REFUSALS = 3

Summarise = Callable[[Sequence[Message]], Awaitable[str]]
"""The model's answer to a few messages; a step."""


class Window:
    """Of one agent's loop: how much its model reads, and what is done to stay within it."""

    def __init__(self, scope: Scope, agent: AgentSpec, tools: Sequence[ToolDef]) -> None:
        self._scope, self._agent = scope, agent
        self.config: ModelConfig = scope.run.models.model_for(agent.model)
        self.window = _largest_window(scope, self.config)
        self.fits_itself = agent.respect_context_window
        self._most = self._room(self.window) if self.window is not None else None
        self._share = (self._most or self._room(ASSUMED)) // SHARE
        self._refused = 0
        if scope.long_texts is None:
            scope.long_texts = LongTexts(_free_name({tool.spec.name for tool in tools}))
        self.texts: LongTexts = scope.long_texts

    def _room(self, window: int) -> int:
        return room(window, self.config.sampling.max_tokens, usable=USABLE if self.fits_itself else 1.0)

    def shown(self, message: Message) -> Message:
        """A tool's result as the model is shown it."""
        if not self.fits_itself or message.name == self.texts.tool:
            return message
        return self._shortened(message, self._share)

    @property
    def tool(self) -> ToolDef | None:
        """Reads on in the texts that were shortened; None: there are none."""
        if not self.texts.whole:
            return None
        spec = read_more_spec(self.texts.tool)
        return ToolDef(spec, _never, self.texts.checked, inside=_ReadMore(self.texts, self._share))

    async def fit(self, conversation: Conversation, beside: int, summarise: Summarise) -> Conversation:
        """The conversation, or what is sent in its place. `beside`: tokens of what goes along with it (tools, a schema).
        Raises `ModelContextExceeded` if it cannot be made to fit, or is not to be."""
        if self._most is None or tokens_of(conversation.messages) + beside <= self._most:
            return conversation
        if not self.fits_itself:
            self._refuse(conversation, beside, "set respect_context_window=True, so that it is made to fit")
        most = self._most - beside
        parts = self._with_excerpts(parts_of(conversation.messages), self._share)
        if parts.middle and _tokens(parts) > most:
            parts = await self._summed_up(parts, summarise)
        share = self._share
        while _tokens(parts) > most:
            share //= 2
            if share < 1:
                self._refuse(conversation, beside, "give the agent less to begin with")
            parts = self._with_excerpts(parts, share)
        self._scope.run.tell(
            "warning",
            self._scope.path,
            text=f"the conversation of agent '{self._agent.role}' would not have fitted into the context window of "
            f"{self.config.model}; it was shortened",
        )
        return Conversation.of((*parts.head, *parts.middle, *parts.tail))

    def narrow(self, conversation: Conversation, beside: int) -> bool:
        """After the model has refused a conversation as too long: whether less of it is tried."""
        self._refused += 1
        if not self.fits_itself or self._refused > REFUSALS:
            return False
        self._most = int((tokens_of(conversation.messages) + beside) * NARROWER)
        self._share = max(1, min(self._share, self._most // SHARE))
        return True

    def _shortened(self, message: Message, tokens: int) -> Message:
        text = self.texts.shortened(message.content, tokens)
        return message if text is message.content else replace(message, content=text)

    def _with_excerpts(self, parts: Parts, tokens: int) -> Parts:
        def shorter(messages: Sequence[Message]) -> tuple[Message, ...]:
            # Who the agent is, and what it has said itself, stays as it is.
            told = ("user", "tool")
            return tuple(self._shortened(each, tokens) if each.role in told else each for each in messages)

        return Parts(shorter(parts.head), shorter(parts.middle), shorter(parts.tail))

    async def _summed_up(self, parts: Parts, summarise: Summarise) -> Parts:
        assert self._most is not None
        text = transcript(parts.middle)
        handle = self.texts.keep(text)
        parted = pieces(text, max(1, self._most // 2))
        summaries = [await summarise(prompts.summary_messages(self._agent, piece)) for piece in parted]
        told = prompts.summed_up_text("\n\n".join(summaries), handle, self.texts.tool)
        return replace(parts, middle=(Message("user", told),))

    def _refuse(self, conversation: Conversation, beside: int, advice: str) -> NoReturn:
        raise ModelContextExceeded(
            f"the conversation of agent '{self._agent.role}' has about {tokens_of(conversation.messages) + beside:,} "
            f"tokens, and {self.config.model} reads {self._most:,} beside its answer; nothing was sent: {advice}, or "
            "choose a model with a larger context window",
            model=self.config.model,
            exhausted=True,
        )


def _tokens(parts: Parts) -> int:
    return tokens_of((*parts.head, *parts.middle, *parts.tail))


def _largest_window(scope: Scope, config: ModelConfig) -> int | None:
    """Of the chain's models: what is too long for one may be asked of the next."""
    known = []
    for member in chain_of(config):
        try:
            window = scope.run.models.asker(member).context_window
        except ConfigurationError:
            continue
        known += [window] if window else []
    return max(known, default=None)


def _free_name(taken: set[str]) -> str:
    name = READ_MORE
    while name in taken:
        name += "_"
    return name


@dataclass(frozen=True, slots=True)
class _ReadMore:
    texts: LongTexts
    tokens: int

    def question(self, arguments: str) -> Any:
        """The text: another one with the same handle is read anew."""
        try:
            given = json.loads(arguments)
        except ValueError:
            return None
        return self.texts.whole.get(str(given.get("handle"))) if isinstance(given, dict) else None

    async def perform(self, scope: Scope, arguments: Mapping[str, Any]) -> str:
        return self.texts.read(arguments["handle"], arguments["offset"], self.tokens)


def _never(**_: Any) -> NoReturn:
    raise AssertionError("performed by the engine")
