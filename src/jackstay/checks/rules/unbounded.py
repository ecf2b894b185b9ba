"""An agent that may go on and on: with tools, and no max_iter, budget or deadline anywhere around it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from jackstay.checks.finding import Finding
from jackstay.checks.program import Program, Project, is_true, keyword

NAME = "unbounded-agent"
_BOUNDS = ("max_iter", "max_execution_time")


def check(program: Program, project: Project) -> Iterator[Finding]:
    if project.gives("budget", "deadline_s") or "budgets" in project.settings:
        return
    for call in program.calls("Agent"):
        if _may_loop(call) and not any(keyword(call, bound) is not None for bound in _BOUNDS):
            yield Finding(
                NAME,
                "warn",
                program.shown,
                call.lineno,
                "this agent has tools, and nothing but the default of 25 turns bounds what it does and costs",
                "give it max_iter=…, or the kickoff a bound: budget=Budget(usd='0.50'), deadline_s=120",
            )


def _may_loop(call: ast.Call) -> bool:
    """Without tools the first answer is the last; `**config` may say anything."""
    if any(each.arg is None for each in call.keywords):
        return False
    tools = keyword(call, "tools") or keyword(call, "mcps")
    given = tools is not None and not (isinstance(tools, ast.List) and not tools.elts)
    return given or is_true(keyword(call, "allow_delegation"))
