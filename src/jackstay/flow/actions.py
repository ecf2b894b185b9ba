"""What the actions of a declared flow do, as functions that take the flow and what the method is given: methods of its class.

All that can be wrong with one is said when it is made: nothing has been run then, and nothing spent.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from jackstay.core.expression import Names
from jackstay.core.feedback import shown
from jackstay.core.specs import ModelConfig
from jackstay.core.yaml_document import Document, Place
from jackstay.crew import Agent, Crew
from jackstay.crew.running import models_of
from jackstay.errors import DefinitionError
from jackstay.flow.action_forms import (
    Action,
    AgentAction,
    CodeAction,
    CrewAction,
    EachAction,
    EachStep,
    ExpressionAction,
    ScriptAction,
    ToolAction,
)
from jackstay.flow.inline import agent_of, crew_of, model_at
from jackstay.flow.reference import Found, found
from jackstay.flow.templates import expression_at, presentable, template_at
from jackstay.project import crew_base
from jackstay.project.forms import AGENT, nearest
from jackstay.tools.base_tool import BaseTool

ROOTS = ("state", "outputs")
_FLOW = ("self", "flow")
"""A function whose first parameter is called so is given the flow."""


@dataclass(frozen=True, slots=True)
class Made:
    """`call(flow, names, *given)`: `given` is what the method is given, if `takes`."""

    call: Callable[..., Any]
    takes: bool = False
    is_async: bool = False
    code: Found | None = None
    """The function behind it."""
    models: tuple[tuple[ModelConfig, str], ...] = ()
    """Which models it asks, and who asks."""
    is_step: bool = False
    """Where it is one of many (`each`) its result is recorded by itself. (Crews and agents record theirs.)"""


def made_of(action: Action, document: Document, place: Place, roots: tuple[str, ...] = ROOTS) -> Made:
    """Raises `DefinitionError` with file, line and key."""
    match action:
        case CodeAction():
            return _code(action, document, place, roots)
        case ToolAction():
            return _tool(action, document, place, roots)
        case CrewAction():
            return _crew(action, document, place, roots)
        case AgentAction():
            return _agent(action, document, place, roots)
        case ExpressionAction():
            expression = expression_at(action.expr, roots, document, (*place, "expr"))
            return Made(lambda _, names: expression.evaluate(names))
        case EachAction():
            return _each(action, document, place)
        case ScriptAction():
            what = (
                "is a script, and code in declarations is not executed; put it into a function of a module and write "
                "call: code, ref: module:function"
            )
            raise document.mistake((*place, "call"), what)
        case _:
            assert_never(action)


# --- code ----------------------------------------------------------------------------------------------------------


def _code(action: CodeAction, document: Document, place: Place, roots: tuple[str, ...]) -> Made:
    at = (*place, "ref")
    code = found(action.ref, document, at)
    if not callable(code.value):
        raise document.mistake(at, f"is {action.ref!r}, which is no function but {code.value!r:.60}")
    parameters = _positional(code, document, at)
    is_method = _is_method(code) or (bool(parameters) and parameters[0] in _FLOW)
    rest = parameters[is_method:]
    is_async = inspect.iscoroutinefunction(code.value)
    function = code.value
    if action.with_ is None:

        def call(flow: Any, _: Names, *given: Any) -> Any:
            return function(*([flow] if is_method else []), *given)

        return Made(call, bool(rest), is_async, code, is_step=True)
    filled = template_at(action.with_, roots, document, (*place, "with"))
    _check_arguments(code, action.with_, is_method, document, (*place, "with"))

    def call_with(flow: Any, names: Names) -> Any:
        return function(*([flow] if is_method else []), **filled(names))

    return Made(call_with, is_async=is_async, code=code, is_step=True)


def _is_method(code: Found) -> bool:
    """Found in a class, and called with an object of it."""
    if not isinstance(code.owner, type):
        return False
    static = inspect.getattr_static(code.owner, code.name.rpartition(".")[2])
    return not isinstance(static, staticmethod | classmethod)


def _positional(code: Found, document: Document, place: Place) -> list[str]:
    try:
        parameters = inspect.signature(code.value).parameters.values()
    except (TypeError, ValueError) as error:
        raise document.mistake(place, f"cannot be called so: {error}; write a function around it") from error
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _check_arguments(code: Found, given: Mapping[str, Any], is_method: bool, document: Document, place: Place) -> None:
    try:
        inspect.signature(code.value).bind(*([None] if is_method else []), **given)
    except TypeError as error:
        raise document.mistake(place, f"does not fit {code.module}:{code.name}: {error}") from error


# --- tools, crews, agents --------------------------------------------------------------------------------------------


def _tool(action: ToolAction, document: Document, place: Place, roots: tuple[str, ...]) -> Made:
    at = (*place, "ref")
    given = found(action.ref, document, at).value
    try:
        tool = given() if isinstance(given, type) else given
    except Exception as error:
        raise document.mistake(at, f"is {action.ref!r}, which cannot be made without arguments: {error}") from error
    if not isinstance(tool, BaseTool):
        raise document.mistake(at, f"is {action.ref!r}, which is no tool; for a function write call: code")
    if tool.side_effect:
        # Called here it has no intent: after a crash it would be called again, and nobody asked.
        what = (
            f"is {action.ref!r}, which acts on the world (side_effect=True); only agents call such a tool once or ask: "
            "give it to one (call: agent, with: tools:)"
        )
        raise document.mistake(at, what)
    filled = template_at(action.with_, roots, document, (*place, "with"))
    _check_tool(tool, action.with_, document, (*place, "with"))
    return Made(lambda _, names: tool.run(**filled(names)), is_step=True)


def _check_tool(tool: BaseTool, given: Mapping[str, Any], document: Document, place: Place) -> None:
    parameters = tool.to_def().spec.parameters
    known = parameters.get("properties", {})
    unknown = [name for name in given if name not in known]
    missing = [name for name in parameters.get("required", ()) if name not in given]
    if unknown:
        raise document.mistake(
            (*place, unknown[0]), f"is no argument of the tool {tool.name!r}; it takes {', '.join(known) or 'none'}"
        )
    if missing:
        raise document.mistake(place, f"has no {', '.join(missing)}, which the tool {tool.name!r} needs")


def _crew(action: CrewAction, document: Document, place: Place, roots: tuple[str, ...]) -> Made:
    if (action.ref is None) == (action.with_ is None):
        raise document.mistake(place, "is a crew: say which, with ref: module:name or described below with:, not both")
    described = dict(action.with_ or {})
    # CrewAI has them in both places.
    inputs = {**(described.pop("inputs", None) or {}), **(action.inputs or {})}
    where = (*place, "inputs") if action.inputs else (*place, "with", "inputs")
    filled = template_at(inputs, roots, document, where)
    if action.ref is None:
        crew = crew_of(described, document, (*place, "with"))
    else:
        crew = _crew_in(action.ref, document, (*place, "ref"))

    def call(_: Any, names: Names) -> Any:
        return crew.kickoff(inputs={name: presentable(value) for name, value in filled(names).items()})

    return Made(call, models=models_of(crew))


def _crew_in(reference: str, document: Document, place: Place) -> Crew:
    """A crew, a project's class, or what a function without arguments returns."""
    value = found(reference, document, place).value
    try:
        if crew_base.is_project(value):
            value = crew_base.crew_of(value)
        elif inspect.isfunction(value):
            value = value()
    except DefinitionError:
        raise
    except Exception as error:
        raise document.mistake(place, f"is {reference!r}, which cannot be made: {error}") from error
    if isinstance(value, Crew):
        return value
    raise document.mistake(place, f"is {reference!r}, which is no crew but {value!r:.60}")


