"""`Flow.from_declaration`: a flow's YAML or JSON read, and made into a class like those that are written in Python.

From there on nothing is special about it: it runs, is recorded, resumed and drawn as any other flow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from jackstay.core.flow_graph import AllOf, AnyOf, Condition, FlowGraph, Trigger, problems
from jackstay.core.retry import Retry
from jackstay.core.yaml_document import Document, Place, parse, parse_json
from jackstay.errors import DefinitionError
from jackstay.flow import action_forms
from jackstay.flow.actions import Made, made_of
from jackstay.flow.decorators import labels_of, mark_of, marked, method_spec
from jackstay.flow.definition import (
    ConfigDefinition,
    FeedbackDefinition,
    FlowDefinition,
    MethodDefinition,
    RetryDefinition,
    StateDefinition,
    When,
)
from jackstay.flow.flow import Flow
from jackstay.flow.human_feedback import DEFAULT_LLM, human_feedback
from jackstay.flow.inline import is_reference, model_at
from jackstay.flow.persistence import persist
from jackstay.flow.reference import found
from jackstay.flow.state_schema import model_of
from jackstay.project.forms import nearest
from jackstay.project.sections import read_document

Given = str | Path | Mapping[str, Any] | FlowDefinition
_NAME = re.compile(r"[A-Za-z_]\w*")
_INLINE = "the declaration"


def document_of(given: Given | None, contents: str | Mapping[str, Any] | None, path: str | Path | None) -> Document:
    """What was given, as a document. A text of one line that is no JSON is a file's path."""
    if sum(each is not None for each in (given, contents, path)) != 1:
        raise DefinitionError("from_declaration: give one of a declaration, contents= or path=")
    if isinstance(given, Path) or (isinstance(given, str) and not _is_contents(given)):
        path = given
    elif given is not None:
        contents = given.to_dict() if isinstance(given, FlowDefinition) else given
    if path is not None:
        return read_document(Path(path).absolute(), str(path))
    if isinstance(contents, str):
        return (parse_json if contents.lstrip().startswith("{") else parse)(contents, _INLINE)
    if isinstance(contents, Mapping):
        return Document(_INLINE, dict(contents))
    raise DefinitionError(f"from_declaration: {contents!r:.60} is no path, text, dict or FlowDefinition")


def _is_contents(text: str) -> bool:
    return "\n" in text or text.lstrip().startswith("{")


def definition_in(document: Document) -> FlowDefinition:
    """Raises `DefinitionError` with file, line and key."""
    if not isinstance(document.content, Mapping):
        raise document.mistake((), "it is no flow; it begins with schema: crewai.flow/v1, and has a name and methods")
    try:
        return FlowDefinition.model_validate(document.content)
    except ValidationError as error:
        raise _mistake(document, error.errors()) from error


def class_of(document: Document, base: type[Flow[Any]]) -> type[Flow[Any]]:
    """The class that a declaration describes. Imports the code that it names, and makes its crews and agents."""
    definition = definition_in(document)
    made: dict[str, Made] = {}
    members: dict[str, Any] = {}
    for name, section in definition.methods.items():
        place = ("methods", name)
        if not _NAME.fullmatch(name):
            raise document.mistake(place, "is no name of a method; write letters, digits and _")
        made[name] = made_of(section.do, document, (*place, "do"))
        members[name] = _method(name, section, made[name], document, place)
    _check(members, document)
    bases = _bases(made, base)
    settings = {**_settings(definition, made, document), "_functions": members}
    cls = type(definition.name, bases, {**{n: m for n, m in members.items() if not hasattr(Flow, n)}, **settings})
    return persist()(cls) if definition.persist else cls


def _settings(definition: FlowDefinition, made: Mapping[str, Made], document: Document) -> dict[str, Any]:
    """The class's attributes besides its methods."""
    settings = {name: getattr(definition.config, name) for name in definition.config.model_fields_set}
    if definition.state is not None:
        settings["initial_state"] = _state(definition.state, document, ("state",))
    return settings | {
        "__module__": __name__,
        "__doc__": definition.description,
        "name": definition.name,
        "_declared": definition,
        "_models": tuple(model for each in made.values() for model in each.models),
        "_modules": tuple(dict.fromkeys(_modules_in(definition.to_dict()))),
    }


def _modules_in(value: Any) -> Iterator[str]:
    """Of everything that is named in it: what a method returns may be of a class from there."""
    if is_reference(value):
        name = value if isinstance(value, str) else str(value["python"])
        yield name.partition(":")[0] if ":" in name else name.rpartition(".")[0]
    elif isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _modules_in(each)


