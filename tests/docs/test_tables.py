"""Lists of the documentation are those of the code: errors, providers, arguments without effect, rules."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

import pytest

from jackstay import errors
from jackstay.crew import accepted
from jackstay.models.provider import Provider
from jackstay.models.sim import PROVIDER as SIMULATED
from jackstay.models.table import COMPATIBLE, ROWS
from tests.docs.pages import PAGES, ROOT

SOURCE = ROOT / "src" / "jackstay"
_ROW = re.compile(
    r"^\| `(?P<name>\w+)`[^|]*\| (?P<code>[^|]*)\| (?P<retryable>[^|]*)\| (?P<advice>[^|]+)\|$", re.MULTILINE
)
_RULE = re.compile(r"engine rules? (\d+)", re.IGNORECASE)


def errors_page() -> dict[str, re.Match[str]]:
    return {row["name"]: row for row in _ROW.finditer((ROOT / "docs" / "errors.md").read_text(encoding="utf-8"))}


def error_classes() -> dict[str, str]:
    """Every class of the package below JackstayError or RunSignal, by name, with its module; none is imported for it."""
    bases: dict[str, tuple[set[str], str]] = {}
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                names = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
                bases[node.name] = (names, file.relative_to(SOURCE).as_posix())
    found = {"JackstayError": "errors.py", "RunSignal": "errors.py"}
    while more := {n: where for n, (of, where) in bases.items() if n not in found and of & found.keys()}:
        found |= more
    return found


def test_errors_page_has_every_error_of_the_package() -> None:
    assert errors_page().keys() - {"Terminated"} == error_classes().keys()


@pytest.mark.parametrize("name", [name for name, where in error_classes().items() if where == "errors.py"])
def test_errors_page_says_code_and_retryable_as_the_class_does(name: str) -> None:
    cls, row = getattr(errors, name), errors_page()[name]

    said = {"yes": True, "no": False}.get(row["retryable"].strip())

    assert row["code"].strip() == f"`{cls.code}`"
    assert said == getattr(cls, "retryable", None)


def between(page: str, mark: str) -> str:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return text.partition(f"<!-- {mark} -->")[2].partition(f"<!-- /{mark} -->")[0]


def code_words(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


@pytest.mark.parametrize(
    "provider", [row for row in (*ROWS, SIMULATED) if row is not COMPATIBLE], ids=lambda row: row.name
)
def test_models_page_has_every_provider_with_its_prefixes_and_variables(provider: Provider) -> None:
    lines = [line for line in between("models.md", "providers").splitlines() if f"`{provider.prefixes[0]}`" in line]

    assert len(lines) == 1
    assert code_words(lines[0]) >= {*provider.prefixes, *provider.key_variables, *provider.base_url_variables}
    assert (f".[{provider.extra}]" in code_words(lines[0])) is (provider.extra is not None)


@pytest.mark.parametrize(
    ("kind", "arguments"), [("Agent", accepted.AGENT), ("Task", accepted.TASK), ("Crew", accepted.CREW)]
)
def test_crews_page_lists_the_arguments_without_effect(kind: str, arguments: Iterable[str]) -> None:
    [item] = [part for part in between("crews.md", "accepted").split("* ") if part.startswith(f"`{kind}`")]

    assert code_words(item) - {kind} == set(arguments)


def test_every_engine_rule_that_a_comment_names_is_in_the_architecture_page() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| (\d+) \|", page, re.MULTILINE))

    files = [file for room in ("src", "tests", "bench", "tools") for file in (ROOT / room).rglob("*.py")]
    named = {number for file in files for number in _RULE.findall(file.read_text(encoding="utf-8"))}

    assert named <= listed


def test_pages_are_there_to_be_checked() -> None:
    assert len(PAGES) > 8
