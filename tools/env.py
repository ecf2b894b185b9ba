"""Make the project's virtual environment: the one set-up step behind every make target.

    python3 tools/env.py [core|dev] [--venv DIR]

Standard library only, run by whatever Python is at hand (3.7 or newer; it then looks for one that suits). Installs
what the lock file says, checked against its hashes, and the project itself, editable. When nothing has changed since
the last time it does nothing: no network, no process. It knows nothing of the package it sets up.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# The core lock is what a user's install brings, so the build backend has a lock of its own.
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
LOCKS = {"core": ("requirements-core.lock", "requirements-build.lock"), "dev": ("requirements.lock",)}
# An environment made for `dev` serves `core` too: `make lock` resolves the others within the dev lock.
SERVED_BY = {"core": ("core", "dev"), "dev": ("dev",)}
OLDEST, NEWEST = (3, 11), (3, 14)
STAMP = "jackstay-env.json"

PROBE = """
import json, sys, sysconfig
missing = []
for name in ("ensurepip", "sqlite3", "ssl", "venv", "zlib"):
    try:
        __import__(name)
    except ImportError:
        missing.append(name)
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "cpython": sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED"),
    "missing": missing,
}))
"""


class SetupError(Exception):
    """What is missing, and what to do: the whole message is meant for the reader."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the project's virtual environment.")
    parser.add_argument("profile", nargs="?", choices=sorted(LOCKS), default="dev")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", metavar="DIR")
    arguments = parser.parse_args()
    try:
        ensure(arguments.profile, arguments.venv)
        if arguments.profile == "dev":
            ensure_chromium()
    except SetupError as error:
        return report(error)
    return 0


def report(error: SetupError) -> int:
    print("\n" + textwrap.fill(f"Set-up stopped: {error}", 100, break_on_hyphens=False), file=sys.stderr)
    return 1


def ensure(profile: str, venv: Path = ROOT / ".venv") -> Path:
    """The interpreter of an environment that holds at least `profile`; made or completed if it has to be."""
    venv = venv.absolute()
    python = interpreter(venv)
    stamp = read_stamp(venv)
    if runs(python) and stamp.get("made_from") in [fingerprint(name) for name in SERVED_BY[profile]]:
        return python
    try:
        if not reusable(venv, stamp):
            create(venv)
        # Without a stamp from here on: a set-up that is interrupted is taken up again, not believed.
        write_stamp(venv, "")
        install(venv, profile)
        write_stamp(venv, fingerprint(profile))
    except OSError as error:
        raise SetupError(
            f"{venv} could not be written ({error}). The clone and its environment have to belong to you: clone it "
            "again as this user, remove the environment of another user, or name another place with make VENV=DIR."
        ) from error
    return python


def ensure_chromium() -> None:
    """For tests/browser, from the system's packages: no wheel has one. Where that cannot be done those tests say what is
    missing, and everything else works."""
    if any(map(shutil.which, CHROMIUM)) or shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    print("Installing Chromium for the tests of pages.", flush=True)
    install_it: list[Any] = ["apt-get", "install", "--yes", "--no-install-recommends", "-qq", "chromium"]
    if not run(install_it, quiet=True):
        run(["apt-get", "update", "-qq"], quiet=True)
        run(install_it, quiet=True)


