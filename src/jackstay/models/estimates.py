"""Token counts that no provider has told: an estimate of what was used, and an upper bound of what may be.

Pure arithmetic over our own messages; no tokenizer (fetching one is I/O, and each fits one vendor only).
"""

from __future__ import annotations

from dataclasses import replace

from jackstay.core.canonical import canonical_json
from jackstay.core.messages import Answer, Question
from jackstay.core.sizes import BYTES_PER_TOKEN, message_size, size_bytes
from jackstay.core.usage import Usage

FRAME_TOKENS = 16
"""Room for the tokens that mark a message's or a tool call's beginning, end and role (3 to 8 in known templates)."""

TOOL_PREAMBLE_TOKENS = 1024
"""Upper bound of the text that providers put before tools (Anthropic documents 264 to 800 tokens)."""


def _question_bytes(question: Question) -> tuple[int, int]:
    """Bytes of the content, and how many frames stand around it."""
    size = frames = 0
    for message in question.conversation.messages:
        said, around = message_size(message)
        size += said
        frames += around
        if message.raw is not None:
            size += size_bytes(canonical_json(message.raw))
    for tool in question.tools:
        size += size_bytes(canonical_json(tool.to_json()))
        frames += 1
    if question.output is not None:
        size += size_bytes(canonical_json(question.output.to_json()))
        frames += 1
    return size, frames


def most_input_tokens(question: Question) -> int:
    """No tokenizer makes more tokens than there are bytes: certain, and about four times too high for English."""
    size, frames = _question_bytes(question)
    return size + frames * FRAME_TOKENS + (TOOL_PREAMBLE_TOKENS if question.tools or question.output else 0)


def estimate(answer: Answer, question: Question) -> Answer:
    """The answer with an estimated, flagged usage, for a provider that reported none."""
    return replace(answer, usage=estimated_usage(question, answer.text, *(c.arguments for c in answer.tool_calls)))


def estimated_usage(question: Question, *said: str) -> Usage:
    """Usage by the bytes asked and answered (also for a call that was cancelled half-way)."""
    size, frames = _question_bytes(question)
    spoken = sum(size_bytes(text) for text in said)
    return Usage(
        input_tokens=-(-size // BYTES_PER_TOKEN) + 4 * frames,
        output_tokens=-(-spoken // BYTES_PER_TOKEN),
        estimated=True,
    )
