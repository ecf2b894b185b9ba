"""`config=` of agents and tasks: arguments that come as a mapping, from a YAML file as a rule."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from jackstay.errors import DefinitionError


def agent_arguments(given: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """An agent's arguments. Those of `config=` count where they were not given themselves; what no argument is called is
    left out (CrewAI's rules: files have notes of their own)."""
    kept, config = _split("Agent", given)
    return kept | {name: value for name, value in config.items() if name in known and kept.get(name) is None}


def task_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """A task's arguments. Those of `config=` count more than those given themselves (CrewAI's rule), and what no argument
    is called is an error."""
    kept, config = _split("Task", given)
    return kept | config


def _split(kind: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    kept = dict(given)
    config = kept.pop("config", None)
    if config is not None and not isinstance(config, Mapping):
        raise DefinitionError(
            f"{kind}: config= is a {type(config).__name__}; give a mapping of arguments, such as a section of a YAML file"
        )
    return kept, dict(config or {})
