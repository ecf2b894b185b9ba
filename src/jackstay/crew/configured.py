"""`config=` of agents and tasks: arguments that come as a mapping, from a YAML file as a rule."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from jackstay.errors import DefinitionError


class Section(dict[str, Any]):
    """A mapping of arguments that knows where it is written."""

    def __init__(self, content: Mapping[str, Any], mistake: Callable[[tuple[str, ...], str], DefinitionError]) -> None:
        """`mistake` makes the error for what stands at one of its keys, or at none."""
        super().__init__(content)
        self._mistake = mistake

    def error(self, found: Sequence[tuple[str, str, str]]) -> DefinitionError | None:
        """For what pydantic has found (key, kind, words), if the section is what it has found it in."""
        missing = [key for key, kind, _ in found if kind == "missing"]
        if missing:
            return self._mistake((), f"has no {' and no '.join(missing)}; write '{missing[0]}: …' below it")
        for key, _, what in found:
            if not key:
                return self._mistake((), f"is not right: {what}")
            if key in self:
                return self._mistake((key,), f"is {self[key]!r:.60}: {what}")
        return None


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
