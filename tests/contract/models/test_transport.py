"""HTTP as it is out there: TLS with a private CA, tunnels through proxies, connections that are kept."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from jackstay.core.specs import ModelConfig
from jackstay.errors import ConfigurationError, ModelConnectionFailed
from jackstay.models.network import http_client
from jackstay.models.wire import Wire
from tests.contract.models import shapes
from tests.contract.models.asking import ENVIRON, ask, question
from tests.contract.models.loopback import Asked, Loopback, Reply


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's certificate, its own authority, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a private CA")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@contextmanager
def tunnel() -> Iterator[tuple[str, list[str]]]:
    """An HTTP proxy that does CONNECT; the heads of what it was asked."""
    heads: list[str] = []

    def pipe(source: socket.socket, target: socket.socket) -> None:
        try:
            while piece := source.recv(65536):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve(listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            heads.append(head.decode())
            host, _, port = head.split()[1].decode().partition(":")
            server = socket.create_connection((host, int(port)))
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            for ends in ((client, server), (server, client)):
                threading.Thread(target=pipe, args=ends, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}", heads
        listening.shutdown(socket.SHUT_RDWR)


def test_a_server_with_a_private_ca_answers_over_tls(tls: ssl.SSLContext, certificate: Path) -> None:
    with Loopback(Reply(shapes.chat("over TLS")), tls=tls) as server:
        answer = ask(server.url, environ={**ENVIRON, "SSL_CERT_FILE": str(certificate)})

    assert answer.text == "over TLS"
    assert server.asked[0].headers["host"] == server.host


def test_a_certificate_that_nobody_vouches_for_is_refused(tls: ssl.SSLContext) -> None:
    with Loopback(Reply(shapes.chat()), tls=tls) as server, pytest.raises(ModelConnectionFailed, match="TLS failed"):
        ask(server.url)

    assert not server.asked


def test_tls_goes_through_the_tunnel_of_a_proxy_that_wants_a_password(tls: ssl.SSLContext, certificate: Path) -> None:
    with Loopback(Reply(shapes.chat("through")), tls=tls) as server, tunnel() as (proxy, heads):
        environ = {**ENVIRON, "HTTPS_PROXY": f"http://me:p%40ss@{proxy}", "SSL_CERT_FILE": str(certificate)}
        answer = ask(server.url, environ=environ)

    assert answer.text == "through"
    assert heads[0].startswith(f"CONNECT {server.host} HTTP/1.1")
    assert f"Basic {b64encode(b'me:p@ss').decode()}" in heads[0]
    assert ENVIRON["OPENAI_API_KEY"] not in heads[0]
    assert "proxy-authorization" not in server.asked[0].headers


def test_a_socks_proxy_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ConfigurationError, match=r"api\.example\.com .* socks5://127\.0\.0\.1:9: SOCKS"):
        http_client("https://api.example.com", {"ALL_PROXY": "socks5://me:secret@127.0.0.1:9"})


def test_a_redirect_is_followed_and_a_compressed_answer_is_read() -> None:
    def moved(asked: Asked) -> Reply:
        if asked.path.endswith("/chat/completions"):
            return Reply(status=307, headers={"Location": "/there"})
        packed = gzip.compress(json.dumps(shapes.chat("from there")).encode())
        return Reply(packed, headers={"Content-Encoding": "gzip"})

    with Loopback(moved) as server:
        answer = ask(server.url)

    assert answer.text == "from there"
    first, last = server.asked[0], server.asked[-1]
    assert first.body == last.body
    assert "gzip" in last.headers["accept-encoding"]


def test_calls_one_after_another_share_a_connection() -> None:
    ports: set[int] = set()

    async def run() -> None:
        wire = Wire(ENVIRON)
        endpoint = wire.resolve(ModelConfig("gpt-4o-mini", base_url=server.url))
        for _ in range(3):
            await wire.ask(endpoint, question())
        await wire.close()

    with Loopback(Reply(shapes.chat())) as server:
        server.on_connection = ports.add
        asyncio.run(run())

    assert len(ports) == 1
