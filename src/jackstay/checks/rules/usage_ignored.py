"""Tokens and cost that nobody looks at."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from jackstay.checks.finding import Finding
from jackstay.checks.program import Program, Project

NAME = "usage-ignored"
_LOOKED_AT = ("token_usage", "usage_metrics", "cost_usd", "summary", "usage")


def check(program: Program, project: Project) -> Iterator[Finding]:
    if project.reads(*_LOOKED_AT) or project.gives("budget") or "budgets" in project.settings:
        return
    lines = [each.call.lineno for each in program.kickoffs if not each.is_flow]
    lines += [node.lineno for node in program.walk(ast.Call) if isinstance(node, ast.Call) and _is_each(node)]
    if lines and program.is_ours:
        yield Finding(
            NAME,
            "warn",
            program.shown,
            min(lines),
            "nobody looks at what this uses: tokens and cost of a run are never read, and no budget bounds them",
            "read result.token_usage and result.cost_usd, or give a budget: kickoff(budget=Budget(usd='0.50'))",
        )


def _is_each(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and "kickoff_for_each" in call.func.attr
