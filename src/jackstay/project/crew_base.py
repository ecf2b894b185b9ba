"""`@CrewBase`: a class whose methods make agents, tasks and a crew, with their texts in YAML files beside it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, TypeVar

from jackstay.core.yaml_document import Document
from jackstay.crew import Crew
from jackstay.errors import DefinitionError
from jackstay.project.forms import AGENT, TASK, Form
from jackstay.project.members import Kind, names
from jackstay.project.sections import Sections, read_document

T = TypeVar("T")
_READ = "_jackstay_sections"
_FILES = {"agents_config": ("config/agents.yaml", AGENT), "tasks_config": ("config/tasks.yaml", TASK)}


def CrewBase(cls: type[T]) -> type[T]:  # noqa: N802 - CrewAI's name of a class decorator
    """Makes a class a project: `self.agents_config` and `self.tasks_config` are the sections of its YAML files, `self.agents`
    and `self.tasks` what its `@agent` and `@task` methods make, in the order of definition.

    The files are named by the class's attributes of these names, relative to the class's own file (config/agents.yaml and
    config/tasks.yaml if it says nothing; then they need not be there); a mapping is taken as it is. They are read when an
    object is made. Raises `DefinitionError` then for what is wrong in them, with file, line and key.
    """
    if not isinstance(cls, type):
        raise DefinitionError("@CrewBase is written without parentheses, above a class")
    cls.__init__ = _with_sections(cls.__init__)  # type: ignore[method-assign]
    for name, collect in (("agents", _agents), ("tasks", _tasks)):
        if name not in vars(cls):  # an annotation alone says nothing
            found = cached_property(collect)
            found.__set_name__(cls, name)
            setattr(cls, name, found)
    return cls


def is_project(value: Any) -> bool:
    """Whether it is a class, or an object, with a `@crew` method."""
    return bool(names(value if isinstance(value, type) else type(value), Kind.crew))


def crew_of(project: Any) -> Crew:
    """The crew of such a class or object."""
    made = project() if isinstance(project, type) else project
    crew: Crew = getattr(made, names(type(made), Kind.crew)[-1])()
    return crew


def _with_sections(init: Callable[..., None]) -> Callable[..., None]:
    @wraps(init)
    def initialised(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if _READ in vars(self):  # by the class that this one inherits from
            return
        vars(self)[_READ] = True
        for attribute, (default, form) in _FILES.items():
            vars(self)[attribute] = _sections(self, attribute, default, form)

    return initialised


def _sections(owner: Any, attribute: str, default: str, form: Form) -> Sections:
    given = getattr(owner, attribute, None)
    if given is None:
        # Beside the class, or beside one that it inherits from.
        paths = [_folder(each) / default for each in type(owner).__mro__ if each is not object]
        found = next((path for path in paths if path.is_file()), None)
        document = read_document(found, default) if found else Document(f"{default} (not in {paths[0].parent})", None)
    elif isinstance(given, str | Path):
        document = read_document(_folder(_definer(type(owner), attribute)) / given, str(given))
    elif isinstance(given, Mapping):
        document = Document(f"{type(owner).__name__}.{attribute}", given)
    else:
        raise DefinitionError(
            f"{type(owner).__name__}.{attribute} is {given!r:.60}; name a YAML file, or give a mapping"
        )
    return Sections(document, form, owner)


def _definer(cls: type, attribute: str) -> type:
    """The class that names the file: a subclass somewhere else reads its parent's beside the parent."""
    return next((each for each in cls.__mro__ if attribute in vars(each)), cls)


def _folder(cls: type) -> Path:
    try:
        return Path(inspect.getfile(cls)).resolve().parent
    except (OSError, TypeError):  # a console, a notebook
        return Path.cwd()


def _agents(self: Any) -> list[Any]:
    """Those of the methods, then those that only a task has."""
    made = [getattr(self, name)() for name in names(type(self), Kind.agent)]
    others = [task.agent for task in self.tasks if task.agent is not None]
    return list({id(agent): agent for agent in [*made, *others]}.values())


def _tasks(self: Any) -> list[Any]:
    return [getattr(self, name)() for name in names(type(self), Kind.task)]
