"""Inputs of a run from the command line: `--input name=text`, `--input name:=JSON`, `--inputs FILE` (or JSON text)."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jackstay.cli.outcome import UsageError

_PLACE = re.compile(r"\s*\(at line (\d+), column (\d+)\)")


def read_inputs(pairs: Sequence[str], file: Path | None) -> dict[str, Any]:
    """The file's inputs with the pairs over them. Raises `UsageError`."""
    inputs = _from_file(file) if file is not None else {}
    for pair in pairs:
        name, value = _from_pair(pair)
        inputs[name] = value
    return inputs


def _from_pair(pair: str) -> tuple[str, Any]:
    name, equals, text = pair.partition("=")
    if not equals or not name.rstrip(":").strip():
        raise UsageError(f"--input {pair!r}: write it as name=text, or name:=JSON (topic='AI agents', count:=3)")
    if not name.endswith(":"):
        return name.strip(), text
    try:
        return name[:-1].strip(), json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"--input {pair!r}: {text!r} is not JSON ({error.msg}, column {error.colno}); "
            f"for plain text write {name[:-1]}={text}"
        ) from error


def _from_file(file: Path) -> dict[str, Any]:
    if str(file).lstrip().startswith("{"):  # CrewAI's form
        return dict(_json(file, str(file)))
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"--inputs {file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--inputs {file}: it is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    inputs = _parsed(file, text)
    if not isinstance(inputs, dict):
        raise UsageError(f"--inputs {file}: it has to be an object of names and values, not {_kind(inputs)}")
    return inputs


def _parsed(file: Path, text: str) -> Any:
    match file.suffix.lower():
        case ".toml":
            return _toml(file, text)
        case ".yaml" | ".yml":
            raise UsageError(f"--inputs {file}: YAML is not read; write the inputs as JSON or TOML")
        case _:
            return _json(file, text)


def _json(file: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"--inputs {file}: line {error.lineno}, column {error.colno}: {error.msg}; correct the JSON there"
        ) from error


def _toml(file: Path, text: str) -> dict[str, Any]:
    try:
        # TOML has dates, JSON and so the journal do not: they become their text.
        plain: dict[str, Any] = json.loads(json.dumps(tomllib.loads(text), default=str))
        return plain
    except tomllib.TOMLDecodeError as error:
        found = _PLACE.search(str(error))
        where = f"line {found[1]}, column {found[2]}" if found else "at its end"
        raise UsageError(f"--inputs {file}: {where}: {_PLACE.sub('', str(error))}; correct the TOML there") from error


def _kind(value: Any) -> str:
    return {list: "a list", str: "a text", bool: "a truth value", type(None): "null"}.get(type(value), "a number")
