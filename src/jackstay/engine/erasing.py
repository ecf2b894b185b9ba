"""Erasing the content of runs that have ended and are not to keep it. Until then they have it: they go on with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from jackstay.core.content import Content, checked_content
from jackstay.core.ids import SHORT
from jackstay.engine.project_file import ProjectFile
from jackstay.errors import ConfigurationError, StorageUnavailable

if TYPE_CHECKING:
    from jackstay.engine.run import Run
    from jackstay.engine.runtime import Runtime

SECTION, KEY = "content", "stored"


def project_content(file: ProjectFile) -> Content:
    """`[content] stored` of jackstay.toml. Raises `ConfigurationError`."""
    section = file.section(SECTION)
    for key in section:
        if key != KEY:
            raise file.mistake(f"{SECTION}.{key}", f"is unknown; the key is {KEY}")
    try:
        return checked_content(section.get(KEY), KEY) or "full"
    except ConfigurationError as error:
        raise file.mistake(f"{SECTION}.{KEY}", str(error).removeprefix(f"{KEY} ")) from None


class Eraser:
    """Of one runtime; lives on the engine loop. Runs that end together share one search for what nobody needs any more."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = asyncio.Lock()
        self._asked = self._done = 0

    async def erase(self, run: Run) -> None:
        """Returns when the content is gone. What cannot be erased is said, and changes nothing of how the run ended."""
        journal = self._runtime.journal
        try:
            await journal.forget([run.id], run.now(), keep=run.content)
            self._asked += 1
            mine = self._asked
            async with self._lock:
                if self._done < mine:
                    upto = self._asked
                    await journal.sweep(await self._runtime.off_loop(journal.garbage))
                    await self._runtime.off_loop(journal.rest_log)
                    self._runtime.outlines.clear()  # some may be gone; they are stored again with the next run
                    self._done = upto
        except StorageUnavailable as error:
            text = (
                f"the content of this run could not be erased: {error}; erase it with: jackstay forget {run.id[:SHORT]}"
            )
            run.tell("warning", "", text=text)
