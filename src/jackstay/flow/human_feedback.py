"""`@human_feedback`: a person is asked about what a flow's method has returned. CrewAI's form."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from jackstay.core.canonical import canonical_json
from jackstay.core.deadline import checked_deadline
from jackstay.core.feedback import FeedbackSpec, HumanFeedbackResult
from jackstay.errors import ConfigurationError, DefinitionError
from jackstay.flow.decorators import marked
from jackstay.llm.llm import as_config

__all__ = ["HumanFeedbackConfig", "HumanFeedbackResult", "human_feedback"]

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_LLM = "gpt-5.4-mini"


@dataclass(frozen=True)
class HumanFeedbackConfig:
    """What `@human_feedback` was told; `__human_feedback_config__` of the method."""

    message: str
    emit: Sequence[str] | None = None
    llm: Any = DEFAULT_LLM
    default_outcome: str | None = None
    metadata: Mapping[str, Any] | None = field(default=None)
    provider: Any = None
    learn: bool = False
    learn_source: str = "hitl"
    learn_strict: bool = False
    timeout_s: float | None = None


def human_feedback(
    message: str,
    emit: Sequence[str] | None = None,
    llm: Any = DEFAULT_LLM,
    default_outcome: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    provider: Any = None,
    learn: bool = False,
    learn_source: str = "hitl",
    learn_strict: bool = False,
    *,
    timeout_s: float | None = None,
) -> Callable[[F], F]:
    """A person is asked `message` about what the method has returned; it stands below `@start`, `@listen` or `@router`.

    Listeners are given a `HumanFeedbackResult`. With `emit` the person's words come to one of these labels, which others
    listen to: a label said outright is taken, nothing said is `default_outcome` (else the first), anything else `llm`
    decides. `provider`: who asks, instead of `flow_config.hitl_provider` and the console. Where nobody is there to be asked
    the flow pauses, and its kickoff returns a `HumanFeedbackPending`; after `timeout_s` seconds of that the answer is
    `default_outcome`. `metadata`: JSON values for the provider and the result. `learn…` is accepted and has no effect.

    Raises `DefinitionError` for what does not fit together.
    """
    config = HumanFeedbackConfig(
        message, emit, llm, default_outcome, metadata, provider, learn, learn_source, learn_strict, timeout_s
    )
    spec = _spec_of(config)

    def decorate(method: F) -> F:
        labels = {"router": True, "emits": spec.emit} if spec.emit else {}
        method.__human_feedback_config__ = config  # type: ignore[attr-defined]
        return marked(method, feedback=spec, **labels)

    return decorate


def _spec_of(config: HumanFeedbackConfig) -> FeedbackSpec:
    """Checked, and frozen."""
    if not str(config.message).strip():
        raise DefinitionError("@human_feedback(message): the message is empty; say what the person is asked")
    if config.learn or config.learn_strict:
        text = "@human_feedback: learn= is accepted and has no effect in this version"
        warnings.warn(text, UserWarning, stacklevel=4)
    labels, default = _labels(config.emit), config.default_outcome
    if labels and not config.llm:
        raise DefinitionError(
            "@human_feedback(emit=[…]) needs an llm: it finds the outcome that a person's words come to; leave llm out "
            f"for {DEFAULT_LLM}, or name a model"
        )
    if default is not None and not labels:
        raise DefinitionError(
            f"@human_feedback(default_outcome={default!r}) needs emit=[…], the outcomes that there are"
        )
    if default is not None and default not in labels:
        raise DefinitionError(
            f"@human_feedback(default_outcome={default!r}): it is none of the outcomes {', '.join(labels)}"
        )
    if config.timeout_s is not None and labels and default is None:
        raise DefinitionError("@human_feedback(timeout_s=…) needs default_outcome=: what counts when nobody answers")
    provider = config.provider
    if provider is not None and (
        isinstance(provider, type) or not callable(getattr(provider, "request_feedback", None))
    ):
        raise DefinitionError(
            f"@human_feedback(provider={provider!r}): give an object (not its class) with request_feedback(context, flow)"
        )
    metadata = dict(config.metadata or {})
    try:
        canonical_json(metadata)
        timeout_s = checked_deadline(config.timeout_s)
        llm = as_config(config.llm, "@human_feedback") if labels else None
    except (TypeError, ValueError) as error:
        what = "" if isinstance(error, ConfigurationError) else "metadata="
        raise DefinitionError(f"@human_feedback: {what}{error}") from error
    return FeedbackSpec(config.message, labels, default, llm, metadata, provider, timeout_s)


def _labels(emit: Sequence[str] | None) -> tuple[str, ...]:
    if emit is None:
        return ()
    if isinstance(emit, str) or not all(type(label) is str and label.strip() for label in emit):
        raise DefinitionError(
            f"@human_feedback(emit={emit!r}): it is a list of labels, such as ['approved', 'rejected']"
        )
    labels = tuple(emit)
    if not labels:
        raise DefinitionError("@human_feedback(emit=[]): name the outcomes, or leave emit out")
    if len({label.casefold() for label in labels}) < len(labels):
        raise DefinitionError(f"@human_feedback(emit={list(labels)}): an outcome is named twice")
    return labels
