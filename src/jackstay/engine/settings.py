"""What the environment says, read once when a `Runtime` is made."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from jackstay.errors import ConfigurationError

Durability = Literal["normal", "full", "off"]
Console = Literal["auto", "on", "off"]
LogStyle = Literal["json", "console", "off"]
LEVELS: Mapping[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Environ(ChainMap[str, str]):
    """A chain that looks a variable up once in each map, not three times: most are asked for at every kickoff."""

    def get(self, key: str, default: Any = None) -> Any:
        for each in self.maps:
            value = each.get(key)
            if value is not None:
                return value
        return default


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
    log: LogStyle = "off"
    """What of the log goes to stderr (`JACKSTAY_LOG`)."""
    log_file: str | None = None
    """A file that gets the log as JSON lines (`JACKSTAY_LOG_FILE`)."""
    log_level: int = 20
    log_content: bool = False
    """Prompts, answers, arguments and results are logged as well, masked."""

    traces: bool = True
    """Spans are made of runs, if OpenTelemetry is set up."""

    @property
    def logs(self) -> bool:
        return self.log != "off" or self.log_file is not None

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
            log=_choice(environ, "JACKSTAY_LOG", ("off", "json", "console"), "what of the log goes to stderr"),  # type: ignore[arg-type]
            log_file=environ.get("JACKSTAY_LOG_FILE") or None,
            log_level=LEVELS[_choice(environ, "JACKSTAY_LOG_LEVEL", ("info", *LEVELS), "the least that is logged")],
            log_content=_choice(
                environ, "JACKSTAY_LOG_CONTENT", ("off", "on"), "whether prompts and outputs are logged"
            )
            == "on",
            traces=_choice(environ, "JACKSTAY_TRACES", ("on", "off"), "whether runs are told to OpenTelemetry") == "on",
        )


def _choice(environ: Mapping[str, str], name: str, words: tuple[str, ...], what: str) -> str:
    """One of the words; the first is the default."""
    given = environ.get(name, "").strip().lower() or words[0]
    if given not in words:
        listed = ", ".join(dict.fromkeys(words))
        raise ConfigurationError(f"{name} is {environ[name]!r}; it says {what}: {listed}")
    return given
