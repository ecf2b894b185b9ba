"""What to do about a failure, by its code: one sentence each. Decisions of a table; nothing is looked up."""

from __future__ import annotations

from jackstay.core.failures import Failure

BY_CODE = {
    "authentication": "The provider refused the key: set the right one in the environment or .env, then resume.",
    "missing_key": "Set the variable that the message names, in the environment or .env, then resume.",
    "quota": "The account's credit is used up; waiting does not help. Top it up, or resume with another model.",
    "rate_limited": "The provider wants fewer requests: wait and resume, set a limit in jackstay.toml or max_rpm, or "
    "give the model a fallback.",
    "overloaded": "The provider is overloaded: resume later, or give the model a fallback.",
    "server_error": "The provider failed, and went on failing: resume later, or give the model a fallback.",
    "connection": "The provider could not be reached: check the network and proxies (jackstay doctor --online), then resume.",
    "model_timeout": "The model did not answer in time: resume, or allow more with LLM(timeout=…).",
    "unreadable": "What came was no answer: check base_url and proxies, then resume.",
    "rejected": "The provider refused the request itself and will do so again: change what the message names, then resume.",
    "context_window": "The messages are longer than the model reads: shorten inputs and tools' results, or take another model.",
    "content_refused": "The provider's content policy refused it and will do so again: change the prompt or the input, then "
    "replay from that task.",
    "unknown_model": "Name a model that a provider has: provider/model.",
    "output": "The answer did not fit the schema: say more in expected_output, make the schema simpler, or take a larger model.",
    "guardrail": "The guardrail rejected every answer: say in expected_output what it wants, or correct the guardrail.",
    "max_iterations": "The agent did not come to an end: narrow the task, check what its tools return, or raise max_iter.",
    "no_progress": "The agent did the same again and again: check what the tool returns, or say in the task what to do then.",
    "tool_failed": "The tool said that it failed, and its policy ends the run: repair what it needs, then resume.",
    "tool_server": "The server of tools cannot be reached: start it, then resume.",
    "hook_aborted": "A hook of yours forbade it: change what it forbids, or the hook.",
    "budget": "Raise the budget with the command below, or take a cheaper model.",
    "deadline": "A resumed run has the same time again, and what is recorded takes none of it. Else raise the time limit.",
    "storage": "Repair what the message names; nothing that was recorded is lost.",
    "database_too_new": "Use the version of Jackstay that wrote the database, or a newer one.",
    "migration_needed": "Run jackstay db upgrade.",
    "missing_variable": "Pass the input that is missing: a run with other inputs is a new one.",
    "missing_extra": "Install the extra that the message names.",
    "definition": "Correct the definition, then resume.",
    "definition_changed": "Resume without --strict, or put the definition back.",
    "max_method_calls": "The flow goes round without an end: check its routers, or raise max_method_calls.",
}
BY_REASON = {
    "interrupted": "Its process ended before the run did. Nothing that was recorded is lost: resume it.",
    "cancelled": "Somebody stopped it. It goes on where it was when it is resumed.",
}
OWN_CODE = "Your own code raised it: correct it at the line below, then resume; what is recorded is not done again."
OWN_TOOL = "A tool of yours raised it: correct it, then resume; what is recorded is not done again."


def advice(failure: Failure | None, *, in_tool: bool = False) -> str:
    """For a failure that ended a run."""
    if failure is None:
        return ""
    return BY_CODE.get(failure.code) or (OWN_TOOL if in_tool else OWN_CODE)
