"""What went wrong on the wire, in our error classes: who, where, which status, the provider's own words, what to do.

A key never stands in a message, even when the provider repeats it.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_ai import exceptions as wire
from pydantic_ai.messages import ModelResponse

from jackstay import errors as ours
from jackstay.models.network import host_of, proxy_for, shown_proxy
from jackstay.models.provider import Endpoint

MOST_WORDS = 600
"""Characters of a provider's own message that are shown: an HTML error page does not help anybody."""

KEY_SHAPES = re.compile(r"\b(?:sk|pk|gsk|xai|AIza)[-_A-Za-z0-9*]{10,}")
PYDANTIC_LINK = re.compile(r" For further information visit https://errors\.pydantic\.dev/\S*")


@dataclass(frozen=True, slots=True)
class Attempt:
    """The request that failed."""

    endpoint: Endpoint
    environ: Mapping[str, str]
    limit_s: float
    took_s: float

    @property
    def who(self) -> str:
        return f"model {self.endpoint.requested} ({self._where})"

    @property
    def _where(self) -> str:
        host = host_of(self.endpoint.base_url)
        return f"{self.endpoint.provider} at {host}" if host else self.endpoint.provider


def translate(exc: Exception, attempt: Attempt) -> Exception:
    """Our error for whatever the SDK or the wire library raised."""
    if isinstance(exc, ours.JackstayError):
        return exc
    status = _status(exc)
    kind, text = _judge(exc, attempt, status)
    wait_s: float | None = getattr(exc, "retry_after", None)
    return kind(
        _clean(text, attempt),
        model=attempt.endpoint.requested,
        provider=attempt.endpoint.provider,
        status=status,
        retry_after_s=_wait_in(exc) if wait_s is None else wait_s,
    )


def _status(exc: Exception) -> int | None:
    """SDKs' errors call it `status_code` or `code`."""
    for name in ("status_code", "code"):
        if isinstance(value := getattr(exc, name, None), int):
            return value
    return None


def _judge(exc: Exception, attempt: Attempt, status: int | None) -> tuple[type[ours.ModelError], str]:
    who, words = attempt.who, _words(exc)
    match exc:
        case wire.ModelRequestTimeout():
            return ours.ModelTimeout, f"{who} did not answer within {attempt.limit_s:g} s"
        case wire.ModelConnectionError():
            return _connection(exc, attempt)
        case wire.ContentFilterError():
            return ours.ModelContentRefused, f"{who} refused by content policy: {words}"
        case wire.ModelAPIError():
            found = _by_class(exc) or _by_status(status) or _by_words(words) or ours.ModelAnswerUnreadable
            kind = _sharper(found, exc, words)
            return kind, f"{who} {_said(exc, kind)}: {words}{_remedy(kind, attempt)}"
        case wire.UserError() | NotImplementedError():
            return ours.ModelRejected, f"{who} cannot be asked this: {words}"
    if (plain := _by_status(status)) is not None:  # an SDK's own error, from the list of models
        return plain, f"{who} {_said(exc, plain)}: {words}{_remedy(plain, attempt)}"
    if _transport(exc):
        return _connection(exc, attempt)
    return ours.ModelAnswerUnreadable, f"{who} sent an answer that cannot be read: {words}"


CLASSES: tuple[tuple[type[Exception], type[ours.ModelError]], ...] = (
    (wire.ModelRateLimitError, ours.ModelRateLimited),
    (wire.ModelQuotaExceededError, ours.ModelQuotaExceeded),
    (wire.ModelOverloadedError, ours.ModelOverloaded),
    (wire.ModelUnavailableError, ours.ModelServerError),
    (wire.ModelServerError, ours.ModelServerError),
    (wire.ModelContextWindowExceededError, ours.ModelContextExceeded),
    (wire.ModelAuthenticationError, ours.ModelAuthenticationFailed),
)


def _by_class(exc: Exception) -> type[ours.ModelError] | None:
    return next((kind for theirs, kind in CLASSES if isinstance(exc, theirs)), None)


