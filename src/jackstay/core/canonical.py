"""Canonical JSON and the hashes made of it; JSON of values that come back. Golden values are tests: a change here is a new
`HASH_VERSION`."""

from __future__ import annotations

import hashlib
import json
from typing import Any

HASH_VERSION = 1


def _chunks_of(*, sort_keys: bool) -> Any:
    encoder = json.JSONEncoder(
        ensure_ascii=False, sort_keys=sort_keys, separators=(",", ":"), allow_nan=False, check_circular=False
    )
    # `JSONEncoder.encode` makes this object anew for every call, which for the small values here is half of the time.
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return lambda value, _: encoder.iterencode(value)
    skip_keys, allow_nan = False, False
    return make(None, encoder.default, json.encoder.encode_basestring, None, ":", ",", sort_keys, skip_keys, allow_nan)


_sorted_chunks = _chunks_of(sort_keys=True)
_chunks = _chunks_of(sort_keys=False)


def _encode(value: Any, chunks: Any = _sorted_chunks) -> str:
    try:
        return "".join(chunks(value, 0))
    except RecursionError:
        raise ValueError("the value is nested too deeply for JSON, or contains itself") from None


def canonical_json(value: Any) -> str:
    """JSON text that is equal for equal values: keys sorted, no spaces, UTF-8, no NaN.

    Raises `ValueError` or `TypeError` for what JSON does not have.
    """
    return _encode(value)


def ordered_json(value: Any) -> str:
    """The same with keys in the order that they have, for what a resumed run reads again: a dict in another order makes
    another prompt, and a question that had been answered would be asked, and paid, again."""
    return _encode(value, _chunks)


def digest(value: Any) -> str:
    """SHA-256 (64 hex digits) of a JSON value's canonical form."""
    return hashlib.sha256(_encode(value).encode("utf-8", "surrogatepass")).hexdigest()


def chain(previous: str, value: Any) -> str:
    """The next link of a hash chain: H(previous, value). O(size of value), however long the chain is."""
    data = _encode(value).encode("utf-8", "surrogatepass")
    return hashlib.sha256(previous.encode("ascii") + b"\n" + data).hexdigest()
