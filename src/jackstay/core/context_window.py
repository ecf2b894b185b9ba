"""A conversation and a model's context window: what fits, what of a long text is shown, what has to be summed up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jackstay.core.messages import Message, ToolSpec
from jackstay.core.sizes import BYTES_PER_TOKEN, message_tokens, size_bytes

USABLE = 0.85
"""Of a window (CrewAI's figure): the rest is for the answer, and for what an estimate gets wrong."""
ASSUMED = 128_000
"""The window by which long texts are shortened where nobody knows it."""
SHARE = 4
"""No single text takes more than this part of the room."""
LEAST_CHARS = 160
"""An excerpt shorter than this says nothing."""


def room(window: int, max_tokens: int | None, *, usable: float = USABLE) -> int:
    """The tokens that a question may have."""
    return max(1, min(int(window * usable), window - (max_tokens or 0)))


def tokens_of(messages: Sequence[Message]) -> int:
    """Estimated: four bytes a token."""
    return sum(message_tokens(message) for message in messages)


def chars_of(text: str, tokens: int) -> int:
    """How many characters of this text are about so many tokens."""
    size = size_bytes(text)
    return max(LEAST_CHARS, len(text) * tokens * BYTES_PER_TOKEN // size if size else 0)


READ_MORE = "read_more"


def read_more_spec(name: str) -> ToolSpec:
    fields = {
        "handle": {"type": "string", "description": "The handle that stands where the text was shortened"},
        "offset": {"type": "integer", "minimum": 0, "description": "From which character on"},
    }
    parameters = {"type": "object", "properties": fields, "required": ["handle", "offset"]}
    return ToolSpec(name, "Reads on in a text that was shown to you shortened.", parameters)


@dataclass(slots=True)
class LongTexts:
    """The texts of one task that its model was shown shortened. In the order in which the engine met them, so that a
    resumed run gives them the same handles."""

    tool: str = READ_MORE
    """What the tool is called that reads on in them."""
    whole: dict[str, str] = field(default_factory=dict)
    _shown: dict[str, str] = field(default_factory=dict)
    """The handle by what is shown of its text."""

    def keep(self, text: str) -> str:
        """The text's handle."""
        handle = f"text-{len(self.whole) + 1}"
        self.whole[handle] = text
        return handle

    def shortened(self, text: str, tokens: int) -> str:
        """Its beginning and its end, and how to read what stands between; the text itself if it is short enough. An
        excerpt is made shorter from the whole."""
        handle = self._shown.get(text)
        whole = text if handle is None else self.whole[handle]
        most = chars_of(whole, tokens)
        if len(text) <= most:
            return text
        handle = handle or self.keep(whole)
        tail = most // 3
        head, end = most - tail, len(whole) - tail
        shown = (
            f"{whole[:head]}\n\n[… characters {head} to {end} of {len(whole)} are left out; read them with the tool "
            f'{self.tool}: {{"handle": "{handle}", "offset": {head}}} …]\n\n{whole[end:]}'
        )
        self._shown[shown] = handle
        return shown

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of the tool. Raises `ValueError` with what a model can do about it."""
        handle, offset = given.get("handle"), given.get("offset", 0)
        if handle not in self.whole:
            raise ValueError(f"handle: {handle!r} is none; the handles are: {', '.join(self.whole)}")
        if isinstance(offset, bool) or not isinstance(offset, int) or not 0 <= offset < len(self.whole[handle]):
            raise ValueError(f"offset: has to be a whole number from 0 to {len(self.whole[handle]) - 1}")
        return {"handle": handle, "offset": offset}

    def read(self, handle: str, offset: int, tokens: int) -> str:
        """A piece of the text, and where it goes on."""
        text = self.whole[handle]
        end = min(len(text), offset + chars_of(text, tokens))
        goes_on = "this is its end" if end == len(text) else f"it goes on at offset {end}"
        return f"{text[offset:end]}\n\n[characters {offset} to {end} of {len(text)} of {handle}; {goes_on}]"


@dataclass(frozen=True, slots=True)
class Parts:
    """A conversation: what the task is, the work between, and the last turn."""

    head: tuple[Message, ...]
    middle: tuple[Message, ...]
    tail: tuple[Message, ...]


def parts_of(messages: Sequence[Message]) -> Parts:
    """The head ends with the first message of the user's, the tail begins with the last answer: an answer and the results
    of its tool calls stay together."""
    begins = next((i for i, message in enumerate(messages) if message.role == "user"), -1) + 1
    ends = max((i for i, message in enumerate(messages) if message.role == "assistant"), default=len(messages))
    ends = max(begins, ends)
    return Parts(tuple(messages[:begins]), tuple(messages[begins:ends]), tuple(messages[ends:]))


def transcript(messages: Sequence[Message]) -> str:
    """What was said and done, as text."""
    return "\n\n".join(_line(message) for message in messages)


def _line(message: Message) -> str:
    if message.role == "tool":
        return f"Result of {message.name}: {message.content}"
    calls = [f"Calls {call.name} with {call.arguments}" for call in message.tool_calls]
    said = [f"{'You' if message.role == 'assistant' else 'User'}: {message.content}"] if message.content else []
    return "\n".join([*said, *calls])


def pieces(text: str, tokens: int) -> list[str]:
    """The text in pieces of about so many tokens at the most."""
    size = chars_of(text, tokens)
    return [text[at : at + size] for at in range(0, len(text), size)]
