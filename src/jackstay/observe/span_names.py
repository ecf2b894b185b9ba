"""The names that spans have: OpenTelemetry's semantic conventions where they have one, else `jackstay.…`.

The conventions for generative AI are in development: a name changes here and nowhere else. Source: semantic conventions
1.44.0, whose names tests/unit/observe/test_span_names.py compares with `opentelemetry-semantic-conventions`. (Since then they
are kept in a repository of their own, semantic-conventions-genai, which has no release yet.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CONVENTION: Final = "1.44.0"
SCHEMA_URL: Final = f"https://opentelemetry.io/schemas/{CONVENTION}"
SCOPE: Final = "jackstay"
"""The instrumentation scope: whose spans these are."""

# Of the convention.
OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
AGENT: Final = "gen_ai.agent.name"
WORKFLOW: Final = "gen_ai.workflow.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_STREAM: Final = "gen_ai.request.stream"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHED_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
TOOL: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_RESULT: Final = "gen_ai.tool.call.result"
ERROR_TYPE: Final = "error.type"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
SERVICE: Final = "service.name"

# Values of `gen_ai.operation.name`.
CHAT: Final = "chat"
EXECUTE_TOOL: Final = "execute_tool"
INVOKE_AGENT: Final = "invoke_agent"
INVOKE_WORKFLOW: Final = "invoke_workflow"

# Ours.
RUN: Final = "jackstay.run.id"
RUN_KIND: Final = "jackstay.run.kind"
RUN_STATUS: Final = "jackstay.run.status"
RUN_REASON: Final = "jackstay.run.reason"
RUN_EPOCH: Final = "jackstay.run.epoch"
"""Which process's share of the run: 1, and one more with every resume."""
SESSION: Final = "jackstay.session.id"
PATH: Final = "jackstay.step.path"
KIND: Final = "jackstay.step.kind"
STATUS: Final = "jackstay.step.status"
REVISION: Final = "jackstay.step.revision"
ATTEMPTS: Final = "jackstay.step.attempts"
TASK: Final = "jackstay.task.name"
METHOD: Final = "jackstay.method.name"
GUARDRAIL: Final = "jackstay.guardrail.name"
COST: Final = "jackstay.cost_usd"
FLAGS: Final = "jackstay.step.flags"
TRIED: Final = "jackstay.model.tried"
"""The requests before the last one, and the models that were passed over: `model: code`, one each."""
RESULT: Final = "jackstay.task.result"

PROVIDERS: Final[Mapping[str, str]] = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "xai": "x_ai",
}
"""Where the convention's word for a provider is another one than ours."""
