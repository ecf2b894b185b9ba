"""Classes of another module than the flow's, of which a state's annotations name only the outer ones."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import NamedTuple

import pydantic.dataclasses


class Wind(enum.Enum):
    LEE = "lee"
    LUV = "luv"


@dataclass(frozen=True)
class Mark:
    name: str
    wind: Wind = Wind.LEE


@dataclass
class Pair:
    first: Mark
    more: list[Mark] = field(default_factory=list)


@pydantic.dataclasses.dataclass
class Knot:
    count: int


class Leg(NamedTuple):
    end: Mark
    speed: Knot


def pair() -> Pair:
    return Pair(Mark("a"), [Mark("b", Wind.LUV)])


def legs() -> list[Leg]:
    return [Leg(Mark("c"), Knot(7))]
