"""Tools of other libraries, by their shape: a name, a description and something to call. LangChain's are such; nothing of
it is imported."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from jackstay.tools.arguments import ArgsSchema
from jackstay.tools.wrapping import wrapped

_THEIRS = frozenset({"callbacks", "config", "run_manager"})
"""Parameters that LangChain fills in, and no model."""


def fields_of(given: Any) -> dict[str, Any] | None:
    """What of a foreign tool becomes of a tool of ours (`FunctionTool`); None: it is none."""
    name, found = getattr(given, "name", None), _callable_of(given)
    if not isinstance(name, str) or found is None:
        return None
    function, schema = found
    if getattr(given, "response_format", None) == "content_and_artifact":
        function = wrapped(function, after=_content_of)
    return {
        "name": name,
        "description": str(getattr(given, "description", "") or name),
        "func": function,
        "args_schema": schema,
        "side_effect": getattr(given, "side_effect", None),
        "result_as_answer": bool(getattr(given, "return_direct", False) or getattr(given, "result_as_answer", False)),
    }


def _callable_of(given: Any) -> tuple[Callable[..., Any], ArgsSchema | None] | None:
    """What to call, with its arguments as keywords, and their schema; None: as the signature says."""
    schema = _schema_of(given)
    for attribute in ("func", "coroutine", "_run"):
        function = getattr(given, attribute, None)
        if callable(function):
            return (function, schema) if schema is not None else (_without_theirs(function), None)
    invoke = getattr(given, "invoke", None)
    if callable(invoke):
        return _invoking(invoke, has_schema=schema is not None), schema
    run = getattr(given, "run", None)
    return (run, schema) if callable(run) else None


def _schema_of(given: Any) -> ArgsSchema | None:
    schema = getattr(given, "args_schema", None)
    if isinstance(schema, dict):
        return schema
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return schema
    # A class of pydantic 1, which some of LangChain's tools still have.
    described = getattr(schema, "schema", None) if isinstance(schema, type) else None
    made = described() if callable(described) else None
    return made if isinstance(made, dict) else None


def _without_theirs(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same to call, with a signature that has only what a model gives."""
    signature = inspect.signature(function, eval_str=True)
    kept = [each for each in signature.parameters.values() if each.name not in _THEIRS]
    if len(kept) == len(signature.parameters):
        return function
    made = wrapped(function)
    made.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
    return made


def _invoking(invoke: Callable[[Any], Any], *, has_schema: bool) -> Callable[..., Any]:
    if has_schema:
        return lambda **arguments: invoke(arguments)

    def call(input: str) -> Any:
        return invoke(input)

    return call


def _content_of(result: Any) -> Any:
    """Of a result in two parts, the one that is meant for the model."""
    content, _ = result
    return content
