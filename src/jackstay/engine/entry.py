"""How the running program was started (so that a run can be resumed), and whether it is only being loaded."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from jackstay.errors import KickoffWhileLoading

_loading: ContextVar[str | None] = ContextVar("jackstay_loading", default=None)


def entry_point() -> dict[str, Any]:
    """The script (under `python -m` the module's name, too), its arguments and folder; empty where there is none (a
    console, a notebook)."""
    script = sys.argv[0] if sys.argv else ""
    if not script or script in ("-c", "-m") or not Path(script).is_file():
        return {}
    entry = {"script": str(Path(script).resolve()), "arguments": sys.argv[1:], "folder": str(Path.cwd())}
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return entry if spec is None else entry | {"module": spec.name.removesuffix(".__main__")}


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
