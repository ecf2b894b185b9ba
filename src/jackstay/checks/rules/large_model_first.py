"""A large model before the program has ever run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from jackstay.checks.finding import Finding
from jackstay.checks.program import Program, Project, keyword, text_of

NAME = "large-model-first"
_SMALL = re.compile(r"mini|nano|small|haiku|flash|lite|sim/", re.IGNORECASE)
_LARGE = re.compile(r"gpt-4|gpt-5|\bo[134]\b|opus|sonnet|gemini-[\w.]*-?pro|mistral-large|grok", re.IGNORECASE)


def check(program: Program, project: Project) -> Iterator[Finding]:
    if project.last_run is not None:
        return
    given = [(call.lineno, model) for call in program.calls("Agent") for model in _models(keyword(call, "llm"))]
    for call in program.calls("LLM"):
        asked = call.args[0] if call.args else keyword(call, "model")
        given += [(call.lineno, model) for each in (asked, keyword(call, "fallbacks")) for model in _models(each)]
    if given and all(_LARGE.search(model) and not _SMALL.search(model) for _, model in given):
        line, model = min(given)
        yield Finding(
            NAME,
            "note",
            program.shown,
            line,
            f"the program has no recorded run yet, and asks {model} from the first",
            "try it out on a small one, without a change: jackstay run PATH --model gpt-4o-mini (or sim/demo, which costs nothing)",
        )


def _models(node: ast.AST | None) -> list[str]:
    """The names that are written out: one, or those of a list."""
    parts = node.elts if isinstance(node, ast.List) else [node]
    return [text for part in parts if (text := text_of(part))]