def interpreter(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def runs(python: Path) -> bool:
    # Not Path.exists: the link may lead into another user's home, and that is an error there.
    return os.access(str(python), os.X_OK)


# --- has anything changed? ---------------------------------------------------------------------------------------


def fingerprint(profile: str) -> str:
    """Of all that the environment is made from: the locks, the project's metadata, and where the clone is."""
    digest = hashlib.sha256(str(ROOT).encode())
    for name in (*LOCKS[profile], "pyproject.toml"):
        if not (ROOT / name).exists():
            raise SetupError(f"{name} is missing from {ROOT}: the clone is not complete, clone it again.")
        # Of pyproject.toml only what pip reads: a ruff setting must not reinstall the project under a running test.
        digest.update((ROOT / name).read_bytes().split(b"\n[tool.", 1)[0])
    return digest.hexdigest()


def read_stamp(venv: Path) -> dict[str, Any]:
    try:
        stamp = json.loads((venv / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(venv: Path, made_from: str) -> None:
    stamp = {"made_from": made_from, "venv": str(venv)}
    (venv / STAMP).write_text(json.dumps(stamp), encoding="utf-8")


def reusable(venv: Path, stamp: dict[str, Any]) -> bool:
    """Whether the environment can be completed in place; one that was moved, or broke, is made anew."""
    if stamp.get("venv", str(venv)) != str(venv) or not runs(interpreter(venv)):
        return False
    facts = probe(str(interpreter(venv)))
    return facts is not None and suits(facts) and run([interpreter(venv), "-m", "pip", "--version"], quiet=True)


# --- which Python? -----------------------------------------------------------------------------------------------


def create(venv: Path) -> None:
    python = find_python()
    if not run([python, "-m", "venv", "--clear", venv]):
        raise SetupError(
            f"{python} could not make a virtual environment in {venv} (its own message is above). Check that the "
            "folder can be written and that the disk has 600 MB left, then run the same command again."
        )


def find_python() -> str:
    """The first of this interpreter and those on the PATH that suits."""
    seen: list[tuple[str, dict[str, Any]]] = []
    for candidate in candidates():
        facts = probe(candidate)
        if facts is None:
            continue  # a shim for a version that is not installed
        if suits(facts) and not facts["missing"]:
            return candidate
        seen.append((candidate, facts))
    raise SetupError(why_none(seen))


def candidates() -> Iterator[str]:
    yield sys.executable
    suffix = ".exe" if os.name == "nt" else ""
    # Every directory of the PATH, not the first hit: a shim may stand before an interpreter that works.
    for name in [*(f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)), "python3", "python"]:
        for folder in os.get_exec_path():
            path = str(Path(folder, name + suffix))
            if path != sys.executable and os.access(path, os.X_OK):
                yield path


def probe(python: str) -> dict[str, Any] | None:
    try:
        output = subprocess.run(
            [python, "-c", PROBE], capture_output=True, text=True, timeout=60, check=True, env=environment()
        ).stdout
        facts: dict[str, Any] = json.loads(output)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return facts


def suits(facts: dict[str, Any]) -> bool:
    return bool(facts["cpython"]) and OLDEST <= tuple(facts["version"][:2]) <= NEWEST


def why_none(seen: list[tuple[str, dict[str, Any]]]) -> str:
    for python, facts in seen:
        if suits(facts):
            lacks = " and ".join(facts["missing"])
            if set(facts["missing"]) <= {"ensurepip", "venv"}:
                return (
                    f"{python} cannot make virtual environments, because its standard library lacks {lacks}. On Debian "
                    f"or Ubuntu install it with: apt-get install python3.{facts['version'][1]}-venv (or python3-venv). "
                    "Then run the same command again."
                )
            return (
                f"{python} was built without {lacks}. Install a complete CPython (Debian or Ubuntu: apt-get install "
                "python3 python3-venv; pyenv: install libssl-dev, libsqlite3-dev and zlib1g-dev, then build again) and "
                "run the same command again."
            )
    found = "; ".join(dict.fromkeys(f"{python} is {'.'.join(map(str, facts['version']))}" for python, facts in seen))
    low, high = (".".join(map(str, version)) for version in (OLDEST, NEWEST))
    return (
        f"Jackstay needs CPython {low} to {high} (with the GIL), and none was found (seen: {found or 'no other'}). "
        "Install one (Debian or Ubuntu: apt-get install python3 python3-venv; macOS: brew install python@3.13; "
        "anywhere: pyenv, or uv python install) and run the same command again, or name an interpreter: "
        "make PYTHON=/path/to/python3.12 …"
    )


# --- what goes in ------------------------------------------------------------------------------------------------


def install(venv: Path, profile: str) -> None:
    locks = LOCKS[profile]
    count = sum("==" in line for name in locks for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    print(f"Setting up {venv}: {count} packages, the first time takes a minute or two.", flush=True)
    pip: list[Any] = [interpreter(venv), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    requirements = [part for name in locks for part in ("--requirement", ROOT / name)]
    # The locks are complete, so nothing is left to resolve. Where pip resolves all the same, it looks up extras of
    # locked packages (google-auth[requests]) without their pins, and refuses the day a newer release appears.
    if not run([*pip, "--no-deps", "--require-hashes", *requirements]):
        raise SetupError(
            f"pip could not install the packages of {' and '.join(locks)} (its own message is above). The first set-up "
            "needs a package index: check the network, and behind a proxy or a mirror HTTPS_PROXY, PIP_INDEX_URL or "
            "PIP_CERT. If the message speaks of a hash, the index served another file than the one that was locked: do "
            "not go on without finding out why. Then run the same command again; what was fetched is not fetched twice."
        )
    # Without isolation: the build backend is locked too, so nothing unlocked is downloaded.
    if not run([*pip, "--no-deps", "--no-build-isolation", "--editable", ROOT]):
        raise SetupError("the project itself could not be installed (pip's message is above): look at pyproject.toml.")


def run(command: list[Any], quiet: bool = False) -> bool:
    output = subprocess.DEVNULL if quiet else None
    return subprocess.call([str(part) for part in command], stdout=output, stderr=output, env=environment()) == 0


def environment() -> dict[str, str]:
    """The caller's, less what would lead pip or Python out of the environment."""
    diversions = ("PIP_PREFIX", "PIP_TARGET", "PIP_USER", "PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__")
    return {name: value for name, value in os.environ.items() if name not in diversions}


if __name__ == "__main__":
    sys.exit(main())