def _bases(made: Mapping[str, Made], base: type[Flow[Any]]) -> tuple[type, ...]:
    """Flows whose methods are its methods are its bases: these call others of theirs."""
    owners = [
        each.code.owner
        for each in made.values()
        if each.code is not None and isinstance(each.code.owner, type) and issubclass(each.code.owner, Flow)
    ]
    classes = list(dict.fromkeys([base, *owners]))
    return tuple(c for c in classes if not any(other is not c and issubclass(other, c) for other in classes))


# --- methods ----------------------------------------------------------------------------------------------------------


def _method(name: str, section: MethodDefinition, made: Made, document: Document, place: Place) -> Any:
    method = _function(made)
    code = made.code.value if made.code is not None else None
    known = mark_of(code)
    method.__dict__.update(getattr(code, "__dict__", {}))
    method.__name__, method.__qualname__, method.__doc__ = name, name, section.description
    method.__declared__ = yaml.safe_dump(
        {name: section.model_dump(mode="json", by_alias=True, exclude_none=True)}, sort_keys=False, allow_unicode=True
    )
    emits = None if section.emit is None else tuple(section.emit)
    if emits is None and section.router and code is not None:
        emits = known.emits if known is not None else labels_of(code)
    marked(
        method,
        start=bool(section.start),
        condition=_condition(section, document, place),
        router=section.router,
        emits=emits,
        takes=made.takes,
        **({"retry": _retry(section.retry, document, place)} if section.retry is not None else {}),
    )
    if section.emit is not None and not section.router and section.human_feedback is None:
        raise document.mistake((*place, "emit"), "is what routers return; add router: true")
    if section.persist:
        persist()(method)
    if section.human_feedback is not None:
        _asks(method, section.human_feedback, document, (*place, "human_feedback"))
    return method


def _function(made: Made) -> Any:
    """With the signature of a method that was written in Python: the engine looks at it."""
    if made.is_async and made.takes:

        async def takes_and_awaits(self: Flow[Any], value: Any) -> Any:
            return await made.call(self, _names(self), value)

        return takes_and_awaits
    if made.is_async:

        async def awaits(self: Flow[Any]) -> Any:
            return await made.call(self, _names(self))

        return awaits
    if made.takes:
        return lambda self, value: made.call(self, _names(self), value)
    return lambda self: made.call(self, _names(self))


def _names(flow: Flow[Any]) -> dict[str, Any]:
    return {"state": flow.state, "outputs": flow._returned}


def _condition(section: MethodDefinition, document: Document, place: Place) -> Condition | None:
    if section.start is not None and section.listen is not None:
        raise document.mistake((*place, "listen"), "stands beside start; a start with a condition is start: condition")
    if section.listen is not None:
        return _read(section.listen, document, (*place, "listen"))
    if section.start is None or section.start is False:
        raise document.mistake(place, "has neither start nor listen, so that it never runs; add start: true or listen")
    return None if section.start is True else _read(section.start, document, (*place, "start"))


def _read(when: When | Any, document: Document, place: Place) -> Condition:
    if isinstance(when, str) and when:
        return Trigger(when)
    if isinstance(when, Mapping) and len(when) == 1:
        (word, parts), *_ = when.items()
        if word in ("or", "and") and isinstance(parts, list) and parts:
            read = tuple(_read(part, document, (*place, str(word), str(n))) for n, part in enumerate(parts))
            return AnyOf(read) if word == "or" else AllOf(read)
    raise document.mistake(
        place, f"is {when!r:.60}; write a method's name, a label, or: [a, b] or and: [a, b] (in braces inside a list)"
    )


def _retry(section: RetryDefinition, document: Document, place: Place) -> Retry:
    try:
        return Retry(**section.model_dump())
    except ValueError as error:
        raise document.mistake((*place, "retry"), f"cannot be: {error}") from error


def _asks(method: Any, section: FeedbackDefinition, document: Document, place: Place) -> None:
    """A provider and a model that the code says stay the code's: a declaration has only their names."""
    mark = mark_of(method)
    coded = mark.feedback if mark is not None else None
    provider = coded.provider if coded is not None else None
    if section.provider is not None:
        given = found(section.provider, document, (*place, "provider")).value
        provider = given() if isinstance(given, type) else given
    llm: Any = section.llm or DEFAULT_LLM
    if coded is not None and coded.llm is not None and coded.llm.model == llm:
        llm = method.__human_feedback_config__.llm
    said = section.model_dump(exclude={"provider", "llm"}, exclude_none=True)
    try:
        human_feedback(**said, llm=llm, provider=provider)(method)
    except DefinitionError as error:
        raise document.mistake(place, f"does not fit: {error}") from error


