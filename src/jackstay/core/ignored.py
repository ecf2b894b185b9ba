"""What CrewAI's kickoffs take and ours do not use yet: accepted, so that existing code runs, with one warning."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

Files = Mapping[str, Any]


def warn_of_files(input_files: Files | None) -> None:
    """To be called by what the user calls: the warning is where files are given."""
    if input_files:
        warnings.warn(
            "input_files= is accepted and has no effect in this version: no model is shown files. Give the text of a file as an "
            "input, or the agent a FileReadTool",
            UserWarning,
            stacklevel=3,
        )
