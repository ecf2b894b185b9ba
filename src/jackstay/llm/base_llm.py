"""`BaseLLM`: a model of the user's own. Subclass it and write `call` (or `acall`); CrewAI's signature."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import Any

from jackstay.core.specs import ModelConfig


class BaseLLM(ABC):
    """Its calls go through the same pipeline as all others: recorded, retried for our error classes, counted.

    Usage is estimated (flagged) and the price unknown. Extra keyword arguments are kept in `additional_params`.
    """

    def __init__(self, model: str = "custom", temperature: float | None = None, **kwargs: Any) -> None:
        self.model = model
        self.temperature = temperature
        self.stop: list[str] = list(kwargs.pop("stop", None) or [])
        self.additional_params: dict[str, Any] = kwargs

    @abstractmethod
    def call(
        self,
        messages: str | list[dict[str, Any]],
        tools: list[dict[str, Any]] | None = None,
        callbacks: list[Any] | None = None,
        available_functions: dict[str, Any] | None = None,
        from_task: Any = None,
        from_agent: Any = None,
        response_model: Any = None,
    ) -> Any:
        """The model's answer: text, or a list of tool calls in the form of OpenAI's chat API."""

    async def acall(
        self,
        messages: str | list[dict[str, Any]],
        tools: list[dict[str, Any]] | None = None,
        callbacks: list[Any] | None = None,
        available_functions: dict[str, Any] | None = None,
        from_task: Any = None,
        from_agent: Any = None,
        response_model: Any = None,
    ) -> Any:
        raise NotImplementedError

    def supports_function_calling(self) -> bool:
        """True: `call` is given tools. False: they are described in the prompt, and answers are read as ReAct."""
        return False

    def supports_stop_words(self) -> bool:
        return True

    def get_context_window_size(self) -> int:
        """In tokens: a conversation with more is made to fit, or refused. Unless a subclass says it, it is unknown."""
        return 4096

    def to_config(self) -> ModelConfig:
        name = getattr(self, "model", None) or type(self).__name__
        # CrewAI's default is none that anybody has meant.
        says = type(self).get_context_window_size is not BaseLLM.get_context_window_size
        return ModelConfig(
            model=str(name), custom=self, context_window=self.get_context_window_size() if says else None
        )

    def engine_call(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None) -> Any:
        """What the engine calls: the subclass's `acall` if it wrote one, else `call`; with the arguments it takes."""
        method = self.acall if type(self).acall is not BaseLLM.acall else self.call
        parameters = inspect.signature(method).parameters
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        given: dict[str, Any] = {"tools": tools, "callbacks": None, "available_functions": None}
        return method(messages, **{name: value for name, value in given.items() if takes_any or name in parameters})
