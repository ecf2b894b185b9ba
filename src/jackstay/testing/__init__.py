"""Test doubles for programs that use Jackstay, and for Jackstay itself: see docs/testing.md.

* `Stub`: a loopback HTTP server that speaks the providers' wire formats, with a request log and scripted faults;
  `RemoteStub`: the same, running in another process.
* `ScriptedModel`: an LLM object that answers from a list, without any wire.
* `FaultPoints`: lets a program die or fail at named points.
* `sim/…` as a model's name: the simulated model (`jackstay.models.sim`), which needs neither of these.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jackstay.testing.faults import FaultPoints as FaultPoints
    from jackstay.testing.scripted import ScriptedCall as ScriptedCall
    from jackstay.testing.scripted import ScriptedModel as ScriptedModel
    from jackstay.testing.stub import Fault as Fault
    from jackstay.testing.stub import RemoteStub as RemoteStub
    from jackstay.testing.stub import Reply as Reply
    from jackstay.testing.stub import Stub as Stub
    from jackstay.testing.stub import StubRequest as StubRequest
    from jackstay.testing.stub import input_tokens as input_tokens
    from jackstay.testing.stub import output_tokens as output_tokens
    from jackstay.testing.stub import tool_call as tool_call

# Loaded on first use: pytest imports this package in every run of everybody who has Jackstay installed (`plugin.py`).
_HOMES = {
    "jackstay.testing.faults": ("FaultPoints",),
    "jackstay.testing.scripted": ("ScriptedCall", "ScriptedModel"),
    "jackstay.testing.stub": (
        "Fault",
        "RemoteStub",
        "Reply",
        "Stub",
        "StubRequest",
        "input_tokens",
        "output_tokens",
        "tool_call",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = list(_HOME_OF)


def __getattr__(name: str) -> Any:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'jackstay.testing' has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
