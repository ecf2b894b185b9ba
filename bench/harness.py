"""What the bench scripts share: the stub as a process of its own, a heading that says where the figures come from."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from jackstay.testing import RemoteStub


def heading(what: str, *packages: str) -> str:
    """The first line of a report: what, which versions, which machine, when."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("jackstay", *packages))
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return (
        f"{what}: {versions}; CPython {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, load {load:.1f}, {datetime.now(UTC):%Y-%m-%d}"
    )


@contextmanager
def stub_process(*options: str) -> Iterator[RemoteStub]:
    """The stub in another process, so that its work is not counted as ours; it ends with this one."""
    command = [sys.executable, "-m", "jackstay.testing.stub", "--until-stdin-closes", *options]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield RemoteStub(process.stdout.readline().strip())
    finally:
        process.stdin.close()
        process.wait(10)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty working directory, so that the bench's journal is nobody's."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="jackstay-bench-") as folder:
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)
