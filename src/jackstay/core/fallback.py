"""Which failures let another model answer, and whether they speak of the model, its provider, or only of the question."""

from __future__ import annotations

from typing import Literal

from jackstay import errors

Blame = Literal["provider", "model", "question"]
"""What another call would meet again: `provider` and `model` count for the circuit breakers, a question's own fault
(too long, against the policy) says nothing about the next one."""

BLAME: tuple[tuple[type[errors.ModelError], Blame], ...] = (
    (errors.ModelConnectionFailed, "provider"),
    (errors.ModelQuotaExceeded, "provider"),
    (errors.ModelAuthenticationFailed, "model"),  # a key may be good for some models only
    (errors.ModelRateLimited, "model"),
    (errors.ModelOverloaded, "model"),
    (errors.ModelServerError, "model"),
    (errors.ModelTimeout, "model"),
    (errors.ModelAnswerUnreadable, "model"),
    (errors.ModelContextExceeded, "question"),
    (errors.ModelContentRefused, "question"),
)


def blame(error: errors.ModelError) -> Blame | None:
    """Who is at fault; None: we are (a bare 400), and no other model is asked the same wrong thing."""
    for kind, found in BLAME:
        if isinstance(error, kind):
            return found
    return "model" if error.status == 404 else None  # there is no such model (any more)
