"""Proxies, certificates and HTTP clients, decided from the environment that the wire was given.

One place decides which proxy a request goes through, so that the client and an error message cannot disagree.
"""

from __future__ import annotations

import ipaddress
import logging
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from jackstay.errors import ConfigurationError

if TYPE_CHECKING:
    from jackstay.models.transport import HttpClient

CONNECT_TIMEOUT_S = 10.0
"""A host that does not take a connection within this is reported as unreachable, however long the call may take."""

KEEPALIVE_S = 60.0
"""Longer than an agent's tool usually runs, so that the next turn finds its connection open."""


def host_of(url: str | None) -> str:
    """`api.openai.com`, `127.0.0.1:8080`: what an error message calls the address."""
    return "" if not url else urlsplit(url).netloc.rpartition("@")[2]


def is_loopback(url: str | None) -> bool:
    """Whether the address is this machine."""
    host = urlsplit(url or "").hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_for(url: str | None, environ: Mapping[str, str]) -> str | None:
    """The proxy that requests to `url` go through: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY (either case), unless
    NO_PROXY names the host. Lower case wins, as in curl."""
    parts = urlsplit(url or "")
    if not parts.hostname or _bypassed(parts.hostname, parts.port, _variable("no_proxy", environ)):
        return None
    proxy = _variable(f"{parts.scheme}_proxy", environ) or _variable("all_proxy", environ)
    if not proxy:
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def shown_proxy(proxy: str) -> str:
    """The proxy without its user and password."""
    parts = urlsplit(proxy)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _variable(name: str, environ: Mapping[str, str]) -> str:
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _bypassed(host: str, port: int | None, no_proxy: str) -> bool:
    for entry in (part.strip().lower() for part in no_proxy.split(",")):
        if entry == "*" or (entry and _matches(host.lower(), port, entry)):
            return True
    return False


def _matches(host: str, port: int | None, entry: str) -> bool:
    """An entry is a host (which covers its subdomains), host:port, or a network such as 10.0.0.0/8."""
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        name, _, wanted = entry.partition(":")
    if wanted and wanted != str(port):
        return False
    name = name.removeprefix("*").lstrip(".")
    return host == name or host.endswith(f".{name}")


def ssl_context(environ: Mapping[str, str]) -> ssl.SSLContext | bool:
    """The private CAs of SSL_CERT_FILE, SSL_CERT_DIR or REQUESTS_CA_BUNDLE; True: the system's own."""
    file, folder = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    named = "SSL_CERT_FILE" if file else "SSL_CERT_DIR" if folder else "REQUESTS_CA_BUNDLE"
    file = file or (None if folder else environ.get("REQUESTS_CA_BUNDLE")) or None
    if not file and not folder:
        return True
    try:
        return ssl.create_default_context(cafile=file, capath=folder or None)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigurationError(
            f"{named}={environ[named]} cannot be used as certificate authorities ({exc}); "
            f"point it at a PEM file, or unset it"
        ) from exc


def http_client(url: str | None, environ: Mapping[str, str]) -> HttpClient:
    """A client for one address. No limit on connections (the engine's limiter is the limit), no retries, no time
    limit of its own but for connecting: the call's time limit is enforced around the whole request."""
    # Not wanted before the first call: with it come httpx2 and aiohttp.
    from jackstay.models.transport import HttpClient, Transport

    # A line at INFO for every request drowns what a program logs itself; who sets that logger's level keeps it.
    log = logging.getLogger("httpx2")
    if log.level == logging.NOTSET:
        log.setLevel(logging.WARNING)
    proxy = proxy_for(url, environ)
    if proxy is not None and proxy.lower().startswith("socks"):
        raise ConfigurationError(
            f"requests to {host_of(url)} would go through {shown_proxy(proxy)}: SOCKS is not supported; name an HTTP proxy, "
            f"or the host in NO_PROXY"
        )
    plain = (url or "").startswith("http://")
    # No CA is read for a plain address; were it to redirect to https, verification would fail, not pass.
    verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else ssl_context(environ)
    transport = Transport(proxy=proxy, verify=verify, keepalive_s=KEEPALIVE_S)
    return HttpClient(transport, connect_timeout_s=CONNECT_TIMEOUT_S)
