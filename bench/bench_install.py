"""What the core install puts on a disk: distributions and megabytes, in a fresh environment, from the core lock.

Limits: 45 distributions, 100 MB without bytecode. Counted: everything in site-packages but pip itself. Needs a package
index, or pip's cache of an earlier install; run by the project's environment, which can build the wheel.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
import venv
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
MAX_DISTRIBUTIONS, MAX_MB = 45, 100
SHOWN = 10

# Runs in the fresh environment: what is installed there, and the bytes of each distribution's files.
LIST = """
import importlib.metadata as metadata, json
found = {}
for dist in metadata.distributions():
    files = [path for path in dist.files or [] if path.suffix != ".pyc"]
    found[dist.metadata["Name"]] = sum(path.locate().stat().st_size for path in files if path.locate().is_file())
print(json.dumps(found))
"""


class Installed(NamedTuple):
    size_bytes: dict[str, int]

    @property
    def size_mb(self) -> float:
        return sum(self.size_bytes.values()) / 1e6


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="jackstay-install-") as folder:
        installed = install_core(Path(folder))
    print(f"core install, {platform.system()} {platform.machine()}, CPython {platform.python_version()}, "
          f"{datetime.now(UTC):%Y-%m-%d}")  # fmt: skip
    print(f"  distributions          {len(installed.size_bytes):6}   (limit {MAX_DISTRIBUTIONS})")
    print(f"  MB without bytecode    {installed.size_mb:6.1f}   (limit {MAX_MB})")
    for name, size in sorted(installed.size_bytes.items(), key=lambda item: -item[1])[:SHOWN]:
        print(f"    {name:<20} {size / 1e6:6.1f}")
    return 0


def install_core(folder: Path) -> Installed:
    """As a user's `pip install jackstay` does it: the locked packages and the project's wheel."""
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*wheel, "--wheel-dir", str(folder / "wheel"), str(ROOT)], check=True)
    venv.create(folder / "venv", with_pip=True)
    python = str(folder / "venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    subprocess.run([*pip, "--require-hashes", "--requirement", str(ROOT / "requirements-core.lock")], check=True)
    subprocess.run([*pip, "--no-deps", *map(str, (folder / "wheel").iterdir())], check=True)
    listed = subprocess.run([python, "-c", LIST], capture_output=True, text=True, check=True, cwd=folder)
    sizes: dict[str, int] = json.loads(listed.stdout)
    return Installed({name: size for name, size in sizes.items() if name not in ("pip", "setuptools")})


if __name__ == "__main__":
    sys.exit(main())
