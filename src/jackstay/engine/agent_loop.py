"""The one agent loop: ask, execute the tools that the model calls, ask again, up to `max_iter`; then a forced answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jackstay.core import prompts, react
from jackstay.core.canonical import canonical_json, digest
from jackstay.core.messages import Answer, Conversation, Message, OutputSchema, Question, ToolCall
from jackstay.core.progress import standstill, turn_of
from jackstay.core.sizes import text_tokens
from jackstay.core.specs import AgentSpec, ModelConfig, OutputSpec, ToolDef
from jackstay.engine.asker import Ask
from jackstay.engine.concealing import masked_message
from jackstay.engine.fitting import Window
from jackstay.engine.model_call import call_model
from jackstay.engine.scope import Scope
from jackstay.engine.together import together
from jackstay.engine.tool_call import call_tool
from jackstay.engine.user_code import call_user
from jackstay.errors import JackstayError, ModelContextExceeded, NoFinalAnswer, NoProgress, OutputError

OUTPUT_TRIES = 3
"""How often a model is told that its final answer does not fit the schema before the task fails."""


@dataclass(frozen=True, slots=True)
class AgentFinish:
    """What `step_callback` is called with when the agent has answered. The names are CrewAI's."""

    output: str
    """The answer's text."""

    @property
    def text(self) -> str:
        return self.output


@dataclass(frozen=True, slots=True)
class AgentResult:
    text: str
    value: Any
    """The object of a structured output; None without one."""
    conversation: Conversation


async def run_agent(
    scope: Scope,
    agent: AgentSpec,
    user: str,
    tools: Sequence[ToolDef],
    output: OutputSpec | None = None,
    *,
    after: Conversation | None = None,
) -> AgentResult:
    """The agent's final answer to a prompt. `after`: a conversation that goes on with the prompt, as its next message.

    Raises `NoFinalAnswer` when `max_iter` is used up and the forced answer is no answer either, `OutputError` when
    the answer never fits the schema, and whatever the model calls raise.
    """
    return await _Loop(scope, agent, user, tools, output, after).perform()


