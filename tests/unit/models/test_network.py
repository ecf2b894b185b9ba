"""Which proxy a request goes through."""

from __future__ import annotations

import pytest

from jackstay.models.network import host_of, is_loopback, proxy_for, shown_proxy

BOTH = {"HTTPS_PROXY": "http://secure:1", "HTTP_PROXY": "plain:2"}


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        ("https://a.com/v1", BOTH, "http://secure:1"),
        ("http://a.com/v1", BOTH, "http://plain:2"),
        ("https://a.com/v1", {"https_proxy": "http://low:1", **BOTH}, "http://low:1"),
        ("https://a.com/v1", {"ALL_PROXY": "http://all:3"}, "http://all:3"),
        ("https://a.com/v1", {}, None),
        ("https://a.com/v1", {**BOTH, "NO_PROXY": "a.com"}, None),
        ("https://api.a.com/v1", {**BOTH, "NO_PROXY": "x.com, .a.com"}, None),
        ("https://api.a.com/v1", {**BOTH, "NO_PROXY": "*.a.com"}, None),
        ("https://nota.com/v1", {**BOTH, "NO_PROXY": "a.com"}, "http://secure:1"),
        ("https://a.com:8443/v1", {**BOTH, "NO_PROXY": "a.com:443"}, "http://secure:1"),
        ("https://a.com:8443/v1", {**BOTH, "NO_PROXY": "a.com:8443"}, None),
        ("http://10.1.2.3/v1", {**BOTH, "NO_PROXY": "10.0.0.0/8"}, None),
        ("https://a.com/v1", {**BOTH, "NO_PROXY": "*"}, None),
        ("https://a.com/v1", {**BOTH, "no_proxy": ""}, "http://secure:1"),
        (None, BOTH, None),
    ],
)
def test_the_proxy_of_an_address(url: str | None, environ: dict[str, str], expected: str | None) -> None:
    assert proxy_for(url, environ) == expected


def test_a_proxy_is_shown_without_its_password() -> None:
    assert shown_proxy("http://user:hunter2@proxy:8080") == "http://proxy:8080"
    assert host_of("https://user:pw@host:1/v1") == "host:1"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:1/v1", True),
        ("http://localhost/v1", True),
        ("http://[::1]:1", True),
        ("https://a.com", False),
    ],
)
def test_loopback_is_this_machine(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected
