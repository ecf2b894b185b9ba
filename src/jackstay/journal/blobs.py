"""Payloads that do not belong into a row: long texts, bytes and stretches of conversations, by their address.

Equal content is stored once. A payload column whose text is too long, or that a database could not hold as text
(lone surrogates, NUL), has a marker instead; readers get the text back and never see the marker.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import Any, TypeAlias

from jackstay.core.messages import Message
from jackstay.core.records import Blob, MessagesBlob

PAYLOAD_LIMIT = 64 * 1024
"""Bytes of a payload that still stand in the row."""

_MARKER = "blob:"  # no JSON text begins with a "b", so a marker cannot be mistaken for a payload
_WORTH_COMPRESSING = 1024
_LEVEL = 3  # zlib: a third of the time of the default 6 for about a tenth more bytes on JSON

BlobRow: TypeAlias = tuple[str, str | None, str, bytes]
"""sha256, parent, encoding, bytes: the columns of the table."""


def pack(text: str, blobs: dict[str, BlobRow]) -> str:
    """What stands in the column: the text itself, or the marker of a blob that is added to `blobs`."""
    if text.isascii():
        if len(text) <= PAYLOAD_LIMIT and "\0" not in text and not text.startswith(_MARKER):
            return text
    elif len(text) <= PAYLOAD_LIMIT and _storable(text):
        return text
    data = text.encode("utf-8", "surrogatepass")
    address = hashlib.sha256(data).hexdigest()
    blobs[address] = (address, None, *_compress(data))
    return _MARKER + address


def is_marker(value: Any) -> bool:
    """Whether a payload column holds the address of a blob instead of the payload."""
    return type(value) is str and value.startswith(_MARKER)


def address_of(marker: str) -> str:
    return marker[len(_MARKER) :]


def blob_row(blob: Blob | MessagesBlob) -> BlobRow:
    """The row of a blob that the engine stores by name."""
    if isinstance(blob, MessagesBlob):
        return (blob.sha256, blob.parent, *_compress(blob.messages.encode("utf-8", "surrogatepass")))
    return (blob.sha256, None, *_compress(blob.data))


def unpack(encoding: str, data: bytes) -> bytes:
    """The bytes as they were before `encoding`."""
    match encoding:
        case "zlib":
            return zlib.decompress(data)
        case "plain":
            return bytes(data)
    raise ValueError(f"a blob of the journal is encoded as {encoding!r}, which this version does not know")


def unpack_text(encoding: str, data: bytes) -> str:
    return unpack(encoding, data).decode("utf-8", "surrogatepass")


def unpack_messages(encoding: str, data: bytes) -> list[Message]:
    return [Message.from_json(body) for body in json.loads(unpack_text(encoding, data))]


def _storable(text: str) -> bool:
    if "\0" in text or text.startswith(_MARKER):
        return False
    try:
        return len(text.encode("utf-8")) <= PAYLOAD_LIMIT
    except UnicodeEncodeError:
        return False


def _compress(data: bytes) -> tuple[str, bytes]:
    if len(data) >= _WORTH_COMPRESSING:
        smaller = zlib.compress(data, _LEVEL)
        if len(smaller) < len(data):
            return "zlib", smaller
    return "plain", data
