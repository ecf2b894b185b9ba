"""A long flow that begins at the beginning after a crash."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from jackstay.checks.finding import Finding
from jackstay.checks.program import Function, Program, Project, keyword, text_of

NAME = "not-persisted"
_LONG = 2
"""Kickoffs in a flow that are worth not to be paid for twice."""
_HERE = ("run_key", "resume", "restore_from_state_id")


def check(program: Program, project: Project) -> Iterator[Finding]:
    for call in program.calls("Runtime"):
        if text_of(keyword(call, "durability")) == "off":
            yield Finding(
                NAME,
                "warn",
                program.shown,
                call.lineno,
                "durability='off' keeps nothing beyond this process: a crash loses every run",
                "leave it out: the journal costs a few milliseconds a run",
            )
    if project.gives(*_HERE) or project.reads("JACKSTAY_RUN_KEY"):
        return
    for flow in program.flows:
        persisted = any(
            _is_persist(program, each) for each in (flow, *(m for m in flow.body if isinstance(m, Function)))
        )
        if not persisted and _kickoffs_in(program, flow) >= _LONG:
            yield Finding(
                NAME,
                "warn",
                program.shown,
                flow.lineno,
                f"the flow {flow.name!r} kicks off several crews, and a second start of the program begins all of them again",
                "name the run: kickoff(run_key='…') goes on where it stopped; or @persist for its state",
            )


def _is_persist(program: Program, node: ast.ClassDef | Function) -> bool:
    return any(program.names_ours(d.func if isinstance(d, ast.Call) else d, "persist") for d in node.decorator_list)


def _kickoffs_in(program: Program, flow: ast.ClassDef) -> int:
    """In methods of different kinds or in a loop: one crew alone is not long."""
    inside = [each for each in program.kickoffs if any(outer is flow for outer in program.around(each.call))]
    looped = any(isinstance(outer, ast.For | ast.While) for each in inside for outer in program.around(each.call))
    return _LONG if looped else len(inside)
