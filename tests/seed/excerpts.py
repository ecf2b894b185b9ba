"""The seed's text, where it lies beside the clone: its blocks with the import changed, its tables and lists.

Nothing of it is kept in the project. `JACKSTAY_SEED` names the file; else it is looked for beside the clone.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "spec" / "seed.md"
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@cache
def text() -> str | None:
    """The whole of it; None where there is none. Raises `FileNotFoundError` for a `JACKSTAY_SEED` that is wrong."""
    named = os.environ.get("JACKSTAY_SEED")
    path = Path(named) if named else BESIDE
    return path.read_text(encoding="utf-8") if named or path.is_file() else None


def fenced(language: str) -> list[str]:
    """The blocks of a language, in their order ("" is the block without one)."""
    return [body for said, body in _FENCED.findall(text() or "") if said == language]


def block(number: int) -> str:
    """The Python block of that number, from 1, importing from `jackstay`."""
    return re.sub(r"\b(from|import) crewai\b", r"\1 jackstay", fenced("python")[number - 1])


def table(heading: str) -> list[str]:
    """The first column of the table below a heading, without its head."""
    rows = [line for line in _section(heading).splitlines() if line.startswith("|")][2:]
    return [row.split("|")[1].strip() for row in rows]


def bonuses() -> list[str]:
    return re.findall(r"^- \[ \] (.+)$", _section("Bonus Challenges"), re.MULTILINE)


def _section(heading: str) -> str:
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text() or "", re.MULTILINE | re.DOTALL)
    return found[1] if found else ""
