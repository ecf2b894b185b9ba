"""Who holds a lease: this process, named so that another one on the same machine can tell whether it still lives.

Engine rule 36: free at once only if comparable here (same machine, boot, pid namespace) and gone; else the lease time
decides. A pid alone is not a name: pids are used again, and every container has its own pid 7.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import subprocess
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Owner:
    """A process as the lease names it. Empty parts are unknown, and make it incomparable."""

    machine: str
    boot: str
    pid_namespace: str
    pid: int
    started: str
    nonce: str
    """Tells two journals of one process apart."""
    host: str = ""
    """For the reader of an error message only."""

    @classmethod
    def here(cls) -> Owner:
        """The calling process, with a new nonce."""
        return cls(
            machine=_machine_id(),
            boot=_boot_id(),
            pid_namespace=_pid_namespace(),
            pid=os.getpid(),
            started=_start_time(os.getpid()) or "",
            nonce=secrets.token_hex(8),
            host=platform.node(),
        )

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """None when another version wrote something that this one does not understand."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None

    def __str__(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    def is_gone(self, here: Owner) -> bool:
        """True only when it is certain: `here` could see the process, and it does not exist any more."""
        place = (self.machine, self.boot, self.pid_namespace)
        if not all((*place, self.started)) or place != (here.machine, here.boot, here.pid_namespace):
            return False
        if not _exists(self.pid) or _is_zombie(self.pid):
            return True
        started = _start_time(self.pid)
        return started is not None and started != self.started  # None: hidden from us (/proc with hidepid)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _stat_fields(pid: int) -> list[str]:
    """/proc/<pid>/stat behind the command's name (which may contain spaces and brackets); empty if unreadable."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _is_zombie(pid: int) -> bool:
    """Killed, but not yet noticed by its parent: it cannot write any more."""
    if platform.system() == "Darwin":
        return _output("ps", "-o", "stat=", "-p", str(pid)).startswith("Z")
    fields = _stat_fields(pid)
    return bool(fields) and fields[0] in "ZX"


def _start_time(pid: int) -> str | None:
    """When the process started, in the system's own words; None if that cannot be seen."""
    if platform.system() == "Darwin":
        return _output("ps", "-o", "lstart=", "-p", str(pid)) or None
    fields = _stat_fields(pid)
    return fields[19] if len(fields) > 19 else None


def _machine_id() -> str:
    for name in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        with suppress(OSError):
            if text := Path(name).read_text(encoding="ascii").strip():
                return text
    return platform.node()  # containers often have no machine id; boot and namespace ids tell them apart


def _boot_id() -> str:
    if platform.system() == "Darwin":
        return _output("sysctl", "-n", "kern.bootsessionuuid")
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _pid_namespace() -> str:
    if platform.system() == "Darwin":
        return "none"
    with suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return ""


def _output(*command: str) -> str:
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout.strip()
    return ""
