"""Failures that the simulated model plays, as the error classes that the real wire raises for them."""

from __future__ import annotations

from collections.abc import Mapping

from jackstay import errors

FAULTS: Mapping[str, tuple[type[errors.ModelError] | None, int | None, str]] = {
    "ok": (None, None, ""),
    "hang": (None, None, ""),
    "400": (errors.ModelRejected, 400, "the request was refused"),
    "401": (errors.ModelAuthenticationFailed, 401, "the key was refused"),
    "403": (errors.ModelAuthenticationFailed, 403, "the key may not use this model"),
    "404": (errors.ModelRejected, 404, "there is no such model"),
    "429": (errors.ModelRateLimited, 429, "the rate limit is reached"),
    "500": (errors.ModelServerError, 500, "the server had an error"),
    "502": (errors.ModelServerError, 502, "bad gateway"),
    "503": (errors.ModelServerError, 503, "the service is unavailable"),
    "529": (errors.ModelOverloaded, 529, "overloaded"),
    "quota": (errors.ModelQuotaExceeded, 429, "the quota is used up"),
    "context": (errors.ModelContextExceeded, 400, "the prompt is too long"),
    "filter": (errors.ModelContentRefused, 400, "refused by content policy"),
    "bad_json": (errors.ModelAnswerUnreadable, 200, "the answer cannot be read"),
    "reset": (errors.ModelConnectionFailed, None, "the connection was reset"),
    "cut": (errors.ModelConnectionFailed, None, "the connection broke before the answer was whole"),
}
"""Word → error, status, what is said. `ok` and `hang` are no errors: the one answers, the other waits."""


def error_for(fault: str, model: str) -> errors.ModelError:
    """The error of a fault's word; `429:2.5` asks to wait 2.5 s."""
    word, _, number = fault.partition(":")
    kind, status, said = FAULTS[word]
    assert kind is not None
    return kind(
        f"model {model} (simulated): {said}",
        model=model,
        provider="sim",
        status=status,
        retry_after_s=float(number) if number else None,
    )
