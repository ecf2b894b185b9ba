"""How the running program was started (so that a run can be resumed), and whether it is only being loaded."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any

from jackstay.errors import KickoffWhileLoading

_loading: ContextVar[str | None] = ContextVar("jackstay_loading", default=None)


def entry_point() -> dict[str, Any]:
    """The script (under `python -m` the module's name, too), its arguments and folder; empty where there is none (a
    console, a notebook)."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    module = None if spec is None else str(spec.name).removesuffix(".__main__")
    return dict(_entry(tuple(sys.argv), os.getcwd(), module))  # noqa: PTH109 - a tenth of the time of `Path.cwd`


@lru_cache(maxsize=4)
def _entry(argv: tuple[str, ...], folder: str, module: str | None) -> Mapping[str, Any]:
    """The same for every kickoff of a program that changes neither: a few calls to the file system saved each time."""
    script = argv[0] if argv else ""
    if not script or script in ("-c", "-m") or not Path(script).is_file():
        return {}
    entry = {"script": str(Path(script).resolve()), "arguments": list(argv[1:]), "folder": folder}
    return entry if module is None else entry | {"module": module}


@contextmanager
def loading(what: str) -> Iterator[None]:
    """While a project is only loaded, a kickoff at module level is refused before it costs anything."""
    token = _loading.set(what)
    try:
        yield
    finally:
        _loading.reset(token)


def guard_loading() -> None:
    what = _loading.get()
    if what is None:
        return
    frame = next((f for f in reversed(traceback.extract_stack()) if f.name == "<module>"), None)
    where = f"{frame.filename}, line {frame.lineno}" if frame else "a module"
    raise KickoffWhileLoading(
        f"{where}: a kickoff at module level ran while {what} was only being loaded; nothing was asked. Put it under "
        "'if __name__ == \"__main__\":'"
    )