def _by_status(status: int | None) -> type[ours.ModelError] | None:
    match status:
        case None:
            return None
        case 401 | 403:
            return ours.ModelAuthenticationFailed
        case 402:
            return ours.ModelQuotaExceeded
        case 429:
            return ours.ModelRateLimited
        case 529:
            return ours.ModelOverloaded
        case 408 | 409 | 425:
            return ours.ModelServerError
    if status >= 500:
        return ours.ModelServerError
    return ours.ModelRejected if status >= 400 else None


WORDS: tuple[tuple[str, type[ours.ModelError]], ...] = (
    ("overloaded", ours.ModelOverloaded),
    ("rate limit", ours.ModelRateLimited),
    ("without a `finish_reason`", ours.ModelConnectionFailed),
    ("server_error", ours.ModelServerError),
    ("server error", ours.ModelServerError),
    ("internal error", ours.ModelServerError),
)


def _by_words(words: str) -> type[ours.ModelError] | None:
    """For an error inside a stream, which has no status of its own."""
    low = words.lower()
    return next((kind for word, kind in WORDS if word in low), None)


POLICY = ("content_filter", "content_policy", "content management policy", "responsibleai", "safety system")
WINDOW = (
    "context_length_exceeded",
    "maximum context length",
    "context window",
    "prompt is too long",
    "too many tokens",
)


def _sharper(kind: type[ours.ModelError], exc: wire.ModelAPIError, words: str) -> type[ours.ModelError]:
    """A plain 400 may say by its words that the prompt is too long or against the policy, a plain 500 that the
    provider is overloaded."""
    if kind is ours.ModelServerError and "overloaded" in words.lower():
        return ours.ModelOverloaded
    if kind is not ours.ModelRejected:
        return kind
    low = f"{exc.provider_error_code} {exc.provider_error_type} {words} {exc.body}".lower()
    if any(word in low for word in POLICY):
        return ours.ModelContentRefused
    if any(word in low for word in WINDOW):
        return ours.ModelContextExceeded
    return kind


def _said(exc: Exception, kind: type[ours.ModelError]) -> str:
    if getattr(exc, "in_stream", False):
        return "sent an error in the middle of its answer"  # with a status that the wire library made up
    if (status := _status(exc)) is not None:
        return f"answered HTTP {status}"
    return "sent an answer that cannot be read" if kind is ours.ModelAnswerUnreadable else "broke the answer off"


def _remedy(kind: type[ours.ModelError], attempt: Attempt) -> str:
    endpoint = attempt.endpoint
    match kind:
        case ours.ModelAuthenticationFailed:
            key = endpoint.key_name or "api_key"
            return f"; check {key}: the key was refused, or it may not use this model"
        case ours.ModelQuotaExceeded:
            return "; the account's quota or credit is used up, waiting does not help"
        case ours.ModelContextExceeded:
            return "; send less, or choose a model with a larger context window"
    return ""


# --- the connection itself ---------------------------------------------------------------------------------------


def _connection(exc: Exception, attempt: Attempt) -> tuple[type[ours.ModelError], str]:
    """Which host, through which proxy, whether its name resolved, how long it took."""
    phase = getattr(exc, "phase", None)
    host = host_of(attempt.endpoint.base_url) or attempt.endpoint.provider
    proxy = proxy_for(attempt.endpoint.base_url, attempt.environ)
    via = f" through the proxy {shown_proxy(proxy)}" if proxy else ", no proxy"
    took = f"after {attempt.took_s:.2f} s"
    reason = _reason(exc)
    if phase in ("connect", "pool") or _never_connected(exc):
        resolved = _resolution(exc, proxy)
        text = f"cannot reach {host} for model {attempt.endpoint.requested}{via}: {resolved}{reason} {took}"
    else:
        text = f"the connection to {host} for model {attempt.endpoint.requested}{via} broke {took}: {reason}"
    return ours.ModelConnectionFailed, text


