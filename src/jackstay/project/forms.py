"""What may stand in a section of agents.yaml and tasks.yaml: which keys, of which type, and which of them are names of
members of the class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from jackstay.crew import Agent, ConditionalTask, accepted
from jackstay.project.members import Kind


@dataclass(frozen=True, slots=True)
class Reference:
    """A key whose value names members of the class."""

    kinds: tuple[Kind, ...]
    """What they have to be; empty: any method, which is called later."""
    several: bool = False
    """A list of names. (One name stands for a list of one.)"""
    or_text: bool = False
    """What no member is called is taken as it is: a model's name, a guardrail in words, a fallback's text."""


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of section."""

    word: str
    model: type[BaseModel]
    references: Mapping[str, Reference]
    keys: frozenset[str]

    def problem(self, key: str, value: Any) -> str | None:
        """What is wrong with the value of a key that names no members."""
        if key not in self.model.model_fields:
            return None  # accepted, and without effect
        try:
            _adapter(self.model, key).validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            # What YAML takes for a number, a day, or, in braces, for a mapping.
            quoted = "; write it in quotes" if first["type"] == "string_type" else ""
            return first["msg"].removeprefix("Value error, ") + quoted
        return None


def nearest(name: str, known: Mapping[str, Any] | frozenset[str] | list[str]) -> str:
    """A sentence with the name that was probably meant, or with all of them."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"there is {', '.join(names)}" if names else "there is none"


@lru_cache(maxsize=256)
def _adapter(model: type[BaseModel], key: str) -> TypeAdapter[Any]:
    """A field's own check, without those that look at the whole object."""
    info = model.model_fields[key]
    annotation: Any = info.annotation
    for constraint in info.metadata:
        annotation = Annotated[annotation, constraint]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return TypeAdapter(annotation)  # has a configuration of its own
    return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))


_GIVEN_BY_US = frozenset({"id", "config", "output"})
_FUNCTION = Reference(())
_FUNCTIONS = Reference((), several=True)
_JUDGES = Reference((), several=True, or_text=True)

AGENT = Form(
    "agent",
    Agent,
    {
        "llm": Reference((Kind.llm,), several=True, or_text=True),
        "function_calling_llm": Reference((Kind.llm,), or_text=True),
        "tools": Reference((Kind.tool,), several=True),
        "step_callback": _FUNCTION,
        "callbacks": _FUNCTIONS,
        "cache_handler": Reference((Kind.cache_handler,)),
        "guardrail": _JUDGES,
    },
    (frozenset(Agent.model_fields) | accepted.AGENT) - _GIVEN_BY_US,
)
TASK = Form(
    "task",
    ConditionalTask,
    {
        "agent": Reference((Kind.agent,)),
        "context": Reference((Kind.task,), several=True),
        "tools": Reference((Kind.tool,), several=True),
        "callback": _FUNCTION,
        "callbacks": _FUNCTIONS,
        "output_json": Reference((Kind.output_json,)),
        "output_pydantic": Reference((Kind.output_pydantic,)),
        "response_model": Reference((Kind.output_pydantic, Kind.output_json)),
        "guardrail": _JUDGES,
        "guardrails": _JUDGES,
        "condition": _FUNCTION,
        "fallback": Reference((Kind.agent,), or_text=True),
    },
    (frozenset(ConditionalTask.model_fields) | accepted.TASK | {"callbacks", "max_retries"}) - _GIVEN_BY_US,
)
