"""`jackstay check`: what in a program, and in its latest run, will hurt in production. Executes nothing."""

from __future__ import annotations

import json
import os
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from jackstay import __version__
from jackstay.checks import LEVELS, RULES, Finding, LastRun, Level, Program, Project, at_least, examine
from jackstay.checks.sarif import sarif
from jackstay.cli.environment import read_dotenv
from jackstay.cli.outcome import ExitCode, UsageError
from jackstay.cli.stored import existing_journal, top_runs
from jackstay.cli.target import DECLARATIONS
from jackstay.cli.terminal import say, stdout
from jackstay.core.ids import SHORT
from jackstay.core.intents import SIDE_EFFECT
from jackstay.core.records import RunFilter, RunRow
from jackstay.engine.project_file import read_project_file
from jackstay.errors import NotFoundError, StorageUnavailable
from jackstay.journal import Journal
from jackstay.observe.figures import plural
from jackstay.observe.runs import state_of

_STYLES = {"error": "red", "warn": "yellow", "note": "blue"}
_PASSED_OVER = frozenset({"venv", "env", "node_modules", "site-packages", "__pycache__", "build", "dist"})
_RUNS_LOOKED_AT = 50
UNREADABLE = "unreadable"
"""The name of the finding for a file that is no Python."""


def check(path: Path, *, fail_on: str, as_json: bool, as_sarif: bool) -> int:
    """Prints the findings; the exit code is 1 if one of them is at least of the level `fail_on` (`never`: 0)."""
    if fail_on not in (*LEVELS, "never"):
        raise UsageError(f"--fail-on {fail_on}: it is {', '.join(LEVELS)} or never")
    if as_json and as_sarif:
        raise UsageError("--json and --sarif: findings are printed in one form at a time")
    read_dotenv()
    files = _files(path)
    findings = _examined(path, files)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    elif as_sarif:
        print(json.dumps(sarif(findings, [*RULES, UNREADABLE], version=__version__), indent=2))
    else:
        _print(findings, len(files))
    level: Level | None = next((each for each in LEVELS if each == fail_on), None)
    fails = level is not None and any(at_least(finding, level) for finding in findings)
    return ExitCode.FAILED if fails else ExitCode.OK


# --- reading ---------------------------------------------------------------------------------------------------------


def _files(path: Path) -> list[Path]:
    """The Python files at PATH, without environments, hidden folders and what was built. Raises `UsageError`."""
    if path.suffix in DECLARATIONS and path.is_file():
        raise UsageError(
            f"{path}: the rules are about Python; a declared flow is checked when it is read: jackstay flow plot {path} reads "
            "it, and runs nothing"
        )
    if path.suffix == ".ipynb":
        raise UsageError(f"{path}: notebooks are not read; write it as Python: jupyter nbconvert --to script {path}")
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UsageError(f"{path}: there is no such file or folder; PATH is a Python file or a project's folder")
    # (A link to nowhere is an editor's lock, and a pipe would be waited for.)
    found = [file for file in sorted(path.rglob("*.py")) if _is_own(file.relative_to(path)) and file.is_file()]
    if not found:
        raise UsageError(f"{path}: there is no Python file in it")
    return found


def _is_own(file: Path) -> bool:
    return not any(part.startswith(".") or part in _PASSED_OVER for part in file.parts[:-1])


def _examined(path: Path, files: Sequence[Path]) -> list[Finding]:
    programs: list[Program] = []
    findings: list[Finding] = []
    for file in files:
        try:
            with tokenize.open(file) as source:  # in the encoding that it declares
                programs.append(Program(str(file), source.read()))
        # (Python says of an expression that is nested too deeply that there is no memory for it.)
        except (SyntaxError, UnicodeDecodeError, ValueError, RecursionError, MemoryError, OSError) as error:
            line = getattr(error, "lineno", None) or 1
            said = getattr(error, "msg", None) or getattr(error, "strerror", None) or str(error)
            why = f"it cannot be read as Python: {said or 'it is nested too deeply'}"
            findings.append(
                Finding(UNREADABLE, "error", str(file), line, why, "correct it; nothing else in it was looked at")
            )
    folder = path if path.is_dir() else path.parent
    settings = read_project_file(folder, os.environ).sections
    return [*findings, *examine(Project(programs, settings, _last_run(files, folder)))]


# --- the latest run --------------------------------------------------------------------------------------------------


def _last_run(files: Sequence[Path], folder: Path) -> LastRun | None:
    """The latest run of one of these files, if there is a journal and it can be read."""
    wanted = {str(file.resolve()) for file in files}
    try:
        with existing_journal() as journal:
            for row in top_runs(journal, RunFilter(limit=_RUNS_LOOKED_AT)):
                if _is_of(row, wanted, str(folder.resolve())):
                    return _told(journal, row)
    except (NotFoundError, StorageUnavailable):
        return None
    return None


def _is_of(row: RunRow, files: set[str], folder: str) -> bool:
    entry = json.loads(row.entry or "{}")
    return entry.get("script") in files or bool(entry.get("module") and entry.get("folder") == folder)


def _told(journal: Journal, row: RunRow) -> LastRun:
    rows = [step for run in (row, *journal.children(row.id)) for step in journal.steps(run.id)]
    state = state_of(row, journal.lease(row.id) if row.status == "running" else None)
    acted = {step.name: SIDE_EFFECT in (step.flags or "").split(",") for step in rows if step.kind == "tool"}
    return LastRun(
        id=row.id[:SHORT],
        state=state,
        tools=acted,
        failed_tools=Counter(step.name for step in rows if step.kind == "tool" and step.status == "failed"),
        calls=Counter(step.task for step in rows if step.kind == "llm" and step.task),
        unpriced=sorted(
            {
                step.answered_by or step.model or ""
                for step in rows
                if step.kind == "llm" and step.cost_pico is None and step.input_tokens + step.output_tokens
            }
        ),
    )


# --- telling ---------------------------------------------------------------------------------------------------------


def _print(findings: Sequence[Finding], files: int) -> None:
    console = stdout()
    for line in _lines(findings):
        console.print(line, soft_wrap=True)
    counted = Counter(finding.level for finding in findings)
    counts = ", ".join(f"{counted[level]} of level {level}" for level in reversed(LEVELS) if counted[level])
    said = f"{plural(len(findings), 'finding')}: {counts}" if findings else "nothing found"
    say(f"{plural(files, 'file')} looked at, {said}")


def _lines(findings: Sequence[Finding]) -> Iterator[Text]:
    for finding in findings:
        yield Text.assemble(
            (f"{finding.file}:{finding.line}", "bold"),
            "  ",
            (finding.level, _STYLES[finding.level]),
            f"  {finding.rule}: {finding.why}",
        )
        yield Text(f"    → {finding.change}", style="dim")
