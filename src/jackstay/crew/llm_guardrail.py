"""Guardrails in words: what a model judges a task's output by."""

from __future__ import annotations

import warnings
from typing import Any

from pydantic import BaseModel

from jackstay.core.prompts import judged_text
from jackstay.core.results import Verdict
from jackstay.core.specs import Judge, ModelConfig
from jackstay.crew.forms import output_form
from jackstay.errors import DefinitionError
from jackstay.llm.base_llm import BaseLLM
from jackstay.llm.llm import LLM, as_config


class LLMGuardrailResult(BaseModel):
    """What a model says of an output."""

    valid: bool
    feedback: str | None = None


class LLMGuardrail:
    """A guardrail in words: a model looks at the output and says whether it keeps to `description`.

    `llm` (a model's name, an `LLM`, a `BaseLLM`): who judges; None: the model of the agent that has done the task. In a
    task each judgement is a step of the run. Called by your own code it is a model call of the run around it, and needs
    `llm`. Raises `DefinitionError` for an empty description.
    """

    def __init__(self, description: str, llm: Any = None) -> None:
        if not description.strip():
            raise DefinitionError("a guardrail in words is empty; say what the output has to keep to")
        self.description, self.llm = description, llm
        self.config: ModelConfig | None = None if llm is None else as_config(llm, "a guardrail in words")

    def judge(self) -> Judge:
        """The same, frozen."""
        form = output_form(LLMGuardrailResult, json_form=False)
        assert form is not None
        return Judge(self.description, form, self.config)

    def __call__(self, task_output: Any) -> tuple[bool, Any]:
        if self.llm is None:
            raise DefinitionError(
                "LLMGuardrail is called by your own code and has no agent to take a model from; give it llm=…"
            )
        llm = self.llm if isinstance(self.llm, BaseLLM | LLM) else LLM(model=self.llm)
        said = llm.call(judged_text(self.description, task_output.raw), response_model=LLMGuardrailResult)
        result = said if isinstance(said, LLMGuardrailResult) else self.judge().output.parse(said)
        return (True, task_output.raw) if result.valid else (False, verdict_of(result).error)


class HallucinationGuardrail:
    """CrewAI's name for a check that its open-source edition does not have. It passes every output, here as there, and
    says so when it is made."""

    def __init__(
        self, context: str | None = None, llm: Any = None, threshold: float | None = None, tool_response: str = ""
    ) -> None:
        self.context, self.llm, self.threshold, self.tool_response = context, llm, threshold, tool_response
        text = (
            "HallucinationGuardrail checks nothing and passes every output; say in an LLMGuardrail what has to be true"
        )
        warnings.warn(text, UserWarning, stacklevel=2)

    def __call__(self, task_output: Any) -> tuple[bool, Any]:
        return True, task_output.raw


def verdict_of(result: LLMGuardrailResult) -> Verdict:
    """A model's judgement as the engine goes on with it. The output itself is never changed by it."""
    if result.valid:
        return Verdict(passed=True)
    return Verdict(passed=False, error=result.feedback or "it does not pass, and no reason was given")
