"""Where in a run the calling code is, in words: what log lines carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jackstay.engine.scope import current_scope


def context_here(where: Callable[[str, str], Mapping[str, Any]] | None = None) -> Mapping[str, Any]:
    """Run, path, crew or flow, task, agent, and the ids of trace and span; empty outside of runs. `where`: what is known
    besides of a place in a run."""
    scope = current_scope()
    if scope is None:
        return {}
    row, path = scope.run.row, scope.path
    found = {
        "run_id": row.id,
        "path": path or None,
        "crew": scope.about.crew or (row.name if row.kind == "crew" else None),
        "flow": scope.about.flow or (row.name if row.kind == "flow" else None),
        "task": scope.task,
        "agent": scope.agent,
        "trace_id": scope.run.span_ids.trace,
        "span_id": scope.run.span_ids.of(path),
        **(where(row.id, path) if where is not None else {}),
    }
    masked = scope.run.secrets.in_name
    return {key: masked(value) for key, value in found.items() if value is not None}
