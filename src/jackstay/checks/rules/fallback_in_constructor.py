"""A fallback model in an `except` around a constructor, which never asks a model."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from jackstay.checks.finding import Finding
from jackstay.checks.program import KICKOFFS, Program, Project

NAME = "fallback-in-constructor"
_MADE = ("Agent", "Crew", "LLM")


def check(program: Program, project: Project) -> Iterator[Finding]:
    for node in program.walk(ast.Try):
        if not isinstance(node, ast.Try):
            continue
        tried = _made(program, node.body)
        again = any(_made(program, handler.body) for handler in node.handlers)
        if tried is not None and again and not _asks(node.body):
            yield Finding(
                NAME,
                "warn",
                program.shown,
                tried.lineno,
                "making an agent asks no model: this except never sees an outage, and the fallback is never used",
                "name the fallbacks where the model is asked: LLM('gpt-4o', fallbacks=['gpt-4o-mini'])",
            )


def _made(program: Program, body: list[ast.stmt]) -> ast.Call | None:
    for part in body:
        for call in ast.walk(part):
            if isinstance(call, ast.Call) and program.names_ours(call.func, *_MADE):
                return call
    return None


def _asks(body: list[ast.stmt]) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr in (*KICKOFFS, "call", "acall")
        for part in body
        for node in ast.walk(part)
    )
