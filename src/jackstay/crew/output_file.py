"""Where a task's `output_file` may be: below the working directory, as it is written and as inputs fill it in."""

from __future__ import annotations

import re

from jackstay.errors import InputsError

_UNSAFE = re.compile(r"[|;&<>`!*?\x00-\x1f]")
_SEPARATORS = re.compile(r"[/\\]")


def written_path(path: str) -> str:
    """The path of a definition, without a leading `/`. Raises `ValueError` for one that leads out, or that a shell would
    read otherwise (CrewAI's rule)."""
    if ".." in path or path.startswith(("~", "$")) or _UNSAFE.search(path):
        raise ValueError(f"output_file {path!r} leaves the working directory or has characters of a shell in it")
    return path.lstrip("/")


def filled_path(path: str, owner: str) -> str:
    """The path with its variables filled in. Raises `InputsError` for one that their values lead out: inputs are often a
    stranger's. Anything else that a topic may have in it (`?`, `...`) is part of a name."""
    if ".." in _SEPARATORS.split(path) or "\x00" in path:
        raise InputsError(
            f"output_file of {owner} is {path!r} with these inputs, which leaves the working directory; pass values "
            "without '..' between slashes"
        )
    return path.lstrip("/")
