"""A scraper: reads an address as Prometheus does, and what it has read as plain values."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


@dataclass(frozen=True)
class Scraped:
    """What was exposed."""

    samples: list[Sample]
    text: str

    @classmethod
    def read(cls, text: str) -> Scraped:
        return cls([one for family in text_string_to_metric_families(text) for one in family.samples], text)

    @classmethod
    def of(cls, address: str) -> Scraped:
        # No proxy: the loopback is meant.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(address, timeout=10) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain")
            return cls.read(answer.read().decode("utf-8"))

    def sum(self, series: str, /, **labels: str) -> float:
        return sum(one.value for one in self.samples if one.name == series and labels.items() <= one.labels.items())

    def by(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Sums by labels; without what is 0."""
        found: dict[tuple[str, ...], float] = {}
        for one in self.samples:
            if one.name == name and one.value:
                key = tuple(one.labels[label] for label in labels)
                found[key] = found.get(key, 0) + one.value
        return found

    @property
    def labels(self) -> Mapping[str, set[str]]:
        """The labels of each series."""
        found: dict[str, set[str]] = {}
        for one in self.samples:
            found.setdefault(one.name, set()).update(one.labels)
        return found


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
