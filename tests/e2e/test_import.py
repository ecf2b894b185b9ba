"""`import jackstay`, and every public name, starts no thread, opens no file to write, reads no environment, no network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

WATCH = """
import json, os, sys, threading
import asyncio, ssl, logging, pydantic, typing, importlib.metadata  # theirs, not ours
seen = []
allowed = ("open", "import", "exec", "compile", "object.", "marshal.", "code.", "sys.", "os.listdir", "os.scandir",
           "ctypes", "array.", "builtins.", "gc.", "cpython.", "pathlib.", "glob.", "re.", "tempfile")

def hook(event, args):
    if event == "open":
        path, mode = str(args[0]), args[1]
        flags = args[2] if isinstance(args[2], int) else 0
        writes = (mode and set(mode) & set("wax+")) or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or not path.endswith((".py", ".pyc", ".so", ".json", "METADATA", "py.typed", "entry_points.txt", ".zip")):
            seen.append(["open", path, str(mode)])
    elif not event.startswith(allowed):
        seen.append([event, repr(args)[:200], ""])

class Environment(dict):
    reads = []
    def _note(self, name):
        frame = sys._getframe(2)
        while frame and frame.f_globals.get("__name__", "") in ("os", "__main__", "_collections_abc"):
            frame = frame.f_back
        module = frame.f_globals.get("__name__", "") if frame else ""
        if module.startswith("jackstay"):
            self.reads.append([module, str(name)])
    def __getitem__(self, name):
        self._note(name); return super().__getitem__(name)
    def get(self, name, default=None):
        self._note(name); return super().get(name, default)
    def __contains__(self, name):
        self._note(name); return super().__contains__(name)

sys.dont_write_bytecode = True
os.environ = Environment(os.environ)
sys.addaudithook(hook)
import jackstay
for name in jackstay.__all__:
    getattr(jackstay, name)
from jackstay.flow.flow import Flow, start, listen, router, or_, and_
from jackstay.tools import BaseTool, tool
out = {"seen": seen, "reads": Environment.reads, "threads": threading.active_count(), "names": len(jackstay.__all__)}
sys.__stdout__.write(json.dumps(out))
"""


def test_import_and_every_public_name_do_nothing_but_load(tmp_path: Path):
    done = subprocess.run([sys.executable, "-c", WATCH], capture_output=True, text=True, cwd=tmp_path, timeout=60)

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found["names"] > 15
    assert found["threads"] == 1
    assert found["reads"] == []
    assert found["seen"] == []
    assert list(tmp_path.iterdir()) == []


def test_import_prints_nothing_and_leaves_heavy_libraries_alone(tmp_path: Path):
    program = "import sys, jackstay; print(sorted({m.partition('.')[0] for m in sys.modules} & {'openai', 'sqlalchemy',"
    program += " 'pydantic_ai', 'httpx', 'rich', 'fastapi', 'alembic', 'pydantic'}))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60)

    assert (done.stdout.strip(), done.stderr) == ("[]", "")
