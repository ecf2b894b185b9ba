"""What happens around a tool's function: variables that it needs are looked for, its result is checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from jackstay.errors import ToolFailure
from jackstay.tools.arguments import problems_of
from jackstay.tools.variables import EnvVar, require
from jackstay.tools.wrapping import wrapped


def prepared(
    function: Callable[..., Any], name: str, result_schema: type[BaseModel] | None, variables: Sequence[EnvVar]
) -> Callable[..., Any]:
    """The function with its checks; itself if there are none. A check that fails raises `ToolFailure`."""
    if result_schema is None and not variables:
        return function
    return wrapped(
        function,
        before=lambda: require(variables, name),
        after=lambda result: _fitting(result, name, result_schema),
    )


def _fitting(result: Any, name: str, schema: type[BaseModel] | None) -> Any:
    """The result as the schema's object, from such an object, a dict or JSON text."""
    if schema is None or isinstance(result, ToolFailure | schema):
        return result
    try:
        return schema.model_validate_json(result) if isinstance(result, str | bytes) else schema.model_validate(result)
    except ValidationError as error:
        raise ToolFailure(
            f"the result of {name} does not fit {schema.__name__}: {problems_of(error, 'result')}",
            reason="invalid_result",
        ) from error
