"""What the documented programs are answered, what each question has to have in it, and what they print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jackstay.testing import Fault, StubRequest, tool_call


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer."""

    role: str
    """Who asks: the system prompt begins with it."""
    has: tuple[str, ...]
    """Texts that are in its messages, the answers of earlier turns and tools among them."""
    answer: Any
    tools: tuple[str, ...] = ()
    """The names of all tools that are offered with it."""

    def fits(self, request: StubRequest) -> bool:
        said = "\n".join(f"{message.content}" for message in request.messages)
        return (
            request.system.startswith(f"You are {self.role}.")
            and all(text in said for text in self.has)
            and tuple(tool.name for tool in request.tools) == self.tools
        )


@dataclass(frozen=True, slots=True)
class Documented:
    program: str
    turns: tuple[Turn, ...]
    prints: str
    files: Sequence[tuple[str, str]] = ()
    """What it writes, by path."""


MANAGER = "Crew Manager"
DELEGATING = ("delegate_work_to_coworker", "ask_question_to_coworker")
FLEET = '{"ships": [{"name": "Aurora", "built": 1911}, {"name": "Gorch", "built": 1933}]}'
OLDEST = '{"name": "Aurora", "built": 1911}'

DOCUMENTED = (
    Documented(
        "quickstart.py",
        (
            Turn("Researcher", ("Research tidal power", "Three bullet points"), "- moon\n- water\n- power"),
            Turn("Reporter", ("Write a report on tidal power", "- moon\n- water\n- power"), "# Tidal power"),
        ),
        "# Tidal power\n2 requests\n",
        (("report.md", "# Tidal power"),),
    ),
    Documented(
        "yaml_project/main.py",
        (
            Turn("Journalist", ("Collect the news about harbours of 2026",), "a new crane, a new quay"),
            Turn("Editor", ("Choose the best of the news", "a new crane, a new quay"), "a new quay"),
        ),
        "a new quay\n(signed: the news crew)\n['collect', 'edit']\n",
    ),
    Documented(
        "hierarchical.py",
        (
            Turn(
                MANAGER,
                ("Plan a dinner for 4 guests",),
                tool_call(DELEGATING[0], task="Propose a menu", context="4 guests", coworker="Cook"),
                DELEGATING,
            ),
            Turn("Cook", ("Propose a menu", "4 guests"), "plaice and potatoes"),
            Turn(
                MANAGER,
                ("plaice and potatoes",),
                tool_call(DELEGATING[1], question="What is plaice for 4?", context="a menu", coworker="Buyer"),
                DELEGATING,
            ),
            Turn("Buyer", ("What is plaice for 4?",), "38 euros"),
            Turn(MANAGER, ("plaice and potatoes", "38 euros"), "Plaice and potatoes, 38 euros", DELEGATING),
        ),
        "Plaice and potatoes, 38 euros\n",
    ),
    Documented(
        "conditional.py",
        (
            Turn("Scout", ("Find events in Kiel",), "a regatta, a market"),
            Turn("Scout", ("Find more events in Kiel", "a regatta, a market"), "a concert"),
            Turn("Scout", ("Sum up the events", "a regatta, a market", "a concert"), "Kiel is busy"),
            Turn("Scout", ("Find events in Hamburg",), "a fair, a match, a play"),
            Turn("Scout", ("Sum up the events", "a fair, a match, a play"), "Hamburg is busier"),
        ),
        "Kiel [True, True, True] Kiel is busy\nHamburg [True, False, True] Hamburg is busier\n",
    ),
    Documented(
        "async_tasks.py",
        (
            Turn("Historian", ("History of locks",), "since 984"),
            Turn("Engineer", ("Technique of locks",), "two gates"),
            Turn("Writer", ("Write about locks", "since 984", "two gates"), "Two gates since 984"),
        ),
        "Two gates since 984\n['Historian', 'Engineer', 'Writer']\n",
    ),
    Documented(
        "guardrails.py",
        (
            Turn("Poet", ("Write a line about the sea",), "The sea is wide and deep and blue"),
            Turn(
                "Poet",
                ("The sea is wide and deep and blue", "8 words are too many: use at most 5"),
                "The sea is wide",
            ),
        ),
        "The sea is wide\n",
    ),
    Documented(
        "structured_output.py",
        (
            Turn("Clerk", ("List the ships in port",), FLEET),
            Turn("Clerk", ("Which ship is the oldest?", "Aurora", "1933"), OLDEST),
        ),
        "['Aurora', 'Gorch']\n{'name': 'Aurora', 'built': 1911} 1911\n",
    ),
    Documented(
        "cached_tool.py",
        (
            Turn("Warden", ("in the morning",), tool_call("water_level", place="Kiel"), ("water_level",)),
            Turn("Warden", ("in the morning", "Kiel: 3.2 m"), "3.2 m in the morning", ("water_level",)),
            Turn(
                "Warden",
                ("in the evening",),
                (tool_call("water_level", place="Kiel"), tool_call("water_level", place="Husum")),
                ("water_level",),
            ),
            Turn("Warden", ("in the evening", "Husum: unknown"), "3.2 m in the evening", ("water_level",)),
        ),
        "3.2 m in the evening\n['Kiel', 'Husum']\n",
    ),
    Documented(
        "mcp_tools.py",
        (
            Turn("Pilot", ("the tide at Husum",), tool_call("tide", place="Husum", hour=12), ("tide",)),
            Turn("Pilot", ("Husum at 12: 3.2 m",), "3.2 m at noon", ("tide",)),
        ),
        "3.2 m at noon\n",
    ),
    Documented(
        "delegation.py",
        (
            Turn(
                "Lead",
                ("Write the contract of the Aurora",),
                tool_call(DELEGATING[1], question="Which law holds?", context="the Aurora", coworker="lawyer"),
                DELEGATING,
            ),
            Turn("Lawyer", ("Which law holds?", "the Aurora"), "the law of the sea"),
            Turn("Lead", ("the law of the sea",), "A contract by the law of the sea", DELEGATING),
        ),
        "A contract by the law of the sea\n3 requests\n",
    ),
    Documented(
        "streaming.py",
        (
            Turn("First", ("Begin the story",), "Once there was a ship"),
            Turn("Second", ("End the story", "Once there was a ship"), "and it came home"),
        ),
        "{'begin': 'Once there was a ship', 'end': 'and it came home'}\nand it came home\n",
    ),
    Documented(
        "for_each.py",
        (
            Turn("Guide", ("Plan a tour of Kiel",), "quay, lock, canal"),
            Turn("Guide", ("Plan a tour of Atlantis",), Fault.http(500)),
            Turn("Guide", ("Plan a tour of Bremen",), "Roland, river, square"),
        ),
        "Kiel quay, lock, canal\nAtlantis failed\nBremen Roland, river, square\n1 failed\n",
    ),
)
