"""What a task says is to be done when its agent has failed: `on_error`, `retries`, `fallback`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from jackstay.core.interpolation import interpolate, placeholders
from jackstay.core.retry import Retry
from jackstay.core.specs import OnError, OutputSpec
from jackstay.crew.base_agent import BaseAgent
from jackstay.errors import InputsError

OnErrorWord = Literal["abort", "retry", "skip", "fallback"]
Retries = int | Retry | None
RETRIES = 2
"""Of `on_error="retry"` that says nothing more."""


def check_on_error(
    word: OnErrorWord, retries: Retries, fallback: BaseAgent | str | None, form: OutputSpec | None
) -> None:
    """Raises `ValueError` for what contradicts itself."""
    if isinstance(retries, int) and (isinstance(retries, bool) or retries < 0):
        raise ValueError(f"retries={retries!r}: give how often the task is tried again, or a Retry")
    if word == "retry" and retries == 0:
        raise ValueError("on_error='retry' with retries=0 tries nothing again; leave both out")
    if (word == "fallback") != (fallback is not None):
        raise ValueError(
            "on_error='fallback' needs fallback=…, an Agent that does the task instead or the text of its result"
            if fallback is None
            else "fallback= is used with on_error='fallback'; say so"
        )
    if not isinstance(fallback, str):
        return
    if not fallback.strip():
        raise ValueError("the text in fallback= is empty; on_error='skip' goes on without a result")
    if form is not None and not placeholders(fallback):
        try:
            form.parse(fallback)
        except ValueError as error:
            raise ValueError(f"the text in fallback= does not fit {form.schema.name}: {error}") from error


def on_error_of(
    word: OnErrorWord,
    retries: Retries,
    fallback: BaseAgent | str | None,
    form: OutputSpec | None,
    inputs: Mapping[str, Any],
    owner: str,
) -> OnError:
    """The same, frozen, with the inputs filled in. Raises `InputsError` if they make a text of it that does not fit."""
    policy = _policy(word, retries)
    if isinstance(fallback, BaseAgent):
        return OnError("fallback", policy, agent=fallback.to_spec(inputs))
    if fallback is not None:
        text = interpolate(fallback, inputs, field="fallback", owner=owner)
        if form is not None:
            try:
                form.parse(text)
            except ValueError as error:
                told = f"the text in fallback= of {owner} does not fit {form.schema.name} with these inputs: {error}"
                raise InputsError(told) from error
        return OnError("fallback", policy, text=text)
    return OnError("skip" if word == "skip" else "abort", policy)


def on_error_outline(word: OnErrorWord, retries: Retries, fallback: BaseAgent | str | None) -> dict[str, Any]:
    """What a task's outline has of it: nothing where there is nothing, so that other fingerprints stay as they are."""
    policy = _policy(word, retries)
    if word == "abort" and policy is None:
        return {}
    instead = fallback.outline() if isinstance(fallback, BaseAgent) else fallback
    return {"on_error": [word, policy.max_attempts if policy else 1, instead]}


def _policy(word: OnErrorWord, retries: Retries) -> Retry | None:
    if isinstance(retries, Retry):
        return retries
    further = retries if retries is not None else RETRIES if word == "retry" else 0
    return Retry(max_attempts=further + 1) if further else None
