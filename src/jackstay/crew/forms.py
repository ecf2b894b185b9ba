"""From a pydantic model to the form that a structured answer has to have."""

from __future__ import annotations

import json
import re

from pydantic import BaseModel, ValidationError

from jackstay.core.messages import OutputSchema
from jackstay.core.specs import OutputSpec

_OBJECT = re.compile(r"\{.*\}", re.DOTALL)


def is_form(given: object) -> bool:
    return isinstance(given, type) and issubclass(given, BaseModel)


def output_form(model: type[BaseModel] | None, *, json_form: bool) -> OutputSpec | None:
    """The form that an answer has to have for this model; None: any text."""
    if model is None:
        return None

    def parse(text: str) -> BaseModel:
        try:
            return model.model_validate_json(_json_in(text), strict=False)
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'answer'}: {e['msg']}" for e in error.errors())
            raise ValueError(problems) from error

    return OutputSpec(
        schema=OutputSchema(model.__name__, model.model_json_schema(), model.__doc__ or ""),
        parse=parse,
        form="json" if json_form else "pydantic",
        dump=lambda value: value.model_dump(mode="json"),
        # What was dumped has the fields' own names, whatever alias the model reads them by.
        load=lambda data: model.model_validate(data, by_alias=True, by_name=True),
    )


def _json_in(text: str) -> str:
    """The JSON in an answer that may have a code fence or a sentence around it, or raw line breaks in its strings."""
    found = _OBJECT.search(text)
    for part in (text, found[0] if found else ""):
        try:
            lenient = json.loads(part, strict=False)
        except ValueError:
            continue
        try:
            json.loads(part)
        except ValueError:
            return json.dumps(lenient, ensure_ascii=False)
        return part  # as it was written: a Decimal's digits do not pass through a float
    return found[0] if found else text
