"""Known secrets in what is stored: references in their place, followed again when a run goes on (engine rule 38).

What models are told has been masked before; here is the rest of what a run knows: inputs, states, results, errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from jackstay.core.failures import Failure
from jackstay.core.masking import Secrets
from jackstay.core.messages import Conversation, Message
from jackstay.core.records import Blob, MessagesBlob, RunEnd, RunRow, StepRow, Wait

R = TypeVar("R", RunRow, StepRow, RunEnd, Wait)

_PLAIN: Mapping[type, tuple[str, ...]] = {
    RunRow: ("name", "run_key", "model_override"),
    StepRow: ("name", "agent", "task", "model", "answered_by"),
    Wait: ("prompt",),
}
"""Plain texts: what definitions and callers call things. (What of it stands in paths is masked where these are made.)"""

_TEXTS = {
    RunRow: ("inputs", "output", "error", "entry", "tags"),
    StepRow: ("request", "result", "error", "tried"),
    RunEnd: ("output", "error"),
    Wait: ("payload", "answer"),
}


def concealed(row: R, secrets: Secrets) -> R:
    """The row with references in the place of secrets; the very same one if it has none."""
    changed: dict[str, Any] = {
        name: stored
        for name in _TEXTS[type(row)]
        if (text := getattr(row, name)) is not None and (stored := secrets.stored(text)) is not text
    }
    for name in _PLAIN.get(type(row), ()):
        called = getattr(row, name)
        if called and (hidden := secrets.stored_name(called)) != called:
            changed[name] = hidden
    return replace(row, **changed) if changed else row


def revealed(row: R, secrets: Secrets) -> R:
    """The row as it was before it was stored, as far as its secrets are known here."""
    changed: dict[str, Any] = {
        name: text
        for name in _TEXTS[type(row)]
        if (stored := getattr(row, name)) is not None and (text := secrets.restored(stored)) is not stored
    }
    for name in _PLAIN.get(type(row), ()):
        hidden = getattr(row, name)
        if hidden and (called := secrets.restored_name(hidden)) != hidden:
            changed[name] = called
    return replace(row, **changed) if changed else row


def concealed_rows(rows: tuple[R, ...], secrets: Secrets) -> tuple[R, ...]:
    return tuple(concealed(row, secrets) for row in rows) if secrets else rows


def concealed_blobs(blobs: tuple[Blob | MessagesBlob, ...], secrets: Secrets) -> tuple[Blob | MessagesBlob, ...]:
    return tuple(_concealed_blob(blob, secrets) for blob in blobs) if secrets else blobs


def _concealed_blob(blob: Blob | MessagesBlob, secrets: Secrets) -> Blob | MessagesBlob:
    if isinstance(blob, MessagesBlob):
        messages = secrets.stored(blob.messages)
        return blob if messages is blob.messages else replace(blob, messages=messages)
    text = blob.data.decode("utf-8", "surrogateescape")
    stored = secrets.stored(text)
    return blob if stored is text else replace(blob, data=stored.encode("utf-8", "surrogateescape"))


# --- before use --------------------------------------------------------------------------------------------------------


def masked_failure(failure: Failure, secrets: Secrets) -> Failure:
    """As a model is told it, and as it is recorded."""
    text = failure.to_json()
    shown = secrets.masked(text)
    return failure if shown is text else Failure.from_json(shown)


def masked_message(message: Message, secrets: Secrets) -> Message:
    shown = secrets.masked(message.content)
    return message if shown is message.content else replace(message, content=shown)


def masked_conversation(conversation: Conversation, secrets: Secrets) -> Conversation:
    """The very same one if there is no secret in it."""
    messages = conversation.messages
    shown = [masked_message(message, secrets) for message in messages]
    if all(before is after for before, after in zip(messages, shown, strict=True)):
        return conversation
    return Conversation.of(shown)
