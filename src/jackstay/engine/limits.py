"""The limits of a project: `[limits]` of jackstay.toml and JACKSTAY_LIMITS. Which ones a call has to keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jackstay.core.limits import Limit
from jackstay.engine.project_file import ProjectFile
from jackstay.errors import ConfigurationError

SETTING = "JACKSTAY_LIMITS"
KINDS = ("requests_per_min", "tokens_per_min", "concurrent")
CUSTOM = "custom"
"""What a `BaseLLM` of the user's own is called."""


class ConfiguredLimits:
    """By name: `openai` (each of its keys), `openai:VARIABLE` (one key), `openai/gpt-4o` (one model, with each key).

    The environment replaces what the file says under the same name. Raises `ConfigurationError` for what cannot be used.
    """

    def __init__(self, file: ProjectFile, environ: Mapping[str, str]) -> None:
        self._tables = {**dict(_read_file(file)), **dict(_read_setting(environ.get(SETTING, "")))}

    @property
    def names(self) -> tuple[str, ...]:
        """As they are configured."""
        return tuple(sorted(self._tables))

    def of(self, provider: str, key_name: str, model: str) -> tuple[Limit, ...]:
        """Those of a call, the model's last. The names of limits have the key's variable in them, never the key."""
        if not self._tables:
            return ()
        key = f"{provider}:{key_name}" if key_name else provider
        name = f"{provider}/{model.removeprefix(f'{provider}/')}"
        found = []
        table = self._tables.get(key) or self._tables.get(provider)
        if table is not None:
            found.append(Limit(key, **table))
        if name in self._tables:
            found.append(Limit(f"{name}:{key_name}" if key_name else name, **self._tables[name]))
        return tuple(found)

    def of_name(self, limiter: str) -> Limit | None:
        """What is configured for a limit that the journal knows by this name."""
        place, _, key_name = limiter.rpartition(":")
        for name, key in ((place, key_name), (limiter, "")):  # a model's name may have a colon, too
            provider, _, model = name.partition("/")
            for limit in self.of(provider, key, model):
                if limit.name == limiter:
                    return limit
        return None


def _read_file(file: ProjectFile) -> Iterator[tuple[str, dict[str, int]]]:
    for name, table in file.section("limits").items():
        where = f"limits.{name}"
        if not isinstance(table, Mapping):
            raise file.mistake(where, f'is one value; write it as a section, [limits."{name}"]')
        try:
            yield _checked(name, table)
        except ConfigurationError as error:
            raise file.mistake(where, f"cannot be used: {error}") from error


def _read_setting(text: str) -> Iterator[tuple[str, dict[str, int]]]:
    """`openai:requests_per_min=600,tokens_per_min=90000;openai/gpt-4o:concurrent=4`"""
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, _, given = part.rpartition(":")
        table: dict[str, Any] = {}
        for pair in given.split(","):
            kind, _, value = pair.partition("=")
            table[kind.strip()] = int(value) if value.strip().isdecimal() else value.strip()
        try:
            yield _checked(name.strip(), table)
        except ConfigurationError as error:
            raise ConfigurationError(
                f"{SETTING}: {part!r} cannot be used: {error}; write it as openai:requests_per_min=600,concurrent=10"
            ) from error


def _checked(name: str, table: Mapping[str, Any]) -> tuple[str, dict[str, int]]:
    """Raises `ConfigurationError`."""
    if unknown := set(table) - set(KINDS):
        raise ConfigurationError(f"{min(unknown)!r} is unknown; known: {', '.join(KINDS)}")
    if not table:
        raise ConfigurationError(f"it sets nothing; give one of {', '.join(KINDS)}")
    from jackstay.models.table import LAZY_PROVIDERS, providers  # not wanted by programs without limits

    known = sorted({*providers(), *LAZY_PROVIDERS, CUSTOM})
    provider = name.partition("/")[0].partition(":")[0]
    if provider not in known:
        raise ConfigurationError(f"there is no provider {provider!r}; the providers are {', '.join(known)}")
    Limit(name, **table)
    return name, dict(table)