def _check(members: Mapping[str, Any], document: Document) -> None:
    """What is wrong with who listens to whom, said of the method that is wrong."""
    specs = {}
    for name, method in members.items():
        mark = mark_of(method)
        assert mark is not None
        specs[name] = method_spec(name, method, mark)
    for problem in problems(FlowGraph(specs, 1)):
        name, _, what = problem.partition(" ")
        known = name in specs and what
        raise document.mistake(
            ("methods", name) if known else ("methods",), what if known else f"do not run: {problem}"
        )


# --- state ------------------------------------------------------------------------------------------------------------


def _state(section: StateDefinition, document: Document, place: Place) -> Any:
    if section.type == "dict":
        return dict if section.default is None else dict(section.default)
    if section.type == "pydantic" and section.ref is not None:
        model = model_at(section.ref, document, (*place, "ref"))
    elif section.json_schema is not None:
        model = model_of(section.json_schema, document, (*place, "json_schema"))
    else:
        needed = "ref: module:Class" if section.type == "pydantic" else "json_schema:"
        raise document.mistake(place, f"has the type {section.type} and no {needed}")
    if section.default is None:
        return model
    try:
        made: BaseModel = model.model_validate(section.default)
        return made
    except ValidationError as error:
        first = error.errors()[0]
        at = (*place, "default", *(str(part) for part in first["loc"]))
        raise document.mistake(at, f"is {first['input']!r:.60}: {first['msg']}") from error


# --- mistakes -----------------------------------------------------------------------------------------------------------

_FORMS: Mapping[str, type[BaseModel]] = {
    "state": StateDefinition,
    "config": ConfigDefinition,
    "human_feedback": FeedbackDefinition,
    "retry": RetryDefinition,
    "code": action_forms.CodeAction,
    "tool": action_forms.ToolAction,
    "crew": action_forms.CrewAction,
    "agent": action_forms.AgentAction,
    "expression": action_forms.ExpressionAction,
    "each": action_forms.EachAction,
}


def _mistake(document: Document, errors: Any) -> DefinitionError:
    """The first of pydantic's errors, at its place in the document. (Tags of unions stand in pydantic's, and not there.)"""
    error = min(errors, key=lambda each: each["type"] != "extra_forbidden")
    loc, place, content = list(error["loc"]), list[str](), document.content
    for part in loc:
        inside = (
            part in content if isinstance(content, Mapping) else isinstance(content, list) and isinstance(part, int)
        )
        if inside:
            place.append(str(part))
            content = content[part]
    match error["type"]:
        case "missing":
            return document.mistake(tuple(place), f"has no {loc[-1]}" if place else f"the flow has no {loc[-1]}")
        case "extra_forbidden":
            form = _form_at([str(part) for part in loc[:-1]])
            known = [field.alias or name for name, field in form.model_fields.items()]
            return document.mistake(tuple(place), f"means nothing here; {nearest(str(loc[-1]), known)}")
        case "union_tag_not_found":
            return document.mistake(tuple(place), f"has no call; it is one of {', '.join(_ACTIONS)}")
        case "union_tag_invalid":
            return document.mistake(
                (*place, "call"), f"is {error['ctx']['tag']!r}; {nearest(error['ctx']['tag'], list(_ACTIONS))}"
            )
        case "model_type" | "dict_type" | "model_attributes_type":
            return document.mistake(tuple(place), f"is {error['input']!r:.60}; write keys below it")
    if loc[-1] == "[key]":
        return document.mistake(tuple(place[:-1]), f"has the key {error['input']!r}; put it in quotes, to be a name")
    return document.mistake(tuple(place), f"is {error['input']!r:.60}: {error['msg']}")


_ACTIONS = ("code", "tool", "crew", "agent", "expression", "each")


def _form_at(loc: list[str]) -> type[BaseModel]:
    if not loc:
        return FlowDefinition
    if loc[-1] in _FORMS and not (len(loc) == 2 and loc[0] == "methods"):
        return _FORMS[loc[-1]]
    return action_forms.EachStep if loc[-1].isdigit() else MethodDefinition
