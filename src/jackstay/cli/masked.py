"""What leaves the machine in a report is masked as logs are: the secrets of this environment, forms, and what a recogniser finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from jackstay.engine.masked import Masked
from jackstay.engine.project_file import read_project_file

Mask = Callable[[str], str]


def masked_by(environ: Mapping[str, str]) -> Masked:
    """As the environment and jackstay.toml say. Raises `ConfigurationError` for a wrong file."""
    return Masked(environ, read_project_file(Path.cwd(), environ))


def mask_of(environ: Mapping[str, str]) -> Mask:
    """What masks a text, likewise."""
    masked = masked_by(environ)
    masked.load()
    return masked.now.whole
