"""The user's code as the rules look at it: syntax trees with a few questions that several rules ask. Nothing is executed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

KICKOFFS = frozenset({"kickoff", "akickoff", "kickoff_async"})
_HOUSES = ("jackstay", "crewai")
_IGNORED = re.compile(r"#\s*jackstay:\s*ignore(?:\[(?P<rules>[\w\s,-]+)\])?")
Function = ast.FunctionDef | ast.AsyncFunctionDef
Loop = ast.For | ast.AsyncFor | ast.While | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(frozen=True, slots=True)
class Kickoff:
    """A call that starts a crew, an agent or a flow."""

    call: ast.Call
    is_flow: bool


class Program:
    """One file. `shown` is its name in findings."""

    def __init__(self, shown: str, text: str) -> None:
        self.shown, self.text = shown, text
        self.tree = ast.parse(text, shown)
        self._lines = text.splitlines()
        self._nodes = list(ast.walk(self.tree))
        self._around = {child: node for node in self._nodes for child in ast.iter_child_nodes(node)}

    @cached_property
    def origins(self) -> Mapping[str, str]:
        """Where the names come from that are imported, on any level."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
            elif isinstance(node, ast.Import):
                found |= {each.asname or each.name.partition(".")[0]: each.name for each in node.names}
        return found

    @cached_property
    def is_ours(self) -> bool:
        """Whether it uses Jackstay, or CrewAI's names."""
        return any(origin.partition(".")[0] in _HOUSES for origin in self.origins.values())

    def name_of(self, node: ast.AST) -> str:
        """`requests.post`, with imports followed; empty for what is no name."""
        if isinstance(node, ast.Name):
            return self.origins.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            before = self.name_of(node.value)
            return f"{before}.{node.attr}" if before else ""
        return ""

    def names_ours(self, node: ast.AST, *names: str) -> bool:
        """Whether it is one of our classes or functions of these names."""
        house, _, _ = (full := self.name_of(node)).partition(".")
        return house in _HOUSES and full.rpartition(".")[2] in names

    def walk(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        return (node for node in self._nodes if isinstance(node, kinds))

    def calls(self, *names: str) -> Iterator[ast.Call]:
        """Calls of our classes or functions, in the order of the text."""
        found = [
            node for node in self.walk(ast.Call) if isinstance(node, ast.Call) and self.names_ours(node.func, *names)
        ]
        return iter(sorted(found, key=lambda call: call.lineno))

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """What encloses it, innermost first."""
        while (outer := self._around.get(node)) is not None:
            yield outer
            node = outer

    def function_around(self, node: ast.AST) -> Function | None:
        return next((each for each in self.around(node) if isinstance(each, Function)), None)

    @cached_property
    def flows(self) -> Sequence[ast.ClassDef]:
        """Classes that are flows, by their own base or a base in this file."""
        classes = [node for node in self.walk(ast.ClassDef) if isinstance(node, ast.ClassDef)]
        found: dict[str, ast.ClassDef] = {}
        for _ in classes:  # a base may stand below
            for one in classes:
                bases = [base.value if isinstance(base, ast.Subscript) else base for base in one.bases]
                if any(
                    self.names_ours(base, "Flow") or (isinstance(base, ast.Name) and base.id in found) for base in bases
                ):
                    found[one.name] = one
        return sorted(found.values(), key=lambda one: one.lineno)

    @cached_property
    def kickoffs(self) -> Sequence[Kickoff]:
        """Single ones; `kickoff_for_each` is none of them."""
        if not self.is_ours:
            return ()
        flows = {one.name for one in self.flows}
        held = {
            target.id
            for node in self.walk(ast.Assign)
            if isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and self._is_flow(node.value.func, flows)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        found = [
            Kickoff(node, self._starts_flow(node.func.value, flows, held))
            for node in self.walk(ast.Call)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in KICKOFFS
        ]
        return sorted(found, key=lambda each: each.call.lineno)

    def _starts_flow(self, receiver: ast.AST, flows: set[str], held: set[str]) -> bool:
        if isinstance(receiver, ast.Call):
            return self._is_flow(receiver.func, flows)
        name = self.name_of(receiver).rpartition(".")[2]
        return name in held or "flow" in name.lower()

    def _is_flow(self, made: ast.AST, flows: set[str]) -> bool:
        name = self.name_of(made).rpartition(".")[2]
        return name in flows or (isinstance(made, ast.Name | ast.Attribute) and name.endswith("Flow"))

    def tries_around(self, node: ast.AST) -> Iterator[ast.Try]:
        """Those whose handlers would see what it raises, innermost first, within its function."""
        inner = node
        for outer in self.around(node):
            if isinstance(outer, Function | ast.Lambda):
                return
            if isinstance(outer, ast.Try) and any(inner is each for each in outer.body) and outer.handlers:
                yield outer
            inner = outer

    def is_ignored(self, line: int, rule: str) -> bool:
        """By a comment `# jackstay: ignore[rule]` in that line."""
        found = _IGNORED.search(self._lines[line - 1]) if 0 < line <= len(self._lines) else None
        return found is not None and (found["rules"] is None or rule in re.split(r"[\s,]+", found["rules"].strip()))


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((each.value for each in call.keywords if each.arg == name), None)


def text_of(node: ast.AST | None) -> str | None:
    """The value of a text that is written out."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def is_true(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def names_in(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


@dataclass(frozen=True, slots=True)
class LastRun:
    """The program's latest run, as far as rules look at it. Counts of model calls are by task."""

    id: str
    state: str
    tools: Mapping[str, bool | None] = field(default_factory=dict)
    """Tools that were called; whether they are marked as acting."""
    failed_tools: Mapping[str, int] = field(default_factory=dict)
    calls: Mapping[str, int] = field(default_factory=dict)
    unpriced: Sequence[str] = ()
    """Models whose price is not known."""


@dataclass(frozen=True)
class Project:
    """All files that are looked at together, what `jackstay.toml` sets, the latest run."""

    programs: Sequence[Program]
    settings: Mapping[str, object] = field(default_factory=dict)
    last_run: LastRun | None = None

    def reads(self, *attributes: str) -> bool:
        """Whether any of these attributes, or a text that names one, is looked at anywhere."""
        return not self._read.isdisjoint(attributes)

    def gives(self, *keywords: str) -> bool:
        """Whether any call anywhere is given one of these arguments (and not None)."""
        return not self._given.isdisjoint(keywords)

    # Gathered once: each rule asks them of each file.

    @cached_property
    def _read(self) -> frozenset[str]:
        nodes = [node for program in self.programs for node in program.walk(ast.Attribute, ast.Constant)]
        attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        return frozenset(attributes | {text for node in nodes if (text := text_of(node)) is not None})

    @cached_property
    def _given(self) -> frozenset[str]:
        return frozenset(
            node.arg
            for program in self.programs
            for node in program.walk(ast.keyword)
            if isinstance(node, ast.keyword)
            and node.arg is not None
            and not (isinstance(node.value, ast.Constant) and node.value.value is None)
        )
