"""The date that enters a prompt. It is recorded: a resume on the next day asks the same question."""

from __future__ import annotations

import json

from jackstay.core.canonical import canonical_json, digest
from jackstay.core.specs import AgentSpec
from jackstay.engine.scope import Scope


def todays_date(scope: Scope, agent: AgentSpec) -> str | None:
    """As the agent's prompt has it; None if it is to have none."""
    if not agent.inject_date:
        return None
    run, form = scope.run, agent.date_format
    path = scope.numbered("@date")
    row = run.find(path, digest(form))
    if row is not None:
        return str(json.loads(row.result or '""'))
    began = run.began()
    today = began.at.strftime(form)
    run.defer(run.step_row(began, path, "input", "date", "succeeded", digest(form), result=canonical_json(today)))
    return today
