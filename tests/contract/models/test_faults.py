"""What goes wrong on the wire becomes one of our errors after exactly one request, and says who, where and what."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

import pytest

from jackstay import errors
from jackstay.core.messages import Message
from tests.contract.models import shapes
from tests.contract.models.asking import ENVIRON, KEY, ask, question
from tests.contract.models.loopback import Loopback, Reply, sse


def failure(reply: Reply, **more: Any) -> tuple[errors.ModelError, Loopback]:
    with Loopback(reply) as server, pytest.raises(errors.ModelError) as caught:
        ask(server.url, **more)
    assert len(server.asked) == 1
    return caught.value, server


def body(message: str = "their own words", **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "some_type", "code": None, **more}}


STATUS = [
    (429, body(), errors.ModelRateLimited),
    (429, body(code="insufficient_quota"), errors.ModelQuotaExceeded),
    (402, body(), errors.ModelQuotaExceeded),
    (401, body(), errors.ModelAuthenticationFailed),
    (403, body(), errors.ModelAuthenticationFailed),
    (404, body(code="model_not_found"), errors.ModelRejected),
    (400, body(), errors.ModelRejected),
    (422, body(), errors.ModelRejected),
    (400, body(code="context_length_exceeded"), errors.ModelContextExceeded),
    (400, body(code="content_filter"), errors.ModelContentRefused),
    (408, body(), errors.ModelServerError),
    (409, body(), errors.ModelServerError),
    (500, body(), errors.ModelServerError),
    (503, body(), errors.ModelServerError),
    (529, body(), errors.ModelOverloaded),
]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("status", "sent", "expected"), STATUS)
def test_a_status_becomes_its_error_without_a_retry(
    status: int, sent: Any, expected: type[errors.ModelError], streamed: bool
) -> None:
    error, server = failure(Reply(sent, status), stream=streamed)

    assert type(error) is expected
    assert (error.status, error.provider, error.model) == (status, "openai", "gpt-4o-mini")
    assert "their own words" in str(error)
    for said in ("gpt-4o-mini", "openai", server.host, str(status)):
        assert said in str(error)


@pytest.mark.parametrize(
    ("headers", "words", "low", "high"),
    [
        ({"retry-after": "70"}, "", 70, 70),
        ({"retry-after": "0"}, "", 0, 0),
        ({"retry-after-ms": "1500"}, "", 1.5, 1.5),
        ({}, "Please try again in 1.2s.", 1.2, 1.2),
        ({}, "Please try again in 400ms.", 0.4, 0.4),
    ],
)
def test_the_provider_s_wish_to_wait_is_on_the_error(
    headers: dict[str, str], words: str, low: float, high: float
) -> None:
    error, _ = failure(Reply(body(words or "slow down"), 429, headers))

    assert error.retry_after_s is not None
    assert low <= error.retry_after_s <= high


def test_the_wish_to_wait_may_be_a_date() -> None:
    error, _ = failure(Reply(body(), 429, {"retry-after": formatdate(time.time() + 30, usegmt=True)}))

    assert error.retry_after_s is not None
    assert 20 < error.retry_after_s <= 30


def test_a_key_that_the_provider_repeats_is_not_shown() -> None:
    error, _ = failure(Reply(body(f"Incorrect API key provided: {KEY}. See sk-proj-abcdefghij0123."), 401))

    assert KEY not in str(error)
    assert "sk-proj" not in str(error)
    assert "OPENAI_API_KEY" in str(error)


@pytest.mark.parametrize(
    "sent",
    [
        '{"id": 1, "cho',
        "<html>hello</html>",
        "",
        {},
        [1],
        {**shapes.chat(), "choices": []},
        {**shapes.chat(), "choices": None},
    ],
)
def test_a_200_that_is_no_answer_is_unreadable_and_may_be_retried(sent: Any) -> None:
    error, _ = failure(Reply(sent))

    assert type(error) is errors.ModelAnswerUnreadable
    assert error.retryable


def test_a_hang_ends_at_the_time_limit() -> None:
    started = time.monotonic()
    error, _ = failure(Reply(end="hang"), timeout_s=0.3)

    assert type(error) is errors.ModelTimeout
    assert isinstance(error, TimeoutError)
    assert time.monotonic() - started < 3  # the first request imports the SDK
    assert "0.3 s" in str(error)


def test_a_slow_drip_ends_at_the_time_limit_too() -> None:
    chunks = shapes.chat_chunks(*[{"content": "x"}] * 100)
    error, _ = failure(Reply(chunks=chunks, chunk_delay_s=0.05), timeout_s=0.5, stream=True)

    assert type(error) is errors.ModelTimeout


BROKEN = {
    "reset": Reply(end="reset"),
    "cut": Reply(chunks=shapes.chat_chunks({"content": "he"}, finish=None, usage=None)[:1], end="cut"),
    "ended early in good order": Reply(chunks=shapes.chat_chunks({"content": "he"}, finish=None, usage=None)[:1]),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_connection_is_a_connection_error(how: str) -> None:
    error, _ = failure(BROKEN[how], stream=True)

    assert type(error) is errors.ModelConnectionFailed
    assert isinstance(error, ConnectionError)


def test_an_anthropic_stream_that_ends_early_in_good_order_is_no_answer() -> None:
    error, _ = failure(Reply(chunks=shapes.anthropic_chunks("hello")[:4]), model="claude-sonnet-4-5", stream=True)

    assert type(error) is errors.ModelConnectionFailed


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"message": "The server is overloaded", "type": "server_error"}, errors.ModelOverloaded),
        ({"message": "boom", "type": "server_error"}, errors.ModelServerError),
    ],
)
def test_an_error_event_in_a_stream_is_the_provider_s_error(sent: Any, expected: type[errors.ModelError]) -> None:
    chunks = shapes.chat_chunks({"content": "he"}, finish=None, usage=None)[:1] + sse({"error": sent}, done=False)
    error, _ = failure(Reply(chunks=chunks), stream=True)

    assert type(error) is expected
    assert sent["message"] in str(error)


def test_anthropic_says_overloaded() -> None:
    sent = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    error, _ = failure(Reply(sent, 529), model="claude-sonnet-4-5")

    assert type(error) is errors.ModelOverloaded
    assert error.provider == "anthropic"


def test_a_refused_connection_names_host_and_reason() -> None:
    with Loopback() as server:
        url, host = server.url, server.host

    with pytest.raises(errors.ModelConnectionFailed, match="connection refused") as caught:
        ask(url)

    assert f"cannot reach {host}" in str(caught.value)
    assert "no proxy: the name resolved" in str(caught.value)


def test_a_name_that_does_not_resolve_is_told() -> None:
    with pytest.raises(errors.ModelConnectionFailed, match="does not resolve"):
        ask("http://no-such-host.invalid/v1")


def test_an_unreachable_proxy_is_named_without_its_password() -> None:
    environ = {
        **ENVIRON,
        "HTTPS_PROXY": "http://user:hunter2@127.0.0.1:9",
        "HTTP_PROXY": "http://user:hunter2@127.0.0.1:9",
    }

    with pytest.raises(errors.ModelConnectionFailed, match=r"through the proxy http://127\.0\.0\.1:9") as caught:
        ask("https://api.example.com/v1", environ=environ)

    assert "hunter2" not in str(caught.value)


def test_content_that_was_withheld_is_a_refusal() -> None:
    withheld = shapes.chat(None)
    withheld["choices"][0]["finish_reason"] = "content_filter"

    with Loopback(Reply(withheld)) as server, pytest.raises(errors.ModelContentRefused):
        ask(server.url, asked=question(Message("user", "x")))
