"""`LLM`: a model by name, with CrewAI's arguments. It describes; the wire is found when the first call is near."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from jackstay.core.canonical import canonical_json
from jackstay.core.deadline import checked_deadline
from jackstay.core.messages import Conversation, Message, OutputSchema, Question, Role, Sampling, ToolCall, ToolSpec
from jackstay.core.retry import Retry
from jackstay.core.specs import ModelConfig, Secret
from jackstay.errors import ConfigurationError
from jackstay.llm.base_llm import BaseLLM

_CLIENT_OPTIONS = ("account", "location", "profile_name", "region_name")
"""Of the client, not of the question: not sent with it and not stored."""
_CREDENTIAL = re.compile(r"(^|_)(key|secret|token|password|credential|credentials)(_|$)")
_ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")


class LLM(BaseLLM):
    """A model, e.g. `LLM("gpt-4o-mini", temperature=0.2)` or `LLM("anthropic/claude-sonnet-4-5")`.

    `model=None` takes MODEL, MODEL_NAME or OPENAI_MODEL_NAME from the environment, else `gpt-4.1-mini`. `timeout` is
    in seconds, for one request; `deadline_s` for one call with its retries and fallbacks. `fallbacks`: models that
    answer where this one does not, in order (names, or `LLM`s with settings of their own); a name is asked with this one's settings. `cache_ttl_s`: an equal
    question is answered from the journal if it was answered no longer ago. `prompt_caching`: mark the prompt for the
    provider's cache. Arguments that only some providers know are passed on in the request's body.
    """

    def __init__(  # noqa: PLR0913 - CrewAI's names
        self,
        model: str | None = None,
        temperature: float | None = None,
        *,
        timeout: float | None = None,
        deadline_s: float | None = None,
        max_tokens: int | None = None,
        max_completion_tokens: int | None = None,
        top_p: float | None = None,
        stop: str | list[str] | None = None,
        seed: int | None = None,
        presence_penalty: float | None = None,
        frequency_penalty: float | None = None,
        logit_bias: Mapping[str, float] | None = None,
        reasoning_effort: str | None = None,
        base_url: str | None = None,
        api_base: str | None = None,
        api_key: str | None = None,
        api_version: str | None = None,
        provider: str | None = None,
        stream: bool = False,
        api: Literal["completions", "responses"] = "completions",
        default_headers: Mapping[str, str] | None = None,
        organization: str | None = None,
        project: str | None = None,
        context_window_size: int | None = None,
        native_tools: bool | None = None,
        fallbacks: Sequence[Any] = (),
        retry: Retry | None = None,
        cache_ttl_s: float | None = None,
        prompt_caching: bool = False,
        custom_openai: bool = False,
        **extra: Any,
    ) -> None:
        stops = [stop] if isinstance(stop, str) else list(stop or ())
        super().__init__(model or "", temperature, stop=stops, **extra)
        if extra.pop("n", 1) not in (None, 1):
            raise ConfigurationError("LLM(n=…): one answer per call is all that an agent can use; leave n out")
        _drop_meaningless(extra)
        options = {"organization": organization, "project": project}
        options |= {name: extra.pop(name) for name in _CLIENT_OPTIONS if name in extra}
        _check_sendable(extra)
        self._config = ModelConfig(
            model=model or "",
            sampling=Sampling(
                temperature=temperature,
                top_p=top_p,
                max_tokens=max_completion_tokens if max_tokens is None else max_tokens,
                stop=tuple(stops),
                seed=seed,
                presence_penalty=presence_penalty,
                frequency_penalty=frequency_penalty,
                logit_bias=logit_bias,
                reasoning_effort=reasoning_effort,
                extra=dict(extra),
            ),
            provider="openai" if custom_openai else provider,
            base_url=base_url or api_base,
            api_key=Secret(api_key) if api_key else None,
            api_version=api_version,
            headers=dict(default_headers or {}),
            timeout_s=timeout,
            deadline_s=checked_deadline(deadline_s),
            stream=stream,
            api=api,
            native_tools=native_tools,
            context_window=context_window_size,
            options={name: value for name, value in options.items() if value},
            retry=retry,
            cache_ttl_s=cache_ttl_s,
            prompt_caching=prompt_caching,
            reads_environment=not model,
        )
        self._config = with_fallbacks(self._config, fallbacks, f"LLM({model!r})")

    def __repr__(self) -> str:
        return f"LLM({self._config.model or 'from the environment'!r})"

    def to_config(self) -> ModelConfig:
        return self._config

    def supports_function_calling(self) -> bool:
        return self._config.native_tools is not False

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
        """The answer's text (or, with `response_model`, an object of it; with tools called, the list of calls).

        Inside a run the call is a step of it; elsewhere it is a run of its own.
        """
        from jackstay.llm.direct import call_sync  # the engine is loaded with the first call

        return call_sync(self, question_of(self._config, messages, tools, response_model), response_model)

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
        """As `call`, to be awaited."""
        from jackstay.llm.direct import call_async  # the engine is loaded with the first call

        return await call_async(self, question_of(self._config, messages, tools, response_model), response_model)


def as_config(llm: Any, owner: str) -> ModelConfig:
    """What people pass as `llm=`: None, a model's name, an `LLM`, a `BaseLLM` of their own, or a list of these: a model
    and its fallbacks."""
    if isinstance(llm, list | tuple):
        if not llm:
            raise ConfigurationError(f"llm of {owner} is an empty list; name a model")
        return with_fallbacks(as_config(llm[0], owner), llm[1:], owner)
    if llm is None:
        return LLM().to_config()
    if isinstance(llm, str):
        return ModelConfig(model=llm)
    if isinstance(llm, BaseLLM):
        return llm.to_config()
    if isinstance(llm, Mapping):
        if not llm.get("model"):
            raise ConfigurationError(
                f"llm of {owner} is a dict that names no model: {', '.join(map(str, llm))}; add 'model'"
            )
        return LLM(**llm).to_config()
    raise ConfigurationError(
        f"llm of {owner} is a {type(llm).__name__}; pass a model's name ('gpt-4o-mini'), an LLM(…), or a BaseLLM of "
        "your own"
    )


def with_fallbacks(config: ModelConfig, fallbacks: Sequence[Any], owner: str) -> ModelConfig:
    """The model with these behind it. None of them is looked up before it is needed."""
    if isinstance(fallbacks, str) or not all(fallbacks):
        raise ConfigurationError(f"the fallbacks of {owner} are a list of models: ['gpt-4o-mini', 'anthropic/…']")
    members = [config.named(each) if isinstance(each, str) else as_config(each, owner) for each in fallbacks]
    return replace(config, fallbacks=(*config.fallbacks, *members)) if members else config


def question_of(
    config: ModelConfig,
    messages: str | list[dict[str, Any]],
    tools: list[dict[str, Any]] | None,
    response_model: Any,
) -> Question:
    given = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    specs = []
    for tool in tools or ():
        body = tool.get("function", tool)
        specs.append(ToolSpec(body["name"], body.get("description", ""), body.get("parameters", {"type": "object"})))
    output = None
    if response_model is not None:
        output = OutputSchema(response_model.__name__, response_model.model_json_schema())
    conversation = Conversation.of([message_of(message) for message in given])
    return Question((config.model,), conversation, tuple(specs), config.sampling, output)


def message_of(body: Mapping[str, Any]) -> Message:
    role = body.get("role")
    if role not in _ROLES:
        raise ConfigurationError(f"a message has the role {role!r}; it is one of {', '.join(_ROLES)}")
    calls = tuple(
        ToolCall(c.get("id", ""), c["function"]["name"], c["function"]["arguments"])
        for c in body.get("tool_calls") or ()
    )
    content = body.get("content") or ""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return Message(role, text, calls, body.get("tool_call_id", ""), body.get("name", ""))


def _check_sendable(extra: Mapping[str, Any]) -> None:
    """What is passed on in a request's body is stored with it: it has to be JSON, and no secret may be among it."""
    for name, value in extra.items():
        if _CREDENTIAL.search(name.lower()):
            raise ConfigurationError(
                f"LLM({name}=…) looks like a credential, and arguments that are passed on are stored with the question; "
                "put it into api_key=, default_headers= or the provider's environment variable"
            )
        try:
            canonical_json(value)
        except (TypeError, ValueError) as error:
            hint = "; for a structured answer use output_pydantic of a task, or llm.call(…, response_model=…)"
            raise ConfigurationError(
                f"LLM({name}=…) is a {type(value).__name__}, which cannot be sent in a request: {error}"
                f"{hint if name == 'response_format' else ''}"
            ) from error


def _drop_meaningless(extra: dict[str, Any]) -> None:
    """Arguments of CrewAI's that say nothing to us: retries are the pipeline's, callbacks are the observers'."""
    for name in ("is_litellm", "callbacks", "interceptor", "max_retries", "additional_params", "thinking"):
        extra.pop(name, None)
