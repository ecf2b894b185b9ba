"""Switch promised behaviours off, one at a time, and see that the tests which prove them fail. Run by `make mutants`.

Rows of tests/compat/rows.py are drawn (the seed is printed; JACKSTAY_MUTANTS_SEED repeats it). Each is switched off in a copy of the
clone, as tests/compat/mutations.py says, and the tests that are marked with it are run there. Green ones prove nothing: the row
has survived, and the exit code says so.

    python tools/mutants.py                     30 rows, drawn
    python tools/mutants.py --count 5           so many
    python tools/mutants.py --all               all that can be switched off
    python tools/mutants.py agent.max_iter …    these
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.compat.mutations import MUTATIONS, Mutation  # noqa: E402 - a script: the clone's root goes on the path first
from tools.compatibility import proofs  # noqa: E402 - as above

DRAWN = 30
SEED = "JACKSTAY_MUTANTS_SEED"
LIMIT_S = 300
COPIED = (
    "src",
    "tests",
    "docs",
    "tools",
    "bench",
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Makefile",
)

End = Literal["red", "SURVIVED", "BROKEN"]


@dataclass(frozen=True, slots=True)
class Verdict:
    promise: str
    end: End
    seconds: float
    told: str
    """The test that failed first; else the last lines that pytest printed."""


def main(arguments: list[str]) -> int:
    promises = chosen(arguments)
    faults = [fault for promise in promises for fault in faults_of(promise, MUTATIONS[promise])]
    for fault in faults:
        print(fault)
    if faults:
        return 1
    with copy_of_the_clone() as copy:
        code, printed = run_tests(copy, promises)
        if code != 0:
            print(printed)
            print("the tests of these rows fail although nothing is switched off; mend that first")
            return 1
        verdicts = []
        for promise in promises:
            verdicts.append(verdict_on(copy, promise, MUTATIONS[promise]))
            print(line(verdicts[-1]), flush=True)
    survived = sum(verdict.end != "red" for verdict in verdicts)
    print(f"{len(verdicts)} rows switched off: {len(verdicts) - survived} seen by their tests, {survived} not")
    return 1 if survived else 0


def chosen(arguments: list[str]) -> list[str]:
    parser = argparse.ArgumentParser(prog="tools/mutants.py", description=__doc__.partition("\n")[0])
    parser.add_argument("promises", nargs="*", metavar="PROMISE", help="rows to switch off, instead of drawn ones")
    parser.add_argument("--count", type=int, default=DRAWN, help=f"how many are drawn ({DRAWN})")
    parser.add_argument("--all", action="store_true", help="all that can be switched off")
    given = parser.parse_args(arguments)
    unknown = [promise for promise in given.promises if promise not in MUTATIONS]
    if unknown:
        parser.error(f"no mutation is known for {', '.join(unknown)}; tests/compat/mutations.py has them")
    if given.promises or given.all:
        return list(given.promises or MUTATIONS)
    seed = os.environ.get(SEED) or str(random.SystemRandom().randrange(10**6))
    print(f"{SEED}={seed}")
    return sorted(random.Random(seed).sample(sorted(MUTATIONS), min(given.count, len(MUTATIONS))))


def faults_of(promise: str, mutation: Mutation) -> Iterator[str]:
    """What is wrong with a mutation itself."""
    path = ROOT / "src" / "jackstay" / mutation.file
    count = path.read_text(encoding="utf-8").count(mutation.old) if path.exists() else 0
    if count != 1 or not mutation.old:
        yield f"{promise}: its text stands {count} times in {mutation.file}, not once: {mutation.old!r}"
        return
    try:
        compile(mutated(path, mutation), mutation.file, "exec")
    except SyntaxError as error:
        yield f"{promise}: {mutation.file} is no Python with it: {error}"
    if promise not in proofs():
        yield f"{promise}: no test is marked with it"


def mutated(path: Path, mutation: Mutation) -> str:
    return path.read_text(encoding="utf-8").replace(mutation.old, mutation.new)


@contextmanager
def copy_of_the_clone() -> Iterator[Path]:
    """A folder with all that the tests need; deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="jackstay-mutants-") as folder:
        copy = Path(folder)
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "proofs"))
            else:
                shutil.copy2(ROOT / name, copy / name)
        yield copy


def verdict_on(copy: Path, promise: str, mutation: Mutation) -> Verdict:
    """Switches it off in the copy, runs its tests there, and puts the file back."""
    path = copy / "src" / "jackstay" / mutation.file
    as_it_was, began = path.read_text(encoding="utf-8"), time.monotonic()
    path.write_text(mutated(path, mutation), encoding="utf-8")
    try:
        code, printed = run_tests(copy, [promise])
    finally:
        path.write_text(as_it_was, encoding="utf-8")
    end, told = judged(code, printed)
    return Verdict(promise, end, time.monotonic() - began, told)


def judged(code: int, printed: str) -> tuple[End, str]:
    """What pytest's end says: only a test that failed has seen the mutation, not one that could not be run."""
    failed = [text for text in printed.splitlines() if text.startswith("FAILED ")]
    if code == 0:
        return "SURVIVED", "its tests are green"
    if code == 1 and failed:
        return "red", failed[0].removeprefix("FAILED ").partition(" - ")[0].rpartition("::")[2]
    return "BROKEN", "\n".join(printed.splitlines()[-15:])


def run_tests(copy: Path, promises: Sequence[str]) -> tuple[int, str]:
    """pytest's exit code and what it printed, of the tests marked with these rows, over the copy's source."""
    known = proofs()
    tests = list(dict.fromkeys(test.id for promise in promises for test in known[promise]))
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--timeout=60", *tests]
    # Before the environment's own entry of the clone, so that it is the copy that is imported.
    environ = {**os.environ, "PYTHONPATH": str(copy / "src")}
    environ.pop("PYTEST_XDIST_WORKER", None)
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env=environ,
            capture_output=True,
            text=True,
            timeout=LIMIT_S * max(1, len(promises) // 5),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 2, f"not done after {LIMIT_S} s"
    return done.returncode, done.stdout + done.stderr


def line(verdict: Verdict) -> str:
    return f"{verdict.end:8}  {verdict.promise:34}  {verdict.seconds:5.1f} s  {verdict.told}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
