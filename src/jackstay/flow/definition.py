"""A flow's definition as data: what `Flow.flow_definition()` returns, and the structure that other tools draw."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field
from pydantic_core import to_jsonable_python

from jackstay.core.feedback import FeedbackSpec
from jackstay.core.flow_graph import AllOf, AnyOf, Condition, Trigger, names_in
from jackstay.core.retry import Retry
from jackstay.flow.action_forms import Action, CodeAction, Form
from jackstay.flow.decorators import Mark

SCHEMA: Literal["crewai.flow/v1"] = "crewai.flow/v1"
When = str | dict[str, Any]
"""A method's name, a label, `{"or": […]}` or `{"and": […]}`, which nest."""


_USUAL = Retry()


class FeedbackDefinition(Form):
    """`@human_feedback` above the method. `provider`: who asks, by `module:name`."""

    message: str
    emit: list[str] | None = None
    llm: str | None = None
    default_outcome: str | None = None
    metadata: dict[str, Any] | None = None
    provider: str | None = None
    timeout_s: float | None = None


class RetryDefinition(Form):
    """`retry=` of the method; what is left out is as in `Retry`."""

    max_attempts: int = _USUAL.max_attempts
    backoff_s: float = _USUAL.backoff_s
    factor: float = _USUAL.factor
    max_s: float = _USUAL.max_s
    jitter: float = _USUAL.jitter


class MethodDefinition(Form):
    description: str | None = None
    do: Action
    start: bool | When | None = None
    """True: with the kickoff; a condition: then, too."""
    listen: When | None = None
    router: bool = False
    emit: list[str] | None = None
    """A router's labels, where they are known."""
    human_feedback: FeedbackDefinition | None = None
    retry: RetryDefinition | None = None
    persist: bool | None = None
    """The state is saved after it."""


class StateDefinition(Form):
    type: Literal["dict", "pydantic", "json_schema"]
    ref: str | None = None
    """The model, by `module:Class`."""
    json_schema: dict[str, Any] | None = None
    default: dict[str, Any] | None = None
    """With what it begins."""


class ConfigDefinition(Form):
    stream: bool = False
    max_method_calls: int = Field(default=100, ge=1)
    suppress_flow_events: bool | None = None
    tracing: bool | None = None


class FlowDefinition(Form):
    """A flow as data, in CrewAI's form. `to_dict`, `to_yaml` and `to_json` write it, `Flow.from_declaration` reads and runs it."""

    schema_: Literal["crewai.flow/v1"] = Field(default=SCHEMA, alias="schema")
    name: str = Field(min_length=1)
    description: str | None = None
    state: StateDefinition | None = None
    config: ConfigDefinition = Field(default_factory=ConfigDefinition)
    persist: bool | None = None
    """The state is saved after every method."""
    methods: dict[str, MethodDefinition]

    def to_dict(self) -> dict[str, Any]:
        """As JSON data, without what is not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def to_yaml(self) -> str:
        """As the text of a YAML file."""
        return str(yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True, width=120))

    def to_json(self) -> str:
        """As the text of a JSON file."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2)


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
        human_feedback=_feedback(mark.feedback),
        retry=None if mark.retry is None else _retry(mark.retry),
    )


def _feedback(spec: FeedbackSpec | None) -> FeedbackDefinition | None:
    if spec is None:
        return None
    return FeedbackDefinition(
        message=spec.message,
        emit=list(spec.emit) or None,
        llm=spec.llm.model if spec.llm is not None else None,
        default_outcome=spec.default_outcome,
        metadata=dict(spec.metadata) or None,
        timeout_s=spec.timeout_s,
    )


def _retry(retry: Retry) -> RetryDefinition:
    return RetryDefinition(**{name: getattr(retry, name) for name in RetryDefinition.model_fields})


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
        default = state.model_dump(mode="json") if isinstance(state, BaseModel) else None
        return StateDefinition(type="pydantic", ref=ref, json_schema=model.model_json_schema(), default=default)
    return StateDefinition(type="dict", default=_plain(state) if isinstance(state, Mapping) else None)


def _plain(state: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON data; what is none becomes its text."""
    plain: dict[str, Any] = to_jsonable_python(dict(state), fallback=str)
    return plain


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