class _Loop:
    def __init__(
        self,
        scope: Scope,
        agent: AgentSpec,
        user: str,
        tools: Sequence[ToolDef],
        output: OutputSpec | None,
        after: Conversation | None,
    ) -> None:
        self.scope, self.agent, self.output = scope, agent, output
        if scope.about.agent is not agent:
            scope.about = replace(scope.about, agent=agent)
        self.config: ModelConfig = scope.run.models.model_for(agent.model)
        self.tools = {tool.spec.name: tool for tool in tools}
        self.native = scope.run.models.chain_asker(agent.model, owner=f"agent '{agent.role}'").native_tools
        self.requested = scope.run.models.asked_for(agent.model)
        described = () if self.native else tuple(tool.spec for tool in tools)
        secrets = scope.run.secrets
        opening = [masked_message(message, secrets) for message in prompts.opening(agent, user, described)]
        asked = Message("user", secrets.masked(user))
        self.conversation = Conversation.of(opening) if after is None else after.add(asked)
        self.window = Window(scope, agent, tools)
        self.unfit = 0
        self.turns: list[str] = []
        """Those with tool calls, since one that was waiting for the world."""
        self._settle()

    def _settle(self) -> None:
        """What stands beside the messages in the questions to come."""
        reads_on = self.window.tool
        if reads_on is not None:
            self.tools[reads_on.spec.name] = reads_on
        settings = self._question(forced=False).settings()
        self.settings = digest(settings)
        self.beside = text_tokens(canonical_json([settings["tools"], settings["output"]]))

    async def perform(self) -> AgentResult:
        result = await self._answered()
        await self._step_callback(AgentFinish(result.text))
        return result

    async def _answered(self) -> AgentResult:
        for _ in range(self.agent.max_iter):
            answer = await self._ask()
            calls = self._calls(answer)
            self.conversation = self.conversation.add(answer.message())
            if calls:
                said = await self._use(calls)
                if said is not None and self.output is None:
                    return AgentResult(said, None, self.conversation)
                result = await self._final(said) if said is not None else None
                if result is not None:
                    return result
                continue
            text = answer.text if self.native else react.without_debris(answer.text)
            result = await self._final(text)
            if result is not None:
                return result
        return await self._forced()

    async def _ask(self, *, forced: bool = False) -> Answer:
        while True:
            await self._make_fit()
            ask = Ask(self.config, self._question(forced=forced))
            settings = None if forced else self.settings
            try:
                return await call_model(self.scope, ask, path=self.scope.numbered("llm"), settings_digest=settings)
            except ModelContextExceeded:
                if not self.window.narrow(self.conversation, self.beside):
                    raise
            except Exception as error:
                if not self._may_ask_again(error):
                    raise

    async def _make_fit(self) -> None:
        known = len(self.window.texts.whole)
        self.conversation = await self.window.fit(self.conversation, self.beside, self._summed_up)
        if len(self.window.texts.whole) != known:
            self._settle()

    async def _summed_up(self, messages: Sequence[Message]) -> str:
        """A step of the task that nobody listens to."""
        scope, path = self.scope.child(self.scope.path), self.scope.numbered("summary")
        scope.listener = None
        question = Question(self.requested, Conversation.of(messages), (), self.config.sampling)
        return (await call_model(scope, Ask(self.config, question), path=path)).text

    def _may_ask_again(self, error: Exception) -> bool:
        """`max_retry_limit`, counted over the whole task: for what users' models raise. Our own errors were tried again
        by the pipeline as long as that made sense (engine rule 18), and a time limit leaves no time (CrewAI's rule)."""
        scope = self.scope
        if isinstance(error, JackstayError | TimeoutError) or scope.run.stopped(scope) is not None:
            return False
        scope.retried += 1
        if scope.retried > self.agent.max_retry_limit:
            return False
        model = self.requested[0]
        scope.run.tell("retry", scope.path, attempt=scope.retried, wait_s=0.0, error=str(error), model=model)
        return True

    def _question(self, *, forced: bool) -> Question:
        sampling = self.config.sampling
        specs = tuple(tool.spec for tool in self.tools.values()) if self.native else ()
        if forced and specs:
            sampling = replace(sampling, tool_choice="none")
        if not self.native and self.tools:
            sampling = replace(sampling, stop=(*sampling.stop, "\nObservation:"))
        if ends := prompts.ends_with(self.agent):
            sampling = replace(sampling, stop=(*sampling.stop, ends))
        # With tools in play the answer's form is asked for in the prompt: a native schema would forbid tool calls
        # with some providers.
        schema: OutputSchema | None = None if self.output is None or specs else self.output.schema
        return Question(self.requested, self.conversation, specs, sampling, schema)

    def _calls(self, answer: Answer) -> tuple[ToolCall, ...]:
        if self.native:
            return answer.tool_calls
        said = react.parse(answer.text) if self.tools else answer.text
        return (ToolCall("", said.tool, said.arguments),) if isinstance(said, react.Action) else ()

    async def _use(self, calls: Sequence[ToolCall]) -> str | None:
        """Executes a turn's calls side by side; their paths follow the answer's order. The text of a result that is
        to be the answer, if there is one."""
        if len(calls) == 1:
            results = [await self._call(calls[0])]
        else:
            # `call_tool` takes its path before it first waits, so that the order of the answer is kept.
            results = await together([self._call(call) for call in calls])
        known = len(self.window.texts.whole)
        messages = [self.window.shown(message) for message, _ in results]
        if len(self.window.texts.whole) != known:
            self._settle()
        said = [(call, message.content) for call, message in zip(calls, messages, strict=True)]
        if not self.native:
            messages = [Message("user", f"Observation: {message.content}") for message in messages]
        self.conversation = self.conversation.add(*messages)
        await self._step_callback(calls)
        answer = next((message.content for message, final in results if final), None)
        if answer is None:
            self._check_progress(said)
        return answer

    async def _call(self, call: ToolCall) -> tuple[Message, bool]:
        return await call_tool(self.scope, self.tools, call, self.agent.tool_failure_policy)

    def _check_progress(self, said: Sequence[tuple[ToolCall, str]]) -> None:
        """Raises `NoProgress` when the turns go round in circles: the next ones would only be paid for."""
        if any(call.name in self.tools and self.tools[call.name].polling for call, _ in said):
            self.turns.clear()
            return
        self.turns.append(turn_of(said))
        circle = standstill(self.turns)
        if circle is not None:
            call = said[-1][0]
            shown = self.scope.run.secrets.masked(call.arguments)[:200]
            raise NoProgress(
                f"agent '{self.agent.role}' {circle} (last: {call.name}({shown})); say in the task what to do "
                "when the tool has nothing more, mend the tool, or mark one that waits for something with polling=True"
            )

    async def _step_callback(self, step: Any) -> None:
        callback: Callable[..., Any] | None = self.agent.step_callback
        if callback is not None:
            await call_user(self.scope, callback, step)

    async def _final(self, text: str) -> AgentResult | None:
        """The result, or None: the model has been told what is wrong with its answer and is asked again."""
        if self.output is None:
            if not text.strip() or (self.tools and react.is_debris(text) and not self.native):
                self.conversation = self.conversation.add(Message("user", prompts.EMPTY_ANSWER))
                return None
            return AgentResult(text, None, self.conversation)
        try:
            return AgentResult(text, self.output.parse(text), self.conversation)
        except ValueError as error:
            self.unfit += 1
            if self.unfit > OUTPUT_TRIES:
                raise OutputError(
                    f"the answer of agent '{self.agent.role}' does not fit {self.output.schema.name} after "
                    f"{self.unfit} tries: {error}; simplify the model or say more in expected_output"
                ) from error
            self.conversation = self.conversation.add(Message("user", prompts.unfit_output_text(str(error))))
            return None

    async def _forced(self) -> AgentResult:
        self.conversation = self.conversation.add(Message("user", prompts.FORCED_ANSWER))
        answer = await self._ask(forced=True)
        self.conversation = self.conversation.add(answer.message())
        text = react.without_debris(answer.text)
        if answer.tool_calls or react.is_debris(text):
            raise NoFinalAnswer(
                f"agent '{self.agent.role}' used up max_iter={self.agent.max_iter} and gave no final answer when it "
                "was told to; raise max_iter, narrow the task, or check what its tools return"
            )
        result = await self._final(text)
        if result is None:
            raise NoFinalAnswer(
                f"agent '{self.agent.role}' used up max_iter={self.agent.max_iter} without a usable answer"
            )
        return result
