"""Each fault reaches the official clients as the failure that it imitates."""

from __future__ import annotations

import contextlib
import socket
import time
from email.utils import parsedate_to_datetime

import anthropic
import httpx2
import openai
import pytest

from jackstay.testing import Fault, Reply

USER = {"role": "user", "content": "Write 60 words about AI agents"}


def chat(client, **options):
    return client.chat.completions.create(model="gpt-4o-mini", messages=[USER], **options)


def message(client, **options):
    return client.messages.create(model="claude-sonnet-5", max_tokens=500, messages=[USER], **options)


STATUSES = [
    ("400", "BadRequestError"), ("401", "AuthenticationError"), ("403", "PermissionDeniedError"),
    ("404", "NotFoundError"), ("429", "RateLimitError"), ("500", "InternalServerError"),
    ("502", "InternalServerError"), ("503", "InternalServerError"), ("529", "InternalServerError"),
    ("context", "BadRequestError"), ("filter", "BadRequestError"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "name"), STATUSES)
def test_error_statuses_raise_the_clients_own_classes(stub, openai_client, anthropic_client, fault, name):
    stub.rule(Fault.parse(fault))

    with pytest.raises(getattr(openai, name)):
        chat(openai_client)
    with pytest.raises(getattr(openai, name)):
        openai_client.responses.create(model="gpt-4o-mini", input="x")
    with pytest.raises(getattr(anthropic, name, anthropic.APIStatusError)):
        message(anthropic_client)

    assert stub.total_usage().total_tokens == 0
    assert {request.fault for request in stub.requests} <= {fault, "context_length", "content_filter"}


def test_error_codes_are_the_providers(stub, openai_client, anthropic_client):
    stub.script([Fault.context_length(), Fault.quota(), Fault.context_length(), Fault.quota(), Fault.http(529)])

    with pytest.raises(openai.BadRequestError, match="maximum context length") as context:
        chat(openai_client)
    assert context.value.code == "context_length_exceeded"
    with pytest.raises(openai.RateLimitError) as quota:
        chat(openai_client)
    assert quota.value.code == "insufficient_quota"
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long"):
        message(anthropic_client)
    with pytest.raises(anthropic.BadRequestError, match="credit balance is too low"):
        message(anthropic_client)
    with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
        message(anthropic_client)


@pytest.mark.parametrize("form", ["seconds", "date", "ms"])
def test_retry_after_is_sent_in_each_form(stub, openai_client, form):
    stub.script([Fault.rate_limited(7, form=form)])

    with pytest.raises(openai.RateLimitError) as caught:
        chat(openai_client)

    headers = caught.value.response.headers
    match form:
        case "seconds":
            assert headers["retry-after"] == "7"
        case "ms":
            assert headers["retry-after-ms"] == "7000"
        case _:
            assert 4 <= parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time() <= 8


def test_client_that_retries_succeeds_after_the_fault(stub, openai_client):
    stub.script([Fault.rate_limited(0.001, form="ms"), Fault.reset()])

    assert chat(openai_client.with_options(max_retries=2)).choices

    assert [request.status for request in stub.requests] == [429, None, 200]


def test_reset_before_the_answer(stub, openai_client, anthropic_client):
    stub.rule(Fault.reset())

    with pytest.raises(openai.APIConnectionError):
        chat(openai_client)
    with pytest.raises(anthropic.APIConnectionError):
        message(anthropic_client)


def test_reset_is_a_tcp_reset(stub):
    stub.rule(Fault.reset())
    body = b'{"model": "m", "messages": []}'
    with socket.create_connection(("127.0.0.1", stub.port)) as sock:
        sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        with pytest.raises(ConnectionResetError):
            sock.recv(10)


def test_hang_lasts_until_the_client_leaves(stub, openai_client):
    stub.script([Fault.hang()])

    with pytest.raises(openai.APITimeoutError):
        chat(openai_client.with_options(timeout=0.1))

    stub.wait_for(lambda s: s.in_flight == 0)
    request = stub.requests[0]
    assert (request.client_left, request.status, request.usage) == (True, None, None)


def test_cut_stream_gives_some_chunks_and_then_a_connection_error(stub, openai_client, anthropic_client):
    stub.rule(Fault.cut(after_chunks=3))
    got = []

    with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
        got += list(chat(openai_client, stream=True))
    with pytest.raises((anthropic.APIConnectionError, httpx2.RemoteProtocolError)):
        list(message(anthropic_client, stream=True))
    with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
        chat(openai_client)

    assert [request.usage for request in stub.requests] == [None] * 3


def test_cut_stream_arrives_so_far(stub):
    stub.script([Reply("0123456789" * 20, fault=Fault.cut(after_chunks=3))])
    received = b""
    body = {"model": "m", "messages": [USER], "stream": True}

    with httpx2.stream("POST", f"{stub.openai_url}/chat/completions", json=body, trust_env=False) as response:
        pieces = response.iter_bytes()
        with contextlib.suppress(httpx2.RemoteProtocolError):
            while True:
                received += next(pieces)

    assert received.count(b"data: ") == 3


def test_stalled_stream_times_out_at_the_client(stub, openai_client):
    stub.script([Fault.stall(after_chunks=2)])
    stream = iter(chat(openai_client.with_options(timeout=0.1), stream=True))

    assert [next(stream).object, next(stream).object] == ["chat.completion.chunk"] * 2
    with pytest.raises((openai.APITimeoutError, httpx2.ReadTimeout)):
        next(stream)
    stub.wait_for(lambda s: s.requests[0].client_left)


def test_error_event_in_a_stream_is_raised(stub, openai_client, anthropic_client):
    stub.rule(Fault.error_event(after_chunks=2))

    with pytest.raises(openai.APIError, match="server had an error"):
        list(chat(openai_client, stream=True))
    # The responses API documents the error as an event; OpenAI's client hands it on instead of raising.
    assert list(openai_client.responses.create(model="gpt-4o-mini", input="x", stream=True))[-1].type == "error"
    with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
        list(message(anthropic_client, stream=True))
    with pytest.raises(openai.InternalServerError):
        chat(openai_client)


def test_invalid_json_and_empty_choices(stub, openai_client):
    stub.script([Fault.invalid_json(), Fault.no_choices()])

    with pytest.raises((openai.APIError, ValueError)):
        chat(openai_client)
    assert chat(openai_client).choices == []


@pytest.mark.parametrize("streamed", [False, True])
def test_slow_drip_arrives_whole(stub, openai_client, streamed):
    stub.script([Reply("abc " * 30, fault=Fault.drip(0.001))])

    answer = chat(openai_client, stream=streamed)

    text = "".join(c.choices[0].delta.content or "" for c in answer) if streamed else answer.choices[0].message.content
    assert text == "abc " * 30
    assert stub.requests[0].usage is not None


def test_fault_at_a_request_number(stub, openai_client):
    stub.fault_at(1, "500")

    statuses = []
    for _ in range(3):
        try:
            statuses.append(chat(openai_client) and 200)
        except openai.InternalServerError:
            statuses.append(500)

    assert statuses == [200, 500, 200]


def test_chance_strikes_the_same_requests_for_equal_seeds(stub, openai_client):
    def struck(seed):
        stub.reset()
        stub.fault_by_chance("500", 0.3, seed=seed)
        for _ in range(40):
            try:
                chat(openai_client)
            except openai.InternalServerError:
                continue
        return [request.index for request in stub.requests if request.status == 500]

    first = struck(1)

    assert first == struck(1) != struck(2)
    assert 4 <= len(first) <= 20


def test_words_for_faults():
    assert Fault.parse("429:2.5") == Fault.rate_limited(2.5)
    assert Fault.parse("cut:3") == Fault.cut(3)
    assert Fault.parse("context") == Fault.context_length()
    assert Fault.parse("drip:0.5") == Fault.drip(0.5)
    assert Fault.parse("ok") is None
    with pytest.raises(ValueError, match="unknown fault 'bang'"):
        Fault.parse("bang")
