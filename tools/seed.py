"""Print one row per item of the seed: shown by a program, failing, or open until an issue closes it. `make seed`.

The rows and their programs are in `tests/seed/`. Exit status 1 while a row of a resolved issue does not pass.

    tools/seed.py                  every row
    tools/seed.py "python 6"       one row, with what is wrong about it
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.seed import excerpts  # noqa: E402 - found through the path above
from tests.seed.rows import ROWS, Issue, Row  # noqa: E402

RESOLVED: dict[Issue, bool] = {
    "Foundation": True,
    "Model calls": True,
    "Replay": True,
    "Crews": True,
    "Flows": True,
    "Observability": True,
    "Memory": False,
    "Control plane": False,
}
"""The one place that says which issues are resolved: whoever resolves one sets it here."""

CHECKS = ROOT / "tests" / "seed"
SAID = 12
"""Lines at the end of a problem that are shown: a program's own traceback may be long."""
AT_ONCE = 3
"""Rows under way together: a process each, on two cores, and one that waits for another's scene."""


@dataclass(frozen=True, slots=True)
class Verdict:
    row: Row
    status: str
    ran: bool
    seconds: float = 0.0
    problem: str = ""

    @property
    def blocks(self) -> bool:
        """Whether `make seed` fails because of it: an open row of a resolved issue counts as well."""
        return RESOLVED[self.row.issue] and self.status != "pass"


def main(names: Sequence[str]) -> int:
    rows = [row for row in ROWS if not names or row.name in names]
    if not rows:
        print(f"no such row: {', '.join(names)}; rows are named like {ROWS[0].name!r}", file=sys.stderr)
        return 2
    print(f"{'#':>2}  {'part':<13} {'item':<42} {'issue':<14} {'status':<20} {'time':>6}")
    verdicts = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for verdict in pool.map(judge, rows):
            verdicts.append(verdict)
            print(line(ROWS.index(verdict.row) + 1, verdict), flush=True)
    for verdict in verdicts:
        if verdict.problem and (verdict.blocks or names):
            print(f"\n{verdict.row.name}, {verdict.row.item}:\n{verdict.problem}")
    print(f"\n{closing(verdicts)}")
    return 1 if any(verdict.blocks for verdict in verdicts) else 0


def judge(row: Row) -> Verdict:
    """Runs a row's checks. A failure is FAIL if its issue is resolved, else the row is open still."""
    is_open = f"open: {row.issue}"
    if not row.checks:
        return Verdict(row, is_open, ran=False, problem="there is no program for it yet")
    started = time.monotonic()
    try:
        for check in row.checks:
            check()
    except Exception as error:  # noqa: BLE001 - whatever goes wrong in a row is the row's verdict
        status = "FAIL" if RESOLVED[row.issue] else is_open
        return Verdict(row, status, ran=True, seconds=time.monotonic() - started, problem=problem_of(error))
    return Verdict(row, "pass", ran=True, seconds=time.monotonic() - started)


def problem_of(error: Exception) -> str:
    """The line of the row's check that went wrong, and the end of what is said about it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if CHECKS in Path(frame.filename).parents]
    places = [f"  {Path(frame.filename).relative_to(ROOT)}:{frame.lineno}: {frame.line}" for frame in frames[-1:]]
    said = "".join(traceback.format_exception_only(error)).rstrip().splitlines()
    return "\n".join([*places, *(f"  {text}" for text in said[-SAID:])])


def line(number: int, verdict: Verdict) -> str:
    row, time_s = verdict.row, f"{verdict.seconds:.1f} s" if verdict.ran else "–"
    return f"{number:>2}  {row.name:<13} {row.item:<42} {row.issue:<14} {verdict.status:<20} {time_s:>6}"


def closing(verdicts: Sequence[Verdict]) -> str:
    passed = [verdict for verdict in verdicts if verdict.status == "pass"]
    ahead = sum(not RESOLVED[verdict.row.issue] for verdict in passed)
    failed = sum(verdict.status == "FAIL" for verdict in verdicts)
    resolved = ", ".join(issue for issue, done in RESOLVED.items() if done)
    blocks = "run too" if excerpts.text() else "not run (no seed.md here; JACKSTAY_SEED names one)"
    return (
        f"{len(verdicts)} rows: {len(passed)} pass ({ahead} of them ahead of their issue), {failed} FAIL, "
        f"{len(verdicts) - len(passed) - failed} open. Resolved: {resolved}. The seed's own blocks: {blocks}."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
