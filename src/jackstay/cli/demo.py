"""`jackstay demo`: starts what stands in `jackstay.testing.demo`."""

from __future__ import annotations

import os

from jackstay.cli.environment import read_dotenv
from jackstay.cli.terminal import stdout
from jackstay.testing.demo import perform


def demo(*, keep: bool) -> int:
    read_dotenv()
    perform(stdout(), os.environ, keep=keep)
    return 0
