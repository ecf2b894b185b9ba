"""What `jackstay doctor` looks at, one function per matter. Nothing here spends money or leaves a file behind."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from jackstay.cli.stored import READ_TIMEOUT_S, forget_empty
from jackstay.core.specs import ModelConfig
from jackstay.errors import ConfigurationError, JackstayError
from jackstay.journal import Location, locate, open_journal
from jackstay.models.network import shown_proxy, ssl_context
from jackstay.models.provider import Endpoint, Provider
from jackstay.models.routing import DEFAULT_MODEL, MODEL_VARIABLES
from jackstay.models.table import providers
from jackstay.models.wire import Wire

OLDEST_PYTHON, FIRST_UNTRIED_PYTHON = (3, 11), (3, 15)
SCARCE_BYTES = 500_000_000
PACKAGES = ("pydantic", "pydantic-ai-slim", "openai", "sqlalchemy", "typer")
PROXIES = ("https_proxy", "http_proxy", "all_proxy", "no_proxy")
AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Check:
    """One line. `ok` None: neither good nor bad. `remedy`: what to do, if something is."""

    matter: str
    found: str
    remedy: str = ""
    ok: bool | None = None


def good(matter: str, found: str, remedy: str = "") -> Check:
    return Check(matter, found, remedy, ok=True)


def bad(matter: str, found: str, remedy: str) -> Check:
    return Check(matter, found, remedy, ok=False)


def python() -> Iterator[Check]:
    version = f"{platform.python_implementation()} {platform.python_version()}"
    if sys.version_info < OLDEST_PYTHON:
        yield bad("python", version, "install CPython 3.11 or newer")
    elif sys.version_info >= FIRST_UNTRIED_PYTHON:
        yield Check("python", version, "not tried yet with this version: 3.11 to 3.14 are")
    else:
        yield good("python", version)
    yield Check("platform", platform.platform())
    yield good("packages", ", ".join(f"{name} {_version(name)}" for name in ("jackstay", *PACKAGES)))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "?"


# --- the database --------------------------------------------------------------------------------------------------


def database(environ: Mapping[str, str]) -> Iterator[Check]:
    try:
        location = locate(environ)
    except JackstayError as error:
        yield bad("database", "no place for it", str(error))
        return
    durability = {
        "normal": "a killed process loses nothing",
        "full": "a power cut loses nothing",
        "off": "nothing is kept",
    }
    yield Check(
        "durability",
        f"{location.durability}: {durability[location.durability]}",
        ok=location.durability != "off" or None,
    )
    if location.path is not None and not location.path.exists():
        yield good("database", f"{location.path} (the first run makes it)", location.notice or "")
        yield from _disk(location.path.parent)
        forget_empty(location.path.parent)
        return
    yield _opened(location)
    if location.path is not None:
        yield from _disk(location.path.parent)


def _opened(location: Location) -> Check:
    try:
        open_journal(location, busy_timeout_s=READ_TIMEOUT_S).close()
    except JackstayError as error:
        return bad("database", location.shown, str(error))
    return good("database", f"{location.shown} ({_kind(location)})", location.notice or "")


def _kind(location: Location) -> str:
    if location.path is None:
        return location.dialect
    with closing(sqlite3.connect(location.path)) as connection:
        mode = connection.execute("pragma journal_mode").fetchone()[0]
    return f"SQLite {sqlite3.sqlite_version}, {mode.upper()}"


def _disk(folder: Path) -> Iterator[Check]:
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:,.1f} GB in {folder}"
    if free >= SCARCE_BYTES:
        yield good("free space", found)
    else:
        yield bad("free space", found, "free some: a run stops when its steps cannot be stored")


# --- models --------------------------------------------------------------------------------------------------------


def default_model(environ: Mapping[str, str], wire: Wire) -> Iterator[Check]:
    override = environ.get("JACKSTAY_MODEL")
    if override:
        yield _resolved(wire, "JACKSTAY_MODEL", ModelConfig(override), needed=True)
    name = next((f"{name}={environ[name]}" for name in MODEL_VARIABLES if environ.get(name)), DEFAULT_MODEL)
    yield _resolved(wire, "default model", ModelConfig(DEFAULT_MODEL, reads_environment=True), shown=name)


def _resolved(wire: Wire, matter: str, config: ModelConfig, *, needed: bool = False, shown: str = "") -> Check:
    try:
        endpoint = wire.resolve(config)
    except ConfigurationError as error:
        return Check(matter, shown or config.model, str(error), ok=False if needed else None)
    return good(matter, shown or f"{endpoint.requested} for every agent")


def with_keys(environ: Mapping[str, str]) -> list[tuple[Provider, str]]:
    """The providers whose key is set, and in which variable."""
    found = []
    for provider in providers().values():
        name = next((name for name in provider.key_variables if environ.get(name, "").strip()), None)
        if name is not None:
            found.append((provider, name))
    return found


def keys(environ: Mapping[str, str]) -> Iterator[Check]:
    present = with_keys(environ)
    for provider, name in present:
        if _has_sdk(provider):
            yield good(provider.name, f"{name} is set")
        else:
            remedy = f"its SDK is not installed: pip install 'jackstay[{provider.extra}]'"
            yield bad(provider.name, f"{name} is set", remedy)
    if not present:
        yield Check(
            "keys",
            "none is set",
            "put OPENAI_API_KEY=… (or another provider's) in .env, or use JACKSTAY_MODEL=sim/demo",
        )
    names = {provider.name for provider, _ in present}
    absent = [p for p in providers().values() if p.name not in names and p.key_variables and p.needs_key]
    yield Check("without a key", ", ".join(f"{p.name} ({p.key_variables[0]})" for p in absent))


def _has_sdk(provider: Provider) -> bool:
    module = (provider.module or "").partition(".")[0]
    return not module or importlib.util.find_spec(module) is not None


def endpoints(environ: Mapping[str, str], wire: Wire) -> Iterator[tuple[Provider, Endpoint | Check]]:
    """For --online: where each present key would be tried."""
    for provider, _ in with_keys(environ):
        try:
            yield provider, wire.resolve(ModelConfig(f"{provider.name}/any", provider=provider.name))
        except ConfigurationError as error:
            yield provider, bad(f"{provider.name} online", "not asked", str(error))


# --- the network ---------------------------------------------------------------------------------------------------


def network(environ: Mapping[str, str]) -> Iterator[Check]:
    for name in PROXIES:
        value = environ.get(name) or environ.get(name.upper())
        if value:
            yield Check(
                name.upper(),
                value if name == "no_proxy" else shown_proxy(value if "://" in value else f"http://{value}"),
            )
    named = [f"{name}={environ[name]}" for name in AUTHORITIES if environ.get(name)]
    try:
        ssl_context(environ)
    except ConfigurationError as error:
        yield bad("certificates", ", ".join(named), str(error))
    else:
        yield good("certificates", ", ".join(named) or "the system's")
