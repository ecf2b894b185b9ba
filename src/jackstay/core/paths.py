"""Where a step is in its run: `research#1/llm#3`. Grammar of engine rule 9.

A path is made of parts joined by `/`. A part is `name#n` where the engine gives the order (tasks, turns, tool calls
in the order of the answer), and `name~hash#k` where user code starts the step (a nested kickoff), because the order of
a user's `gather` must not matter.
"""

from __future__ import annotations

import hashlib
import re

MAX_PATH_BYTES = 512
_UNSAFE = re.compile(r"[/#~%\x00-\x1f]")
_HASH = re.compile(r"[0-9a-f]{64}")
_SLUG = re.compile(r"[^a-z0-9]+")


def escape(name: str) -> str:
    """A name without the characters that have a meaning in a path (percent-encoded, as in URLs)."""
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", name)


def slug(text: str, *, limit: int = 40) -> str:
    """A readable key of free text: lower case, words joined by `_`, at most `limit` characters."""
    words = _SLUG.sub("_", text.lower()).strip("_")
    if len(words) <= limit:
        return words or "task"
    cut = words[:limit]
    return cut.rsplit("_", 1)[0] if "_" in cut else cut


def numbered(parent: str, name: str, number: int) -> str:
    """The path of the n-th step of that name whose order the engine gives."""
    return _join(parent, f"{escape(name)}#{number}")


def hashed(parent: str, name: str, key: str, number: int) -> str:
    """The path of a step that user code starts. `key` is the question's hash (64 digits, of which the first ten are
    used) or the user's own `key=`; `number` counts equal questions in the scope."""
    short = key[:10] if _HASH.fullmatch(key) else escape(key)
    return _join(parent, f"{escape(name)}~{short}#{number}")


def parent_of(path: str) -> str:
    """The enclosing scope's path; the empty string is the run itself."""
    return path.rpartition("/")[0]


def tool_at(path: str) -> str:
    """The name of the tool whose call stands there."""
    return path.rpartition("/")[2].removeprefix("tool:").rpartition("#")[0]


def _join(parent: str, part: str) -> str:
    path = f"{parent}/{part}" if parent else part
    if len(path) <= 128 or len(path.encode()) <= MAX_PATH_BYTES:
        return path
    # The tail keeps its readable name; what stands before it becomes one hash. Two paths stay two paths.
    short = hashlib.sha256(path.encode()).hexdigest()[:32]
    tail = part.encode()[-(MAX_PATH_BYTES - 40) :].decode("utf-8", "ignore")
    return f"~{short}/{tail}"
