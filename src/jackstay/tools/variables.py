"""Variables that tools need: by name, read when a tool is called."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pydantic import BaseModel

from jackstay.engine.scope import current_scope
from jackstay.errors import ToolFailure


class EnvVar(BaseModel):
    """A variable that a tool needs, or can use."""

    name: str
    description: str = ""
    required: bool = True
    default: str | None = None


def variable(name: str) -> str | None:
    """Its value: in a run as the run's environment has it (with the project's `.env`), else the process's."""
    scope = current_scope()
    return (os.environ if scope is None else scope.run.runtime.environ).get(name) or None


def require(variables: Iterable[EnvVar], tool: str) -> None:
    """Raises `ToolFailure` naming those that are needed and not there."""
    missing = [each for each in variables if each.required and each.default is None and variable(each.name) is None]
    if missing:
        told = ", ".join(f"{each.name} ({each.description})" if each.description else each.name for each in missing)
        raise ToolFailure(
            f"the tool {tool!r} needs {told}, which the environment does not have; put it into .env",
            reason="missing_variable",
            code="missing_variable",
        )
