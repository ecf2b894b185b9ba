"""The journal remembers: runs, steps, leases, reservations and blobs, in SQLite or PostgreSQL."""

from jackstay.journal.journal import Journal, open_journal, upgrade
from jackstay.journal.location import Location, from_url, locate
from jackstay.journal.pending import Pending
from jackstay.journal.reader import BillOfRun

__all__ = ["BillOfRun", "Journal", "Location", "Pending", "from_url", "locate", "open_journal", "upgrade"]
