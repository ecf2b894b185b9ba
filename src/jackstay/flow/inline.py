"""Crews and agents that are described in a declared flow, as objects. What may be said of them is what agents.yaml and
tasks.yaml may say; names of code are `module:name`, or `{python: module.name}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from jackstay.core.yaml_document import Document, Place
from jackstay.crew import Agent, ConditionalTask, Crew, Task, accepted
from jackstay.errors import DefinitionError, JackstayError
from jackstay.flow.reference import Found, found
from jackstay.project.forms import AGENT, TASK, Form, nearest

_NAMED = ("agent", "context")
"""Keys of a task whose values are names in the same crew."""
_OF_CREW = (frozenset(Crew.model_fields) | accepted.CREW) - {"id", "config", "usage_metrics"}


def agent_of(section: Any, document: Document, place: Place) -> Agent:
    """Raises `DefinitionError` with file, line and key."""
    given = _checked(section, AGENT, document, place)
    made: Agent = _made(Agent, given, document, place)
    return made


def crew_of(section: Any, document: Document, place: Place) -> Crew:
    """Raises `DefinitionError` with file, line and key."""
    section = _mapping(section, document, place)
    for key in section:
        if key not in _OF_CREW:
            raise document.mistake((*place, str(key)), f"is nothing that a crew has; {nearest(str(key), _OF_CREW)}")
    agents = {
        name: agent_of(each, document, at) for name, each, at in _named(section, "agents", "role", document, place)
    }
    tasks: dict[str, Task] = {}
    for name, each, at in _named(section, "tasks", "name", document, place):
        tasks[name] = _task_of(each, agents, tasks, document, at)
    settings = {
        key: _referred(value, document, (*place, key)) if key.endswith(("_callback", "_callbacks")) else value
        for key, value in section.items()
        if key not in ("agents", "tasks") and value is not None
    }
    manager = settings.get("manager_agent")
    if isinstance(manager, str):
        if manager not in agents:
            raise document.mistake(
                (*place, "manager_agent"), f"is {manager!r}, which is no agent of it; {nearest(manager, list(agents))}"
            )
        settings["manager_agent"] = agents.pop(manager)
    elif manager is not None:
        settings["manager_agent"] = agent_of(manager, document, (*place, "manager_agent"))
    made: Crew = _made(
        Crew, {"agents": list(agents.values()), "tasks": list(tasks.values()), **settings}, document, place
    )
    return made


def model_at(value: Any, document: Document, place: Place) -> type[BaseModel]:
    """The pydantic model that a reference names."""
    model = reference_of(value, document, place).value
    if isinstance(model, type) and issubclass(model, BaseModel):
        return model
    raise document.mistake(place, f"names {model!r:.60}, which is no pydantic model")


def reference_of(value: Any, document: Document, place: Place) -> Found:
    """`module:name`, or CrewAI's `{python: module.name}`."""
    if isinstance(value, Mapping) and set(value) == {"python"}:
        value, place = str(value["python"]), (*place, "python")
        if ":" not in value:
            module, _, name = value.rpartition(".")
            value = f"{module}:{name}"
    return found(value, document, place)


def _task_of(
    section: Any, agents: Mapping[str, Agent], earlier: Mapping[str, Task], document: Document, place: Place
) -> Task:
    given = _checked(section, TASK, document, place)
    for key, known, word in (("agent", agents, "agent"), ("context", earlier, "earlier task")):
        if key not in given:
            continue
        names = given[key] if isinstance(given[key], list) else [given[key]]
        for name in names:
            if name not in known:
                raise document.mistake(
                    (*place, key), f"is {name!r}, which is no {word} of this crew; {nearest(str(name), list(known))}"
                )
        given[key] = known[given[key]] if key == "agent" else [known[name] for name in names]
    is_conditional = "condition" in given
    made: Task = _made(ConditionalTask if is_conditional else Task, given, document, place)
    return made


def _checked(section: Any, form: Form, document: Document, place: Place) -> dict[str, Any]:
    """A section's keys and values, with objects in place of the names of code."""
    given: dict[str, Any] = {}
    for key, value in _mapping(section, document, place).items():
        at = (*place, str(key))
        if key not in form.keys:
            raise document.mistake(
                at, f"is nothing that {'an' if form is AGENT else 'a'} {form.word} has; {nearest(str(key), form.keys)}"
            )
        if value is None:
            continue
        reference = form.references.get(key)
        if reference is None:
            if (problem := form.problem(key, value)) is not None:
                raise document.mistake(at, f"is {value!r:.60}: {problem}")
            given[key] = value.strip() if isinstance(value, str) else value
        elif key in _NAMED or (reference.or_text and not is_reference(value)):
            given[key] = value
        elif key == "tools":
            given[key] = [_instance(each) for each in _several(value, document, at)]
        elif reference.several and isinstance(value, list):
            given[key] = _several(value, document, at)
        else:
            given[key] = _referred(value, document, at)
    return given


def is_reference(value: Any) -> bool:
    """Whether it names something in a module. (Of models' names only a tag has a colon, behind a slash: `ollama/llama3:8b`.)"""
    if isinstance(value, Mapping):
        return set(value) == {"python"}
    if not isinstance(value, str):
        return False
    module, colon, name = value.partition(":")
    return bool(colon) and all(part.isidentifier() for part in [*module.split("."), *name.split(".")])


def _several(value: Any, document: Document, place: Place) -> list[Any]:
    items = value if isinstance(value, list) else [value]
    return [_referred(each, document, (*place, str(index))) for index, each in enumerate(items)]


def _referred(value: Any, document: Document, place: Place) -> Any:
    if isinstance(value, list):
        return _several(value, document, place)
    return reference_of(value, document, place).value


def _instance(value: Any) -> Any:
    return value() if isinstance(value, type) else value


def _named(section: Any, key: str, naming: str, document: Document, place: Place) -> list[tuple[str, Any, Place]]:
    """The members of `agents` or `tasks` with their names: keys of a map, else what they say under `naming`."""
    at, members = (*place, key), section.get(key)
    if isinstance(members, Mapping) and members:
        return [
            (
                str(name),
                {"name": name, **_mapping(each, document, (*at, name))} if key == "tasks" else each,
                (*at, name),
            )
            for name, each in members.items()
        ]
    if isinstance(members, list) and members:
        pairs = [(_mapping(each, document, (*at, str(n))), (*at, str(n))) for n, each in enumerate(members)]
        return [(str(each.get(naming, f"{key} {at_[-1]}")), each, at_) for each, at_ in pairs]
    raise document.mistake(at if key in section else place, f"has no {key}; a crew has at least one of them")


def _mapping(section: Any, document: Document, place: Place) -> Mapping[str, Any]:
    if isinstance(section, Mapping):
        return section
    raise document.mistake(place, f"is {section!r:.40}; write keys below it, as 'role: …'")


def _made(cls: Any, given: Mapping[str, Any], document: Document, place: Place) -> Any:
    try:
        return cls(**given)
    except ValidationError as error:
        first = error.errors()[0]
        at = (*place, *(str(part) for part in first["loc"][:1]))
        what = (
            "is missing"
            if first["type"] == "missing"
            else f"does not fit: {first['msg'].removeprefix('Value error, ')}"
        )
        raise document.mistake(at, what) from error
    except DefinitionError as error:
        raise document.mistake(place, f"cannot be made: {error}") from error
    except JackstayError as error:  # a model that there is not: its class says what to do
        error.add_note(str(document.mistake(place, "says so")))
        raise
