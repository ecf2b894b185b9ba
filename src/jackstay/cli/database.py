"""`jackstay db upgrade`."""

from __future__ import annotations

import os

from jackstay.cli.environment import read_dotenv
from jackstay.cli.terminal import say
from jackstay.journal import locate
from jackstay.journal import upgrade as bring_up


def upgrade() -> int:
    read_dotenv()
    location = locate(os.environ)
    before, now = bring_up(location)
    if before == now:
        say(f"{location.shown}: the tables are of version {now} already")
    elif before is None:
        say(f"{location.shown}: tables of version {now} made")
    else:
        say(f"{location.shown}: tables brought from version {before} to {now}")
    return 0
