"""What the definitions' constructors share: CrewAI arguments that are accepted so that existing code runs (one warning
says that they do nothing yet), and errors in plain words."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

from pydantic import Field, ValidationError
from pydantic_core import PydanticCustomError

from jackstay.crew.configured import Section
from jackstay.errors import DefinitionError

Deadline = Annotated[float | None, Field(gt=0, allow_inf_nan=False, strict=True)]
"""A time limit as a field of a definition: seconds greater than 0."""

AGENT = frozenset(
    {
        "cache",
        "i18n",
        "cache_handler",
        "max_tokens",
        "checkpoint",
        "callbacks",
        "apps",
        "skills",
        "function_calling_llm",
        "allow_code_execution",
        "multimodal",
        "code_execution_mode",
        "from_repository",
        "a2a",
        "executor_class",
    }
)
TASK = frozenset(
    {
        "checkpoint",
        "converter_cls",
        "input_files",
        "allow_crewai_trigger_context",
    }
)
CREW = frozenset(
    {
        "cache",
        "function_calling_llm",
        "config",
        "share_crew",
        "prompt_file",
        "trained_agents_file",
        "chat_llm",
        "skills",
        "checkpoint",
        "tracing",
    }
)
MEMORY = frozenset({"memory", "embedder", "knowledge", "knowledge_sources", "knowledge_storage", "knowledge_config"})
"""Of agents and crews. A program that counts on them would go wrong without a word, so that they are refused."""
MEMORY_RELEASE = "0.2"
"""That brings them."""
QUIET: Mapping[str, Any] = {
    "share_crew": None,
    "checkpoint": None,  # the journal has every step in any case
    "tracing": None,
    "cache": None,
}
"""Values that ask for nothing: no warning. None: whatever the value, it asks for nothing here."""


def refuse_id(value: Any) -> Any:
    """Of a field `id`: CrewAI's code for it."""
    raise PydanticCustomError("may_not_set_field", "the id is given by Jackstay; leave id={id} out", {"id": str(value)})


@contextmanager
def defining(kind: str, config: Any = None) -> Iterator[None]:
    """What pydantic finds wrong with a definition, as one `DefinitionError` in plain words; pydantic's own error, with
    CrewAI's codes, is its cause. `config`: what it was described by; the section of a file is named with its line."""
    try:
        yield
    except ValidationError as error:
        found = [
            (".".join(map(str, e["loc"])), e["type"], e["msg"].removeprefix("Value error, ")) for e in error.errors()
        ]
        written = config.error(found) if isinstance(config, Section) else None
        told = "; ".join(f"{where}: {what}" if where else what for where, _, what in found)
        raise written or DefinitionError(f"{kind}: {told}") from error


def split(kind: str, known: frozenset[str], given: dict[str, Any]) -> dict[str, Any]:
    """The arguments without the accepted ones, which a warning names. Raises `DefinitionError` for those of `MEMORY`."""
    given = _without_memory(kind, given) if MEMORY & given.keys() else given
    idle = [name for name in given if name in known]
    named = [name for name in idle if name not in QUIET or (QUIET[name] is not None and given[name] != QUIET[name])]
    named = [name for name in named if given[name] is not None]
    if named:
        listed = ", ".join(f"{name}=" for name in sorted(named))
        warnings.warn(f"{kind}: {listed} is accepted and has no effect in this version", UserWarning, stacklevel=4)
    return {name: value for name, value in given.items() if name not in known}


def _without_memory(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    asked = sorted(name for name in MEMORY & given.keys() if given[name] not in (None, False, [], {}))
    if asked:
        listed = ", ".join(f"{name}=" for name in asked)
        raise DefinitionError(
            f"{kind}: {listed}: memory and knowledge come with Jackstay {MEMORY_RELEASE}; until then leave it out, and give a "
            "task what it has to know in its description or context, or by a tool"
        )
    return {name: value for name, value in given.items() if name not in MEMORY}
