"""`jackstay version`."""

from __future__ import annotations

import platform

from jackstay import __version__


def version_line() -> str:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"jackstay {__version__} · {python} · {platform.system()} {platform.release()} {platform.machine()}"