def _resolution(exc: Exception, proxy: str | None) -> str:
    whose = "the proxy's name" if proxy else "the name"
    if any(isinstance(cause, socket.gaierror) for cause in _chain(exc)):
        return f"{whose} does not resolve, "
    return f"{whose} resolved, "


def _never_connected(exc: Exception) -> bool:
    names = {type(cause).__name__ for cause in _chain(exc)}
    return bool(names & {"ConnectError", "ConnectTimeout", "ProxyError", "EndpointConnectionError"})


def _reason(exc: Exception) -> str:
    """The deepest cause says what happened; the ones above only say that something did."""
    chain = list(_chain(exc))
    for cause in reversed(chain):
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed ({cause}); a private CA goes into SSL_CERT_FILE"
    for cause in reversed(chain):
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    return next((str(cause) for cause in reversed(chain) if str(cause)), type(exc).__name__)


TRANSPORT_LIBRARIES = ("httpx", "httpx2", "httpcore", "httpcore2", "urllib3", "botocore")
TRANSPORT_ERRORS = ("TransportError", "NetworkError", "ProtocolError", "HTTPClientError")


def _transport(exc: Exception) -> bool:
    """A transport failure that nobody wrapped, of whichever HTTP library (each SDK brings its own)."""
    for cause in _chain(exc):
        if isinstance(cause, ConnectionError | socket.gaierror | ssl.SSLError):
            return True
        kinds = [base.__name__ for base in type(cause).__mro__]
        known = type(cause).__module__.partition(".")[0] in TRANSPORT_LIBRARIES
        if known and any(kind in TRANSPORT_ERRORS for kind in kinds):
            return True
    return False


def _chain(exc: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        yield exc
        exc = exc.__cause__ or exc.__context__


# --- words --------------------------------------------------------------------------------------------------------


def _words(exc: Exception) -> str:
    """The provider's own message out of whatever form its body has."""
    body: Any = getattr(exc, "body", None)
    for _ in range(3):
        match body:
            case {"error": inner} | {"message": inner} | {"Message": inner} if inner:
                body = inner
            case [first, *_]:
                body = first
    text = body if isinstance(body, str) and body.strip() else str(body) if body else ""
    text = " ".join((text or getattr(exc, "message", "") or str(exc) or type(exc).__name__).split())
    text = PYDANTIC_LINK.sub("", text)
    return text if len(text) <= MOST_WORDS else f"{text[:MOST_WORDS]}…"


def _clean(text: str, attempt: Attempt) -> str:
    """Without the key, the secret headers and whatever looks like a key."""
    secrets = [str(attempt.endpoint.key or ""), *(value for _, value in attempt.endpoint.headers)]
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "…")
    return KEY_SHAPES.sub("…", text)


def _wait_in(exc: Exception) -> float | None:
    """The wait that OpenAI writes into the message only: `Please try again in 1.2s` or `in 400ms`."""
    if not isinstance(exc, wire.ModelRateLimitError):
        return None
    found = re.search(r"try again in (\d+(?:\.\d+)?)(ms|s)\b", _words(exc))
    if found is None:
        return None
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


def check_whole(response: ModelResponse, endpoint: Endpoint, *, streamed: bool) -> None:
    """Raises for an answer that arrived without an error and is none all the same."""
    kind: type[ours.ModelError]
    if response.finish_reason == "content_filter" and not response.parts:
        kind, what = ours.ModelContentRefused, "the provider's content policy withheld the answer"
    elif response.finish_reason is None and streamed:
        # A connection closed in good order half-way looks like an end; only the reason tells them apart.
        kind, what = ours.ModelConnectionFailed, "the stream ended before the answer was whole"
    elif response.finish_reason is None and not response.parts:
        kind, what = ours.ModelAnswerUnreadable, "an empty answer without a reason"
    else:
        return
    raise kind(f"model {endpoint.requested}: {what}", model=endpoint.requested, provider=endpoint.provider)