def _agent(action: AgentAction, document: Document, place: Place, roots: tuple[str, ...]) -> Made:
    at = (*place, "with")
    described = dict(action.with_)
    known = AGENT.keys | {"input", "response_format"}
    strange = next((key for key in described if key not in known), None)
    if strange is not None:
        raise document.mistake((*at, strange), f"is nothing that an agent has; {nearest(strange, known)}")
    if "input" not in described:
        raise document.mistake(at if described else place, "has no input; write with: input: what the agent is asked")
    if not isinstance(described["input"], str):
        raise document.mistake((*at, "input"), f"is {described['input']!r:.60}; write a text, or ${{an expression}}")
    filled = template_at(described.pop("input"), roots, document, (*at, "input"))
    form = described.pop("response_format", None)
    answer = None if form is None else model_at(form, document, (*at, "response_format"))
    if action.ref is None:
        agent = agent_of(described, document, at)
    else:
        agent = _agent_in(action.ref, document, (*place, "ref"))
        if described:
            name = next(iter(described))
            raise document.mistake((*at, name), f"is said of an agent that is named by ref; say it at {action.ref}")

    def call(_: Any, names: Names) -> Any:
        asked = filled(names)
        return agent.kickoff(asked if isinstance(asked, str) else shown(asked), answer)

    return Made(call, models=agent.model_asked)


