"""The settings of a simulated model, read from its name: `demo?seed=1&latency=0.3&p429=0.05&faults=429,ok`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qsl

from jackstay.core.messages import Sampling
from jackstay.errors import ConfigurationError
from jackstay.models.sim_faults import FAULTS


@dataclass(frozen=True, slots=True)
class SimOptions:
    """How a simulated model behaves. Every field may stand in the model's name or among the LLM's arguments."""

    seed: int = 0
    rounds: int = 1
    """Turns with tool calls before the answer."""
    words: int | None = None
    """Length of a text whose task names none."""
    latency: float = 0.0
    """Seconds to the first token."""
    tps: float = 0.0
    """Tokens per second after the first; 0: all at once."""
    faults: tuple[str, ...] = ()
    """What happens to the first requests, in order: `429:2`, `500`, `hang`, `cut`, `ok`, …; later ones are answered."""
    p429: float = 0.0
    p500: float = 0.0
    p529: float = 0.0
    phang: float = 0.0
    pcut: float = 0.0

    @property
    def chances(self) -> tuple[tuple[str, float], ...]:
        named = (("429", self.p429), ("500", self.p500), ("529", self.p529), ("hang", self.phang), ("cut", self.pcut))
        return tuple((fault, share) for fault, share in named if share)


def _fault_list(text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    for word in words:
        if word.partition(":")[0] not in FAULTS:
            raise ValueError(f"unknown fault {word!r}; known: {', '.join(sorted(FAULTS))}")
    return words


_NOT_FLOAT: Mapping[str, Callable[[str], Any]] = {"seed": int, "rounds": int, "words": int, "faults": _fault_list}
_READ: Mapping[str, Callable[[str], Any]] = {
    field.name: _NOT_FLOAT.get(field.name, float) for field in fields(SimOptions)
}


def read_options(model: str) -> SimOptions:
    """The options in a model's name (without the `sim/`). Raises `ConfigurationError` for one that is unknown."""
    return replace(SimOptions(), **_values(dict(parse_qsl(model.partition("?")[2], keep_blank_values=True)), model))


def with_sampling(options: SimOptions, sampling: Sampling, model: str) -> SimOptions:
    """The options with those that stand among the LLM's own arguments: `LLM("sim/demo", seed=7, latency=0.2)`."""
    given = {name: str(value) for name, value in sampling.extra.items() if name in _READ}
    if sampling.seed is not None:
        given["seed"] = str(sampling.seed)
    return replace(options, **_values(given, model)) if given else options


def _values(given: Mapping[str, str], model: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name not in _READ:
            near = difflib.get_close_matches(name, _READ, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ConfigurationError(
                f"unknown option {name!r} of the simulated model 'sim/{model}': {hint}Known: {', '.join(_READ)}"
            )
        try:
            values[name] = _READ[name](text)
        except ValueError as exc:
            raise ConfigurationError(f"option {name}={text!r} of the simulated model 'sim/{model}': {exc}") from exc
    return values
