"""Test doubles for programs that use Jackstay, and for Jackstay itself: see docs/testing.md.

* `Stub`: a loopback HTTP server that speaks the providers' wire formats, with a request log and scripted faults;
  `RemoteStub`: the same, running in another process.
* `ScriptedModel`: an LLM object that answers from a list, without any wire.
* `FaultPoints`: lets a program die or fail at named points.
* `sim/…` as a model's name: the simulated model (`jackstay.models.sim`), which needs neither of these.
"""

from __future__ import annotations

from jackstay.testing.faults import FaultPoints
from jackstay.testing.scripted import ScriptedCall, ScriptedModel
from jackstay.testing.stub import Fault, RemoteStub, Reply, Stub, StubRequest, input_tokens, output_tokens, tool_call

__all__ = [
    "Fault",
    "FaultPoints",
    "RemoteStub",
    "Reply",
    "ScriptedCall",
    "ScriptedModel",
    "Stub",
    "StubRequest",
    "input_tokens",
    "output_tokens",
    "tool_call",
]