def _agent_in(reference: str, document: Document, place: Place) -> Agent:
    value = found(reference, document, place).value
    if isinstance(value, Agent):
        return value
    raise document.mistake(place, f"is {reference!r}, which is no agent but {value!r:.60}")


# --- for each ---------------------------------------------------------------------------------------------------------


def _each(action: EachAction, document: Document, place: Place) -> Made:
    items = expression_at(action.in_, ROOTS, document, (*place, "in"))
    steps = [
        _Step(each, document, (*place, "do", str(index)), earlier=[step.name for step in action.do[:index]])
        for index, each in enumerate(action.do)
    ]

    def call(flow: Any, names: Names) -> list[Any]:
        found_items = items.evaluate(names)
        if not isinstance(found_items, list | tuple):
            raise document.mistake((*place, "in"), f"is {action.in_!r}, and that is no list but {found_items!r:.60}")
        return [_for_item(flow, names, steps, index, item) for index, item in enumerate(found_items)]

    return Made(call, models=tuple(model for step in steps for model in step.made.models))


class _Step:
    """One step of `each`. What does not record itself is a step of the flow (`Flow.step`), told by element and name."""

    def __init__(self, step: EachStep, document: Document, place: Place, *, earlier: list[str]) -> None:
        if step.name in earlier:
            raise document.mistake((*place, "name"), f"is {step.name!r}, as an earlier step is called")
        self.name, roots = step.name, (*ROOTS, "item")
        self.made = made_of(step.action, document, (*place, "action"), roots)
        self._wanted = None if step.if_ is None else expression_at(step.if_, roots, document, (*place, "if"))
        self._place, self._document, self._if = (*place, "if"), document, step.if_

    def is_wanted(self, names: Names) -> bool:
        said = True if self._wanted is None else self._wanted.evaluate(names)
        if isinstance(said, bool):
            return said
        raise self._document.mistake(self._place, f"is {self._if!r}, and that is not true or false but {said!r:.60}")

    def value(self, flow: Any, names: Names, index: int) -> Any:
        made = self.made

        def call(_: int, item: Any) -> Any:
            return made.call(flow, names, *([item] if made.takes else []))

        async def acall(index: int, item: Any) -> Any:
            return await call(index, item)

        if not made.is_step:
            return call(index, names["item"])
        return flow.step(self.name, acall if made.is_async else call, index, names["item"])


def _for_item(flow: Any, names: Names, steps: list[_Step], index: int, item: Any) -> Any:
    """What the last step that was wanted has returned."""
    outputs = dict(names["outputs"])
    mine, last = {**names, "item": item, "outputs": outputs}, None
    for step in steps:
        if step.is_wanted(mine):
            last = outputs[step.name] = step.value(flow, mine, index)
    return last
