"""What the environment says, read once when a `Runtime` is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from jackstay.errors import ConfigurationError

Durability = Literal["normal", "full", "off"]
Console = Literal["auto", "on", "off"]


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str | None = None
    durability: Durability = "normal"
    model: str | None = None
    """Overrides every agent's model (`JACKSTAY_MODEL`)."""
    run_key: str | None = None
    pool_size: int = 64
    console: Console = "auto"
    """Whether a person can be asked at the standard input; "auto": if it is a terminal."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        durability = environ.get("JACKSTAY_DURABILITY", "normal").strip().lower() or "normal"
        if durability not in ("normal", "full", "off"):
            raise ConfigurationError(
                f"JACKSTAY_DURABILITY is {durability!r}; it is normal (safe against a killed process), full (safe "
                "against a power cut, slower) or off (in memory only, lost when the process ends)"
            )
        console = environ.get("JACKSTAY_CONSOLE", "auto").strip().lower() or "auto"
        if console not in ("auto", "on", "off"):
            raise ConfigurationError(
                f"JACKSTAY_CONSOLE is {console!r}; it is auto (people are asked at the standard input if that is a "
                "terminal), on (always) or off (never: the run waits)"
            )
        return cls(
            database_url=environ.get("JACKSTAY_DATABASE_URL") or None,
            durability=durability,  # type: ignore[arg-type]
            model=environ.get("JACKSTAY_MODEL") or None,
            run_key=environ.get("JACKSTAY_RUN_KEY") or None,
            console=console,  # type: ignore[arg-type]
        )
