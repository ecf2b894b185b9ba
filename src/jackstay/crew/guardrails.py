"""A task's guardrails as users write them: what may be one, what it is called, how its verdict is read."""

from __future__ import annotations

import inspect
import typing
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from jackstay.core.canonical import canonical_json
from jackstay.core.results import OutputForm, Verdict
from jackstay.core.specs import GuardrailDef
from jackstay.crew.llm_guardrail import LLMGuardrail, verdict_of
from jackstay.crew.output import TaskOutput
from jackstay.errors import DefinitionError

_SHAPE = "(True, output), (True, text) or (False, what is wrong)"


def renamed_retries(given: Mapping[str, Any]) -> dict[str, Any]:
    """A task's arguments; the deprecated name of `guardrail_max_retries` is taken as that."""
    kept = dict(given)
    retries = kept.pop("max_retries", None)
    if retries is not None:
        text = "Task: max_retries= is called guardrail_max_retries= now"
        warnings.warn(text, DeprecationWarning, stacklevel=3)
        kept["guardrail_max_retries"] = retries
    return kept


def guardrail_list(given: Any) -> list[Any]:
    """One guardrail or several, as a list. A text is what a model judges by."""
    several = given if isinstance(given, list | tuple) else [given]
    return [LLMGuardrail(each) if isinstance(each, str) else each for each in several if each is not None]


def checked_guardrail(guardrail: Any) -> Any:
    """The function, if it can be a guardrail; else `ValueError` says why not."""
    if isinstance(guardrail, LLMGuardrail):
        return guardrail
    if not callable(guardrail):
        raise ValueError(f"{guardrail!r} is no function; a guardrail takes the task's output and returns {_SHAPE}")
    try:
        parameters = inspect.signature(guardrail).parameters.values()
    except (TypeError, ValueError):  # a builtin without a signature
        return guardrail
    required = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    takes_output = any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL) for p in parameters)
    if len(required) > 1 or not takes_output or any(p.kind is p.KEYWORD_ONLY for p in required):
        raise ValueError(f"the guardrail '{guardrail_name(guardrail)}' has to take one argument, the task's output")
    returned = _annotation(guardrail)
    if returned is not None and not _is_verdict(returned):
        raise ValueError(
            f"the guardrail '{guardrail_name(guardrail)}' is annotated to return {returned}; it returns tuple[bool, Any]: {_SHAPE}"
        )
    return guardrail


def guardrail_name(guardrail: Any) -> str:
    """What messages, paths and the fingerprint call it: the same in every process."""
    while isinstance(guardrail, partial):
        guardrail = guardrail.func
    name = getattr(guardrail, "__name__", None) or type(guardrail).__name__
    return "lambda" if name == "<lambda>" else str(name)


def guardrail_def(guardrail: Callable[..., Any]) -> GuardrailDef:
    name = guardrail_name(guardrail)
    if isinstance(guardrail, LLMGuardrail):
        return GuardrailDef(name, guardrail, verdict_of, guardrail.judge())
    return GuardrailDef(name, guardrail, partial(_read, name))


def _read(name: str, returned: Any) -> Verdict:
    match returned:
        case (False, said):
            return Verdict(passed=False, error=str(said) if said else "it does not pass, and no reason was given")
        case (True, str() as text):
            return Verdict(passed=True, raw=text)
        case (True, TaskOutput() as output):
            form, data = _structured(name, output)
            return Verdict(passed=True, raw=output.raw, form=form, data=data)
        case (True, said) if said is not None:
            return Verdict(passed=True)
    raise DefinitionError(f"the guardrail '{name}' returned {returned!r}; it has to return {_SHAPE}")


def _structured(name: str, output: TaskOutput) -> tuple[OutputForm, Any]:
    if output.pydantic is not None:
        return "pydantic", output.pydantic.model_dump(mode="json")
    if output.json_dict is None:
        return "raw", None
    try:
        canonical_json(output.json_dict)
    except (TypeError, ValueError) as error:
        raise DefinitionError(
            f"the guardrail '{name}' returned an output whose json_dict is no JSON: {error}; return plain values"
        ) from error
    return "json", output.json_dict


def _annotation(guardrail: Any) -> Any:
    function = guardrail if inspect.isroutine(guardrail) else getattr(guardrail, "__call__", guardrail)  # noqa: B004 - its annotations are wanted, not whether it can be called
    try:
        return typing.get_type_hints(function).get("return")
    except (NameError, TypeError, AttributeError):  # names that exist for type checkers only
        return None


def _is_verdict(returned: Any) -> bool:
    if returned is Any or returned is tuple:
        return True
    inside = typing.get_args(returned)
    return typing.get_origin(returned) is tuple and len(inside) == 2 and inside[0] is bool
