"""An HTTP server that stands in for model providers: start at `server.py` (`Stub`).

Request in: `http.py` → `intake.py` (+ `wire_*.py`) → `plan.py` decides → `answering.py` (+ `wire_*.py`) → `log.py`.
"""

from __future__ import annotations

from jackstay.testing.stub.fault import Fault
from jackstay.testing.stub.log import StubRequest
from jackstay.testing.stub.remote import RemoteStub
from jackstay.testing.stub.reply import Reply, tool_call
from jackstay.testing.stub.server import Stub
from jackstay.testing.stub.wire import input_tokens, output_tokens

__all__ = ["Fault", "RemoteStub", "Reply", "Stub", "StubRequest", "input_tokens", "output_tokens", "tool_call"]
