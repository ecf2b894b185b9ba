"""What may stand behind `do:` in a declared flow: the forms of its actions. What they do is `flow.actions`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Form(BaseModel):
    """A key that there is not is a mistake: a word that is misspelt would silently mean nothing."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class CodeAction(Form):
    """A Python function, by `module:function` or `module:Class.method`."""

    call: Literal["code"] = "code"
    ref: str
    with_: dict[str, Any] | None = Field(default=None, alias="with")
    """Its arguments by name; without them it is called as a flow's method is."""


class ToolAction(Form):
    """A tool, by `module:name`: a class of one, or an object."""

    call: Literal["tool"]
    ref: str
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")


class CrewAction(Form):
    """A crew that is described here (`with`), or one in a program (`ref`)."""

    call: Literal["crew"]
    ref: str | None = None
    with_: dict[str, Any] | None = Field(default=None, alias="with")
    inputs: dict[str, Any] | None = None


class AgentAction(Form):
    """An agent that is described here, or one in a program (`ref`); `with.input` is what it is asked."""

    call: Literal["agent"]
    ref: str | None = None
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")


class ExpressionAction(Form):
    """A value, computed from the state and what methods have returned."""

    call: Literal["expression"]
    expr: str


class ScriptAction(BaseModel):
    """Code in the declaration itself: known, and never executed."""

    model_config = ConfigDict(extra="allow")

    call: Literal["script"]


StepAction = Annotated[
    CodeAction | ToolAction | CrewAction | AgentAction | ExpressionAction | ScriptAction, Field(discriminator="call")
]


class EachStep(Form):
    name: str
    if_: str | None = Field(default=None, alias="if")
    """An expression: whether the step is wanted for this element."""
    action: StepAction


class EachAction(Form):
    """Steps for every element of a list, one after another."""

    call: Literal["each"]
    in_: str = Field(alias="in")
    """An expression: the list."""
    do: list[EachStep] = Field(min_length=1)


Action = Annotated[
    CodeAction | ToolAction | CrewAction | AgentAction | ExpressionAction | ScriptAction | EachAction,
    Field(discriminator="call"),
]
