"""How large texts and messages are where no provider has counted them."""

from __future__ import annotations

from jackstay.core.messages import Message

BYTES_PER_TOKEN = 4
"""The usual figure for English; only ever used for estimates."""

FRAME = 4
"""Tokens that mark a message's or a tool call's beginning, end and role (3 to 8 in known templates)."""


def size_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def message_size(message: Message) -> tuple[int, int]:
    """Bytes of the content, and how many frames stand around it."""
    size, frames = size_bytes(message.content), 1
    for call in message.tool_calls:
        size += size_bytes(call.name) + size_bytes(call.arguments)
        frames += 1
    return size, frames


def message_tokens(message: Message) -> int:
    """Estimated."""
    size, frames = message_size(message)
    return -(-size // BYTES_PER_TOKEN) + FRAME * frames


def text_tokens(text: str) -> int:
    """Estimated."""
    return -(-size_bytes(text) // BYTES_PER_TOKEN)
