"""A flow's definition as data: what `Flow.flow_definition()` returns, and the structure that other tools draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jackstay.core.flow_graph import AllOf, AnyOf, Condition, Trigger, names_in
from jackstay.flow.decorators import Mark

SCHEMA: Literal["crewai.flow/v1"] = "crewai.flow/v1"
When = str | dict[str, Any]
"""A method's name, a label, `{"or": […]}` or `{"and": […]}`, which nest."""


class CodeAction(BaseModel):
    """A Python function, by `module:Class.method`."""

    call: Literal["code"] = "code"
    ref: str


class MethodDefinition(BaseModel):
    description: str | None = None
    do: CodeAction
    start: bool | When | None = None
    """True: with the kickoff; a condition: then, too."""
    listen: When | None = None
    router: bool = False
    emit: list[str] | None = None
    """A router's labels, where they are known."""


class StateDefinition(BaseModel):
    type: Literal["dict", "pydantic"]
    ref: str | None = None
    """The model, by `module:Class`."""
    json_schema: dict[str, Any] | None = None


class ConfigDefinition(BaseModel):
    stream: bool = False
    max_method_calls: int = 100


class FlowDefinition(BaseModel):
    """A flow as data, in CrewAI's form. `to_dict()` and `model_dump_json(by_alias=True)` write it, `model_validate` reads it."""

    model_config = ConfigDict(populate_by_name=True)

    schema_: Literal["crewai.flow/v1"] = Field(default=SCHEMA, alias="schema")
    name: str
    description: str | None = None
    state: StateDefinition | None = None
    config: ConfigDefinition = Field(default_factory=ConfigDefinition)
    methods: dict[str, MethodDefinition]

    def to_dict(self) -> dict[str, Any]:
        """As JSON data, without what is not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def definition_of(cls: type, marks: Mapping[str, Mark], state: Any, config: ConfigDefinition) -> FlowDefinition:
    """`state`: what a flow of the class begins with, as it was said."""
    return FlowDefinition(
        name=getattr(cls, "name", None) or cls.__name__,
        description=_text(cls.__dict__.get("__doc__")),
        state=_state(state),
        config=config,
        methods={name: _method(cls, name, mark) for name, mark in marks.items()},
    )


def structure_of(definition: FlowDefinition) -> dict[str, Any]:
    """Nodes and edges, in the form of CrewAI's `build_flow_structure`."""
    methods = definition.methods
    nodes = {name: _node(definition.name, method) for name, method in methods.items()}
    edges = [
        {"source": source, "target": name, "condition_type": kind, "is_router_event": label is not None}
        | ({"router_path_label": label} if label is not None else {})
        for name, method in methods.items()
        if (when := _when(method)) is not None
        for source, kind, label in _sources(methods, when)
    ]
    return {
        "nodes": nodes,
        "edges": edges,
        "start_methods": [name for name, method in methods.items() if method.start],
        "router_methods": [name for name, method in methods.items() if method.router],
    }


def _method(cls: type, name: str, mark: Mark) -> MethodDefinition:
    function = getattr(cls, name)
    condition = None if mark.condition is None else _written(mark.condition)
    return MethodDefinition(
        description=_text(function.__doc__),
        do=CodeAction(ref=f"{cls.__module__}:{cls.__qualname__}.{name}"),
        start=(condition or True) if mark.start else None,
        listen=None if mark.start else condition,
        router=mark.router,
        emit=list(mark.emits) if mark.emits is not None else None,
    )


def _written(condition: Condition) -> When:
    match condition:
        case Trigger(name):
            return name
        case AnyOf(parts):
            return {"or": [_written(part) for part in parts]}
        case AllOf(parts):
            return {"and": [_written(part) for part in parts]}


def _state(state: Any) -> StateDefinition:
    model = state if isinstance(state, type) else type(state)
    if issubclass(model, BaseModel):
        ref = f"{model.__module__}:{model.__qualname__}"
        return StateDefinition(type="pydantic", ref=ref, json_schema=model.model_json_schema())
    return StateDefinition(type="dict")


def _text(doc: str | None) -> str | None:
    return " ".join(doc.split()) if doc else None


# --- as nodes and edges ------------------------------------------------------------------------------------------------


def _when(method: MethodDefinition) -> When | None:
    return method.listen if method.listen is not None else method.start if not isinstance(method.start, bool) else None


def _read(when: When) -> Condition:
    if isinstance(when, str):
        return Trigger(when)
    (word, parts), *_ = when.items()
    return (AllOf if word == "and" else AnyOf)(tuple(_read(part) for part in parts))


def _node(flow: str, method: MethodDefinition) -> dict[str, Any]:
    kind = "router" if method.router else "start" if method.start else "listen"
    node: dict[str, Any] = {"type": kind, "class_name": flow}
    if method.router:
        node["is_router"] = True
        if method.emit:
            node["router_events"] = list(method.emit)
    when = _when(method)
    if when is not None:
        condition = _read(when)
        node["condition_type"] = "AND" if isinstance(condition, AllOf) else "OR"
        node["trigger_methods"] = list(dict.fromkeys(names_in(condition)))
    return node


def _sources(methods: Mapping[str, MethodDefinition], when: When) -> list[tuple[str, str, str | None]]:
    condition = _read(when)
    kind = "AND" if isinstance(condition, AllOf) else "OR"
    found: list[tuple[str, str, str | None]] = []
    for name in dict.fromkeys(names_in(condition)):
        if name in methods:
            found.append((name, kind, None))
        else:
            found += [(source, kind, name) for source, each in methods.items() if name in (each.emit or ())]
    return found
