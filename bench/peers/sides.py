"""The sides of `bench_crews.py` and `bench_flows.py`: their environments, and each as a process that does what it is told.

A peer has a virtual environment of its own, outside the repository, made when asked for with what `peers/*.txt` pins
(where from is pip's own configuration). What a peer would send home is switched off.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PINS = Path(__file__).resolve().parent
QUIET = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_TRACKING": "true",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "NO_PROXY": "127.0.0.1,localhost",
}


@dataclass(frozen=True)
class SideKind:
    name: str
    module: str
    peer: str | None = None
    """Whose environment, by the name of its pins; ours if none."""
    options: tuple[str, ...] = ()


KINDS = (
    SideKind("httpx", "raw_side"),
    SideKind("Jackstay", "jackstay_side"),
    SideKind("CrewAI", "crewai_side", "crewai"),
    SideKind("LangGraph", "langgraph_side", "langgraph"),
    SideKind("LangGraph+SQLite", "langgraph_side", "langgraph", ("saver",)),
)
FLOW_KINDS = (
    SideKind("Jackstay", "jackstay_flows"),
    SideKind("CrewAI", "crewai_flows", "crewai"),
    SideKind("CrewAI+@persist", "crewai_flows", "crewai", ("persist",)),
    SideKind("LangGraph", "langgraph_flows", "langgraph"),
    SideKind("LangGraph+SQLite", "langgraph_flows", "langgraph", ("saver",)),
)
"""Without a model, and so without a stub's address."""


def folder_of(peer: str) -> Path:
    """The environment for exactly these pins and this Python: other pins, another folder."""
    told = os.environ.get("XDG_CACHE_HOME")
    cache = Path(told) if told else Path.home() / ".cache"
    pins = hashlib.sha256((PINS / f"{peer}.txt").read_bytes()).hexdigest()[:10]
    return cache / "jackstay-bench" / f"{peer}-{pins}-py{sys.version_info.major}.{sys.version_info.minor}"


def interpreter(peer: str | None) -> Path | None:
    """The Python of the peer's environment, if it has been installed."""
    if peer is None:
        return Path(sys.executable)
    python = folder_of(peer) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    return python if (folder_of(peer) / "complete").exists() else None


def install(peer: str) -> None:
    """Makes the environment. What was left of an interrupted attempt is made anew."""
    if interpreter(peer) is not None:
        return
    folder = folder_of(peer)
    print(f"installing {peer} into {folder}", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pins = str(PINS / f"{peer}.txt")
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", "-r", pins], check=True)
    (folder / "complete").touch()


class Side:
    """A running side. `run` returns seconds of CPU, and of the clock, of its process."""

    def __init__(self, kind: SideKind, url: str, folder: Path) -> None:
        self.kind = kind
        python = interpreter(kind.peer)
        assert python is not None, f"{kind.name} is not installed"
        home = folder / kind.name
        home.mkdir(parents=True)
        self._said = (home / "stderr.txt").open("w")
        self._process = subprocess.Popen(
            [str(python), "-m", f"bench.peers.{kind.module}", *([url] if url else []), *kind.options],
            cwd=home,
            env={**os.environ, **QUIET, "HOME": str(home), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )
        about = self._read()
        self.versions: dict[str, str] = about["versions"]
        self.durability: str = about["durability"]

    def run(self, workload: str, count: int) -> tuple[float, float]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"workload": workload, "count": count}) + "\n")
        self._process.stdin.flush()
        took = self._read()
        return took["cpu_s"], took["wall_s"]

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._said.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            said = Path(self._said.name).read_text()[-3000:]
            raise RuntimeError(f"{self.kind.name} ended, exit status {self._process.wait(30)}:\n{said}")
        return json.loads(line)
