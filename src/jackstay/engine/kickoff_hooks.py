"""Hooks at the ends of a kickoff, and around tasks and methods."""

from __future__ import annotations

from jackstay.core.interception import About
from jackstay.engine.asked import Kickoff


def about_kickoff(kickoff: Kickoff) -> About:
    """Whose work the kickoff's scope is."""
    return About(
        crew=kickoff.name if kickoff.kind == "crew" else None, flow=kickoff.name if kickoff.kind == "flow" else None
    )
