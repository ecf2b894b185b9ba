"""Beside every program: how one of the seed's blocks gets into it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any


def paste(number: int, names: dict[str, Any]) -> SimpleNamespace:
    """Runs a block in the program's own names, as if it stood there; what there is afterwards."""
    path = Path(f"seed_block_{number}.py")
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    return SimpleNamespace(**names)
