"""`BaseTool` and `@tool`: what an agent may call. CrewAI's names and defaults."""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, ClassVar, overload

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from jackstay.core.messages import ToolSpec
from jackstay.core.specs import ToolDef
from jackstay.core.tool_failures import ToolFailurePolicy
from jackstay.engine.bridge import in_the_end
from jackstay.errors import DefinitionError, ToolFailure
from jackstay.tools.arguments import ArgsSchema, Arguments, arguments_of, schema_of
from jackstay.tools.calling import prepared
from jackstay.tools.foreign import fields_of
from jackstay.tools.marks import warn_if_unmarked
from jackstay.tools.naming import tool_name
from jackstay.tools.variables import EnvVar


class BaseTool(BaseModel):
    """A tool. Subclasses give `name`, `description` and `_run` (or `async def _run`, or `_arun`).

    The arguments' schema comes from `args_schema`, else from `_run`'s signature and annotations.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True)

    name: str
    description: str
    args_schema: ArgsSchema | None = None
    """A pydantic model, or a JSON Schema, of which only names are checked here. Not given: a model made of the signature."""
    result_schema: type[BaseModel] | None = None
    """What its result has to fit: such an object, a dict, or JSON text. What does not is a `ToolFailure`."""
    env_vars: list[EnvVar] = Field(default_factory=list)
    """Variables that it needs. One that is missing when it is called is a `ToolFailure` that names it."""
    result_as_answer: bool = False
    """The tool's result is the agent's final answer."""
    max_usage_count: int | None = None
    """How often the tool may be called in its life; None: any number of times."""
    current_usage_count: int = Field(default=0, ge=0)
    side_effect: bool | None = None
    """True: it acts on the world, and no call of it is ever repeated by itself; after a crash in it a person is asked. None:
    not said, which counts as False."""
    polling: bool = False
    """It waits for something: equal calls with equal results do not end the agent's loop."""
    cache_ttl_s: float | None = Field(default=None, gt=0)
    """An equal call in the same run is answered by a result that is no older than this; None: never."""
    cache_function: Callable[..., Any] | None = None
    """With `cache_ttl_s`: called with the arguments (a dict) and the result; False keeps it out of the cache."""
    tool_failure_policy: ToolFailurePolicy | None = None
    """What follows from a `ToolFailure`; None: what the task, agent or crew says, else a warning."""

    _usage_lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _known_arguments: tuple[tuple[Any, ...], Arguments] | None = PrivateAttr(default=None)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        name = cls.model_fields["name"].default
        if isinstance(name, str):
            warn_if_unmarked(name, cls.model_fields["side_effect"].default)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        if self.side_effect and self.cache_ttl_s is not None:
            raise DefinitionError(
                f"the tool {self.name!r} acts on the world, so no call may be answered from a cache; leave cache_ttl_s out"
            )
        if self.args_schema is None:
            with suppress(Exception):  # what is wrong with the signature is said when the tool is used
                self.args_schema = schema_of(self._function(), self.name)
        if self.name != type(self).model_fields["name"].default:  # that one was looked at with the class
            warn_if_unmarked(self.name, self.side_effect)

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        """What it does: to be written by subclasses. (Or `_arun`.)"""
        raise NotImplementedError

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the tool directly, outside any agent: keyword arguments are checked as an agent's are (`ValueError`), and
        a tool that is used up gives back a `ToolFailure`. An asynchronous tool runs to its end; where an event loop is
        running, it gives its coroutine."""
        result = self._called(args, kwargs)
        return in_the_end(result) if inspect.isawaitable(result) else result

    async def arun(self, *args: Any, **kwargs: Any) -> Any:
        """The same, awaited."""
        result = self._called(args, kwargs)
        return await result if inspect.isawaitable(result) else result

    def reset_usage_count(self) -> None:
        self.current_usage_count = 0

    @property
    def formatted_description(self) -> str:
        """Name, arguments and description, in CrewAI's form."""
        arguments = json.dumps(self._arguments().parameters, ensure_ascii=False)
        return f"Tool Name: {tool_name(self.name)}\nTool Arguments: {arguments}\nTool Description: {self.description}"

    def to_structured_tool(self) -> CrewStructuredTool:
        """The same tool with CrewAI's `invoke` and `ainvoke`. Its uses are counted apart."""
        own = {name: getattr(self, name) for name in BaseTool.model_fields}
        return CrewStructuredTool(**own, func=self._function())

    def to_def(self) -> ToolDef:
        """The tool as the engine sees it."""
        arguments = self._arguments()
        return ToolDef(
            ToolSpec(tool_name(self.name), self.description, arguments.parameters),
            self._prepared(),
            arguments.validate,
            result_as_answer=self.result_as_answer,
            max_usage_count=self.max_usage_count,
            claim=self._claim,
            side_effect=bool(self.side_effect),
            polling=self.polling,
            cache_ttl_s=self.cache_ttl_s,
            cache_function=self.cache_function,
            failure_policy=self.tool_failure_policy,
        )

    def _function(self) -> Callable[..., Any]:
        if type(self)._run is not BaseTool._run:
            return self._run
        if hasattr(type(self), "_arun"):
            return self._arun  # type: ignore[no-any-return, attr-defined]
        raise DefinitionError(f"the tool {self.name!r} does nothing: write _run, def or async def, in its class")

    def _prepared(self) -> Callable[..., Any]:
        return prepared(self._function(), self.name, self.result_schema, self.env_vars)

    def _arguments(self) -> Arguments:
        function = self._function()
        made_of = (getattr(function, "__func__", function), self.args_schema, self.name)
        if self._known_arguments is None or self._known_arguments[0] != made_of:
            # Kept: a pydantic class is made of the signature, which takes more than a millisecond, at every kickoff.
            self._known_arguments = (made_of, arguments_of(function, self.args_schema, self.name))
        return self._known_arguments[1]

    def _called(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if not args:
            arguments = self._arguments()
            try:
                kwargs = arguments.validate(kwargs)
            except ValueError as error:
                schema = json.dumps(arguments.parameters, ensure_ascii=False)
                raise ValueError(
                    f"the arguments of the tool {self.name!r} do not fit: {error}; give {schema}"
                ) from error
        if not self._claim():
            text = f"the tool {self.name!r} has reached its limit of {self.max_usage_count} uses"
            return ToolFailure(text, reason="usage_limit")
        return self._prepared()(*args, **kwargs)

    def _claim(self) -> bool:
        with self._usage_lock:
            if self.max_usage_count is not None and self.current_usage_count >= self.max_usage_count:
                return False
            self.current_usage_count += 1
            return True


class FunctionTool(BaseTool):
    """A tool made of a function by `@tool`. Calling it calls the function."""

    func: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.func(*args, **kwargs)

    def _function(self) -> Callable[..., Any]:
        return self.func


class CrewStructuredTool(FunctionTool):
    """A tool that takes its arguments as one dict, or as JSON text."""

    @classmethod
    def from_function(
        cls, func: Callable[..., Any], name: str | None = None, description: str | None = None, **options: Any
    ) -> CrewStructuredTool:
        """A tool of a function; name and description are the function's where none are given."""
        made = tool(name or func.__name__, **options) if description is None else None
        if made is not None:
            return made(func).to_structured_tool()
        return cls(name=name or func.__name__, description=description, func=func, **options)

    @property
    def args(self) -> dict[str, Any]:
        """The properties of the arguments' JSON Schema."""
        return dict(self._arguments().parameters.get("properties", {}))

    def invoke(self, input: str | dict[str, Any], config: Any = None, **more: Any) -> Any:
        """As `run`. `config` is LangChain's, and ignored."""
        return self.run(**{**_object(input), **more})

    async def ainvoke(self, input: str | dict[str, Any], config: Any = None, **more: Any) -> Any:
        return await self.arun(**{**_object(input), **more})


def _object(given: str | dict[str, Any]) -> dict[str, Any]:
    found = json.loads(given) if isinstance(given, str) else given
    if not isinstance(found, dict):
        raise ValueError(f"the arguments have to be one JSON object, not {type(found).__name__}")
    return found


@overload
def tool(name_or_function: Callable[..., Any], /) -> FunctionTool: ...
@overload
def tool(
    name_or_function: str | None = None,
    /,
    *,
    args_schema: ArgsSchema | None = None,
    result_schema: type[BaseModel] | None = None,
    result_as_answer: bool = False,
    max_usage_count: int | None = None,
    env_vars: list[EnvVar] | None = None,
    side_effect: bool | None = None,
    polling: bool = False,
    cache_ttl_s: float | None = None,
    cache_function: Callable[..., Any] | None = None,
    tool_failure_policy: ToolFailurePolicy | str | None = None,
) -> Callable[[Callable[..., Any]], FunctionTool]: ...
def tool(
    name_or_function: Callable[..., Any] | str | None = None,
    /,
    **options: Any,
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    """Makes a tool of a function: `@tool`, `@tool("name")` or `@tool(result_as_answer=True)`. The options are fields of
    `BaseTool`.

    The function's docstring is the description that the model reads, so it has to have one (`DefinitionError`).
    """

    options = {name: value for name, value in options.items() if value is not None}
    unknown = options.keys() - (BaseTool.model_fields.keys() - {"name", "description"})
    if unknown:
        raise TypeError(f"@tool has no option {', '.join(sorted(unknown))}")

    def make(function: Callable[..., Any]) -> FunctionTool:
        description = inspect.getdoc(function)
        if not description:
            raise DefinitionError(
                f"the tool function {function.__name__} has no docstring; write what it does, for the model to read"
            )
        name = name_or_function if isinstance(name_or_function, str) else function.__name__
        return FunctionTool(
            name=name,
            description=description,
            func=function,
            **options,
        )

    return make(name_or_function) if callable(name_or_function) else make


def as_tool_def(given: Any, owner: str) -> ToolDef:
    """Any object that people pass as a tool: ours, or one of another library with `name`, `description` and something to
    call (LangChain's)."""
    if isinstance(given, BaseTool):
        return given.to_def()
    if isinstance(given, type):
        raise DefinitionError(
            f"{owner} has the class {given.__name__} among its tools; give it an object: {given.__name__}(…)"
        )
    fields = fields_of(given)
    if fields is None:
        raise DefinitionError(
            f"{owner} has a tool that is a {type(given).__name__}; use @tool, a BaseTool, or an object with name, "
            "description and func"
        )
    return FunctionTool(**fields).to_def()


def tool_defs(given: Iterable[Any], owner: str) -> tuple[ToolDef, ...]:
    """All of an agent's or task's tools. Two that a model could not tell apart are refused (`DefinitionError`)."""
    named: dict[str, tuple[Any, ToolDef]] = {}
    for one in given:
        made = as_tool_def(one, owner)
        known = named.setdefault(made.spec.name, (one, made))
        if known[0] is not one:
            raise DefinitionError(f"{owner} has two tools that models see as {made.spec.name!r}; rename one of them")
    return tuple(made for _, made in named.values())
