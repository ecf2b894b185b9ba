"""Canonical JSON and the hashes made of it. Golden values are tests: a change here is a new `HASH_VERSION`."""

from __future__ import annotations

import hashlib
import json
from typing import Any

HASH_VERSION = 1

_encoder = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False
)


def _encode(value: Any) -> str:
    try:
        return "".join(_chunks(value, 0))
    except RecursionError:
        raise ValueError("the value is nested too deeply for JSON, or contains itself") from None


# `JSONEncoder.encode` makes this object anew for every call, which for the small values here is half of the time.
_make_chunks: Any = getattr(json.encoder, "c_make_encoder", None)
_SORT_KEYS, _SKIP_KEYS, _ALLOW_NAN = True, False, False
_chunks: Any = (
    _make_chunks(
        None, _encoder.default, json.encoder.encode_basestring, None, ":", ",", _SORT_KEYS, _SKIP_KEYS, _ALLOW_NAN
    )
    if _make_chunks is not None
    else lambda value, _: _encoder.iterencode(value)
)


def canonical_json(value: Any) -> str:
    """JSON text that is equal for equal values: keys sorted, no spaces, UTF-8, no NaN.

    Raises `ValueError` or `TypeError` for what JSON does not have.
    """
    return _encode(value)


def digest(value: Any) -> str:
    """SHA-256 (64 hex digits) of a JSON value's canonical form."""
    return hashlib.sha256(_encode(value).encode("utf-8", "surrogatepass")).hexdigest()


def chain(previous: str, value: Any) -> str:
    """The next link of a hash chain: H(previous, value). O(size of value), however long the chain is."""
    data = _encode(value).encode("utf-8", "surrogatepass")
    return hashlib.sha256(previous.encode("ascii") + b"\n" + data).hexdigest()
