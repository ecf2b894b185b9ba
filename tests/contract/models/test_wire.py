"""The wire as a whole: many calls at once, cancels, proxies, private CAs, forks, the list of models."""

from __future__ import annotations

import asyncio
import multiprocessing
import ssl
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from jackstay.core.messages import Answer
from jackstay.core.specs import ModelConfig
from jackstay.errors import ConfigurationError, ModelAuthenticationFailed, ModelConnectionFailed
from jackstay.models import Endpoint, Provider
from jackstay.models.network import http_client
from jackstay.models.wire import Wire
from tests.contract.models import shapes
from tests.contract.models.asking import ENVIRON, ask, question
from tests.contract.models.loopback import Loopback, Reply


def with_wire(work: Callable[[Wire], Awaitable[Any]], **environ: str) -> Any:
    async def run() -> Any:
        wire = Wire({**ENVIRON, **environ})
        try:
            return await work(wire)
        finally:
            await wire.close()

    return asyncio.run(run())


def endpoint_of(wire: Wire, server: Loopback, model: str = "gpt-4o-mini") -> Endpoint:
    return wire.resolve(ModelConfig(model, base_url=server.url))


def test_two_hundred_calls_are_all_in_flight_at_once() -> None:
    gate = threading.Event()

    def reply(asked: Any) -> Reply:
        with server._lock:
            if server.in_flight == 200:
                gate.set()
        gate.wait(30)
        return Reply(shapes.chat())

    async def work(wire: Wire) -> list[Answer]:
        endpoint = endpoint_of(wire, server)
        return await asyncio.gather(*(wire.ask(endpoint, question(), timeout_s=40) for _ in range(200)))

    with Loopback(reply) as server:
        answers = with_wire(work)

    assert server.most_in_flight == 200
    assert [answer.text for answer in answers] == ["hello"] * 200


def test_a_single_caller_keeps_one_connection() -> None:
    ports: set[int] = set()

    def reply(asked: Any) -> Reply:
        return Reply(shapes.chat())

    async def work(wire: Wire) -> None:
        endpoint = endpoint_of(wire, server)
        for _ in range(5):
            await wire.ask(endpoint, question())

    with Loopback(reply) as server:
        server.on_connection = ports.add
        with_wire(work)

    assert len(ports) == 1


def test_a_cancel_closes_the_request() -> None:
    async def work(wire: Wire) -> None:
        call = asyncio.create_task(wire.ask(endpoint_of(wire, server), question()))
        while not server.asked:
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        for _ in range(300):
            if server.dropped:
                return
            await asyncio.sleep(0.01)

    with Loopback(Reply(end="hang")) as server:
        with_wire(work)

        assert server.dropped == 1


def test_a_cancelled_first_call_does_not_take_the_connection_from_the_others() -> None:
    async def work(wire: Wire) -> Answer:
        endpoint = endpoint_of(wire, server)
        first, second = (asyncio.create_task(wire.ask(endpoint, question())) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    with Loopback(Reply(shapes.chat())) as server:
        assert with_wire(work).text == "hello"


def test_a_failed_connecting_is_tried_again_by_the_next_call() -> None:
    made: list[Endpoint] = []

    def connect(endpoint: Endpoint, environ: Any) -> Any:
        made.append(endpoint)
        raise ConfigurationError("no")

    broken = Provider("broken", ("broken",), connect, needs_key=False)

    async def run() -> None:
        wire = Wire({}, providers={"broken": broken})
        endpoint = wire.resolve(ModelConfig("broken/x"))
        for _ in range(2):
            with pytest.raises(ConfigurationError):
                await wire.ask(endpoint, question())
        await wire.close()

    asyncio.run(run())

    assert len(made) == 2


def test_requests_go_through_the_proxy_unless_the_host_is_excepted() -> None:
    with Loopback(Reply(shapes.chat("through the proxy"))) as proxy, Loopback(Reply(shapes.chat("direct"))) as server:
        environ = {**ENVIRON, "HTTP_PROXY": proxy.url}

        there = ask("http://api.example.com/v1", environ=environ)
        here = ask(server.url, environ={**environ, "NO_PROXY": "127.0.0.1"})

    assert there.text == "through the proxy"
    assert proxy.asked[0].path == "http://api.example.com/v1/chat/completions"
    assert here.text == "direct"


def test_a_proxy_that_refuses_is_a_connection_error() -> None:
    with Loopback(Reply("no", 403)) as proxy, pytest.raises(ModelConnectionFailed, match="through the proxy"):
        ask("https://api.example.com/v1", environ={**ENVIRON, "HTTPS_PROXY": proxy.url})


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_private_ca_file_is_used_and_a_wrong_one_is_named(variable: str, tmp_path: Any) -> None:
    wrong = tmp_path / "ca.pem"
    wrong.write_text("not a certificate")

    with pytest.raises(ConfigurationError, match=variable):
        http_client("https://api.example.com", {variable: str(wrong)})

    ssl_file = ssl.get_default_verify_paths().cafile
    if ssl_file:
        http_client("https://api.example.com", {variable: ssl_file})


def test_the_list_of_models_is_asked_for_without_a_completion() -> None:
    listed = {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 1, "owned_by": "x"} for name in "ba"],
    }

    async def work(wire: Wire) -> list[str]:
        return await wire.list_models(endpoint_of(wire, server))

    with Loopback(Reply(listed)) as server:
        assert with_wire(work) == ["a", "b"]

    assert [(asked.method, asked.path) for asked in server.asked] == [("GET", "/models")]


def test_a_refused_key_is_told_by_the_list_of_models() -> None:
    async def work(wire: Wire) -> list[str]:
        return await wire.list_models(endpoint_of(wire, server))

    refused = Reply({"error": {"message": "bad key"}}, 401)
    with Loopback(refused) as server, pytest.raises(ModelAuthenticationFailed, match="OPENAI_API_KEY"):
        with_wire(work)


def test_parent_and_child_both_go_on_asking_after_a_fork() -> None:
    with Loopback(Reply(shapes.chat())) as server:

        async def work(wire: Wire) -> int | None:
            endpoint = endpoint_of(wire, server)
            await wire.ask(endpoint, question())
            child = multiprocessing.get_context("fork").Process(target=in_child, args=(wire, endpoint))
            child.start()
            await asyncio.to_thread(child.join, 30)
            await wire.ask(endpoint, question())
            return child.exitcode

        assert with_wire(work) == 0

    assert len(server.asked) == 3


def in_child(wire: Wire, endpoint: Endpoint) -> None:
    asyncio.events._set_running_loop(None)  # as the runtime does for its own loop
    wire.forget_in_child()
    assert asyncio.run(wire.ask(endpoint, question())).text == "hello"


def test_prices_come_from_the_bundled_list_and_unknown_is_not_zero() -> None:
    with Loopback(Reply({**shapes.chat(), "model": "mystery"})) as server:

        async def work(wire: Wire) -> list[Any]:
            known, unknown = endpoint_of(wire, server), endpoint_of(wire, server, "mystery-1")
            return [wire.cost(e, await wire.ask(e, question())) for e in (known, unknown)]

        known, unknown = with_wire(work)

    assert str(known.usd) == "0.00015"
    assert "gpt-4o-mini" in known.price_version
    assert (unknown.usd, unknown.price_version) == (None, None)
