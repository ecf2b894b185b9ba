"""The wire: from a question in our words to a provider's answer in our words, one request at a time.

Start at `wire.py` (what the engine calls) and `routing.py` (which provider serves which model name).
Importing this package loads no SDK and no HTTP library; the first call does.
"""

from __future__ import annotations

from jackstay.models.provider import Connection, Cost, Delta, Endpoint, Listener, Provider, Worst

__all__ = ["Connection", "Cost", "Delta", "Endpoint", "Listener", "Provider", "Worst"]
