"""Chromium without a window, told what to do over a pipe (the DevTools protocol): nothing but the standard library, no port."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
NO_CHROMIUM = "no Chromium for the tests in tests/browser: apt-get install chromium (as root `make test` does it)"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
    "--window-size=1400,900",
)
WAIT_S = 60.0


def find() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """A tab, and what has been told of it since it was opened."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.send(method, params, self._session)

    def told(self, method: str) -> list[dict[str, Any]]:
        return [each["params"] for each in self._browser.told if each["method"] == method]

    def go(self, url: str) -> None:
        """Loads the page, to its end."""
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        self.send("Page.navigate", url=url)
        self._browser.until(lambda: bool(self.told("Page.loadEventFired")))

    def evaluate(self, script: str) -> Any:
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")


class Browser:
    def __init__(self, to: int, fro: int) -> None:
        self._to, self._from, self._rest, self._count = to, fro, b"", 0
        self.told: list[dict[str, Any]] = []
        self._answers: dict[int, dict[str, Any]] = {}

    def page(self) -> Page:
        target = self.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        return Page(self, self.send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"])

    def send(self, method: str, params: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        self._count += 1
        number = self._count
        message = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(self._to, json.dumps(message).encode() + b"\0")
        self.until(lambda: number in self._answers)
        answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    def until(self, met: Any) -> None:
        """Reads what is told until that is so."""
        ends = time.monotonic() + WAIT_S
        while not met():
            ready, _, _ = select.select([self._from], [], [], max(0.0, ends - time.monotonic()))
            assert ready, f"Chromium has said nothing for {WAIT_S:g} s"
            data = os.read(self._from, 1 << 20)
            assert data, "Chromium has ended"
            *messages, self._rest = (self._rest + data).split(b"\0")
            for text in messages:
                message = json.loads(text)
                if "id" in message:
                    self._answers[message["id"]] = message
                else:
                    self.told.append(message)


@contextmanager
def running(path: str) -> Iterator[Browser]:
    """Chromium with an empty profile; it ends with the block."""
    with tempfile.TemporaryDirectory(prefix="jackstay-chromium-", ignore_cleanup_errors=True) as profile:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        # It reads from 3 and writes to 4; away from there first, since a copy onto itself would be closed.
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (theirs_in, theirs_out)]
        actions = [(os.POSIX_SPAWN_DUP2, ends[0], 3), (os.POSIX_SPAWN_DUP2, ends[1], 4)]
        quiet = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (1, 2)]
        environment = {**os.environ, "HOME": profile}
        command = [path, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        pid = os.posix_spawn(path, command, environment, file_actions=[*actions, *quiet], setpgroup=0)
        for fd in (theirs_in, theirs_out, *ends):
            os.close(fd)
        try:
            yield Browser(ours_out, ours_in)
        finally:
            os.close(ours_out)
            os.close(ours_in)
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
