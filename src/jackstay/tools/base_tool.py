"""`BaseTool` and `@tool`: what an agent may call. CrewAI's names and defaults."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, overload

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, PydanticUserError, ValidationError, create_model

from jackstay.core.messages import ToolSpec
from jackstay.core.specs import ToolDef
from jackstay.core.tool_failures import ToolFailurePolicy
from jackstay.errors import DefinitionError
from jackstay.tools.marks import warn_if_unmarked
from jackstay.tools.naming import tool_name


class BaseTool(BaseModel):
    """A tool. Subclasses give `name`, `description` and `_run` (or `async def _run`, or `_arun`).

    The arguments' schema comes from `args_schema`, else from `_run`'s signature and annotations.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True)

    name: str
    description: str
    args_schema: type[BaseModel] | None = None
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
        if self.name != type(self).model_fields["name"].default:  # that one was looked at with the class
            warn_if_unmarked(self.name, self.side_effect, stacklevel=3)

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"the tool {self.name!r} has no _run method")

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the tool directly, outside any agent; an asynchronous tool gives its coroutine."""
        return self._function()(*args, **kwargs)

    async def arun(self, *args: Any, **kwargs: Any) -> Any:
        result = self._function()(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    def reset_usage_count(self) -> None:
        self.current_usage_count = 0

    def to_def(self) -> ToolDef:
        """The tool as the engine sees it."""
        function = self._function()
        schema, parameters = _parameters_of(function, self.args_schema, self.name)
        spec = ToolSpec(tool_name(self.name), self.description, parameters)
        return ToolDef(
            spec,
            function,
            lambda given: _validated(schema, given),
            result_as_answer=self.result_as_answer,
            max_usage_count=self.max_usage_count,
            claim=self._claim if self.max_usage_count is not None else None,
            side_effect=bool(self.side_effect),
            polling=self.polling,
            cache_ttl_s=self.cache_ttl_s,
            cache_function=self.cache_function,
            failure_policy=self.tool_failure_policy,
        )

    def _function(self) -> Callable[..., Any]:
        overrides_arun = getattr(type(self), "_arun", None) is not None
        return self._arun if overrides_arun and type(self)._run is BaseTool._run else self._run  # type: ignore[attr-defined]

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


@overload
def tool(name_or_function: Callable[..., Any], /) -> FunctionTool: ...
@overload
def tool(
    name_or_function: str | None = None,
    /,
    *,
    result_as_answer: bool = False,
    max_usage_count: int | None = None,
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

    unknown = options.keys() - BaseTool.model_fields.keys()
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
    """Any object that people pass as a tool: ours, or one with `name`, `description` and a function (LangChain's)."""
    if isinstance(given, BaseTool):
        return given.to_def()
    function = next((f for f in (getattr(given, n, None) for n in ("func", "_run", "run")) if callable(f)), None)
    if function is None or not isinstance(getattr(given, "name", None), str):
        raise DefinitionError(
            f"{owner} has a tool that is a {type(given).__name__}; use @tool, a BaseTool, or an object with name, "
            "description and func"
        )
    schema = getattr(given, "args_schema", None)
    return FunctionTool(
        side_effect=getattr(given, "side_effect", None),
        name=given.name,
        description=str(getattr(given, "description", "") or given.name),
        func=function,
        args_schema=schema if isinstance(schema, type) and issubclass(schema, BaseModel) else None,
    ).to_def()


def tool_defs(given: Iterable[Any], owner: str) -> tuple[ToolDef, ...]:
    """All of an agent's or task's tools. Two that a model could not tell apart are refused (`DefinitionError`)."""
    named: dict[str, tuple[Any, ToolDef]] = {}
    for one in given:
        made = as_tool_def(one, owner)
        known = named.setdefault(made.spec.name, (one, made))
        if known[0] is not one:
            raise DefinitionError(f"{owner} has two tools that models see as {made.spec.name!r}; rename one of them")
    return tuple(made for _, made in named.values())


def _parameters_of(
    function: Callable[..., Any], given: type[BaseModel] | None, name: str
) -> tuple[type[BaseModel], dict[str, Any]]:
    """The model that checks the arguments, and its JSON Schema."""
    try:
        schema = given or _schema_of(function, name)
        parameters = schema.model_json_schema()
    except (NameError, PydanticUserError) as error:
        problem = str(error).partition("\n")[0]
        raise DefinitionError(
            f"the tool {name!r}: no JSON Schema can be made of its arguments ({problem}); annotate them with plain "
            "types or pydantic models, or give args_schema"
        ) from error
    parameters.pop("title", None)
    return schema, parameters


def _schema_of(function: Callable[..., Any], name: str) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        if parameter.name == "self" or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
        default = ... if parameter.default is parameter.empty else parameter.default
        if parameter.name.startswith("_"):
            if default is ...:
                raise DefinitionError(
                    f"the tool {name!r}: no model can give its argument {parameter.name!r}; rename it"
                )
            continue
        fields[parameter.name] = (annotation, default)
    return create_model(f"{tool_name(name)}_arguments", **fields)


def _validated(schema: type[BaseModel], given: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        checked = schema.model_validate(dict(given))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in error.errors())
        raise ValueError(problems) from error
    return {name: getattr(checked, name) for name in type(checked).model_fields}
