"""Jackstay: the production runtime for AI crews and flows.

Names load when they are first used: importing the package starts nothing, opens nothing, reads no environment.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jackstay.core.budget import Budget as Budget
    from jackstay.core.retry import Retry as Retry
    from jackstay.crew import Agent as Agent
    from jackstay.crew import BaseAgent as BaseAgent
    from jackstay.crew import ConditionalTask as ConditionalTask
    from jackstay.crew import Crew as Crew
    from jackstay.crew import CrewOutput as CrewOutput
    from jackstay.crew import CrewStreamingOutput as CrewStreamingOutput
    from jackstay.crew import Process as Process
    from jackstay.crew import StreamChunk as StreamChunk
    from jackstay.crew import Task as Task
    from jackstay.crew import TaskOutput as TaskOutput
    from jackstay.crew import UsageMetrics as UsageMetrics
    from jackstay.crew.agent_kickoff import LiteAgentOutput as LiteAgentOutput
    from jackstay.crew.checkpoint import CheckpointConfig as CheckpointConfig
    from jackstay.crew.llm_guardrail import HallucinationGuardrail as HallucinationGuardrail
    from jackstay.crew.llm_guardrail import LLMGuardrail as LLMGuardrail
    from jackstay.crew.planning import PlanningConfig as PlanningConfig
    from jackstay.crew.security import Fingerprint as Fingerprint
    from jackstay.crew.security import SecurityConfig as SecurityConfig
    from jackstay.engine.answers import answer as answer
    from jackstay.engine.deciding import decide as decide
    from jackstay.engine.runtime import Runtime as Runtime
    from jackstay.engine.stopping import cancel as cancel
    from jackstay.engine.user_code import carry as carry
    from jackstay.errors import JackstayError as JackstayError
    from jackstay.flow import Flow as Flow
    from jackstay.flow import and_ as and_
    from jackstay.flow import listen as listen
    from jackstay.flow import or_ as or_
    from jackstay.flow import persist as persist
    from jackstay.flow import router as router
    from jackstay.flow import start as start
    from jackstay.flow.human_feedback import human_feedback as human_feedback
    from jackstay.llm import LLM as LLM
    from jackstay.llm import BaseLLM as BaseLLM
    from jackstay.llm import estimate_cost as estimate_cost

__version__ = "0.1.0"

_HOMES = {
    "jackstay.crew": (
        "Agent",
        "BaseAgent",
        "ConditionalTask",
        "Crew",
        "CrewOutput",
        "CrewStreamingOutput",
        "Process",
        "StreamChunk",
        "Task",
        "TaskOutput",
        "UsageMetrics",
    ),
    "jackstay.crew.agent_kickoff": ("LiteAgentOutput",),
    "jackstay.crew.llm_guardrail": ("HallucinationGuardrail", "LLMGuardrail"),
    "jackstay.crew.planning": ("PlanningConfig",),
    "jackstay.crew.checkpoint": ("CheckpointConfig",),
    "jackstay.crew.security": ("Fingerprint", "SecurityConfig"),
    "jackstay.flow": ("Flow", "and_", "listen", "or_", "persist", "router", "start"),
    "jackstay.flow.human_feedback": ("human_feedback",),
    "jackstay.llm": ("LLM", "BaseLLM", "estimate_cost"),
    "jackstay.engine.answers": ("answer",),
    "jackstay.engine.deciding": ("decide",),
    "jackstay.engine.runtime": ("Runtime",),
    "jackstay.engine.stopping": ("cancel",),
    "jackstay.engine.user_code": ("carry",),
    "jackstay.core.budget": ("Budget",),
    "jackstay.core.retry": ("Retry",),
    "jackstay.errors": ("JackstayError",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *_HOME_OF]  # noqa: PLE0604 - strings all of them


def __getattr__(name: str) -> Any:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'jackstay' has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
