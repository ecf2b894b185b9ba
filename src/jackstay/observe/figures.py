"""Tokens, money, times and text as people read them: the same everywhere a run is shown."""

from __future__ import annotations

from decimal import Decimal

UNKNOWN = "—"
"""An unknown price is shown as unknown, never as zero."""


def tokens(count: int) -> str:
    return f"{count:,}"


def cost(usd: Decimal | None) -> str:
    """`$0.0012`; more digits where four would show nothing."""
    if usd is None:
        return UNKNOWN
    if usd == 0:
        return "$0"
    if usd >= 1:
        return f"${usd:,.2f}"
    return f"${usd:.4f}" if usd >= Decimal("0.001") else f"${usd:.6f}"


def seconds(duration_s: float) -> str:
    """`8ms`, `0.3s`, `12s`, `3m 05s`, `2h 07m`."""
    if 0 < duration_s < 0.0995:
        return f"{max(1, round(duration_s * 1000))}ms"
    if duration_s < 9.95:
        return f"{duration_s:.1f}s"
    whole = round(duration_s)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m {rest:02}s"
    return f"{minutes // 60}h {minutes % 60:02}m"


def plural(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def printable(text: str) -> str:
    """Without what would move a cursor, change colours or turn the reading direction: escapes stand in its place. New
    lines and tabs stay."""
    return "".join(char if char in "\n\t" or char.isprintable() else repr(char)[1:-1] for char in text)
