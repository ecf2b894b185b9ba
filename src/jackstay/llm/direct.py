"""`LLM.call` outside an agent: a step of the run around it, else a run of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jackstay.core.canonical import canonical_json
from jackstay.core.messages import Answer, Question
from jackstay.engine.asked import Kickoff
from jackstay.engine.asker import Ask
from jackstay.engine.bridge import run_async, run_sync
from jackstay.engine.concealing import masked_conversation
from jackstay.engine.home import Home
from jackstay.engine.kickoff import belonging_to, start
from jackstay.engine.model_call import call_model
from jackstay.engine.runtime import Runtime, current_runtime
from jackstay.engine.scope import Scope, current_scope

if TYPE_CHECKING:
    from jackstay.llm.llm import LLM


def call_sync(llm: LLM, question: Question, response_model: Any) -> Any:
    runtime = current_runtime()
    return _presented(run_sync(runtime, lambda home: _ask(runtime, home, llm, question)), response_model)


async def call_async(llm: LLM, question: Question, response_model: Any) -> Any:
    runtime = current_runtime()
    return _presented(await run_async(runtime, lambda home: _ask(runtime, home, llm, question)), response_model)


async def _ask(runtime: Runtime, home: Home, llm: LLM, question: Question) -> Answer:
    config = llm.to_config()
    runtime.masked.refresh()
    question = replace(question, conversation=masked_conversation(question.conversation, runtime.masked.secrets))
    scope = current_scope()

    async def in_scope(scope: Scope) -> Answer:
        mine = scope.run.models.model_for(config)
        scope.run.models.chain_asker(config, owner="LLM.call")
        asked = Question(scope.run.models.asked_for(config), *_rest(question))
        path = scope.hashed("llm", asked.hash())
        answer = await call_model(scope, Ask(mine, asked), path=path)
        # The answer goes to user code, which may act on it at once.
        await scope.run.writer.flush()
        scope.run.check(scope)
        return answer

    if scope is not None:
        with belonging_to(scope):
            return await in_scope(scope)
    kickoff = Kickoff(
        kind="llm",
        name=config.model or "llm",
        inputs={},
        fingerprint=question.hash(),
        body=in_scope,
        encode=lambda answer: canonical_json(answer.to_json()),
        decode=lambda text: Answer.from_json(json.loads(text)),
        models=((config, "LLM.call"),),
    )
    answer: Answer = (await start(runtime, home, kickoff)).result
    return answer


def _rest(question: Question) -> tuple[Any, ...]:
    return (question.conversation, question.tools, question.sampling, question.output)


def _presented(answer: Answer, response_model: Any) -> Any:
    if answer.tool_calls:
        return [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in answer.tool_calls
        ]
    return answer.text if response_model is None else response_model.model_validate_json(answer.text)
