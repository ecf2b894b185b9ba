"""The journal remembers: runs, steps, leases, reservations and blobs, in SQLite or PostgreSQL."""

from jackstay.journal.journal import Journal, open_journal, upgrade
from jackstay.journal.location import Location, from_url, locate
from jackstay.journal.pending import Pending
from jackstay.journal.pruning import MIN_AGE_S
from jackstay.journal.reader import BillOfRun
from jackstay.journal.usage import GROUPINGS, By, UsageFilter, UsageRow, total

__all__ = [
    "GROUPINGS",
    "MIN_AGE_S",
    "BillOfRun",
    "By",
    "Journal",
    "Location",
    "Pending",
    "UsageFilter",
    "UsageRow",
    "from_url",
    "locate",
    "open_journal",
    "total",
    "upgrade",
]
