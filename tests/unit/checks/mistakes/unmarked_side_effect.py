"""Tools that act, and do not say so."""

import smtplib
from pathlib import Path

from jackstay.tools import BaseTool, tool


@tool
def send_invoice(customer: str) -> str:  # finds: unmarked-side-effect
    """Sends an invoice."""
    return customer


@tool("archivist")
def keep(text: str) -> str:  # finds: unmarked-side-effect
    """Keeps a text."""
    Path("kept.txt").write_text(text)
    return "kept"


class Herald(BaseTool):  # finds: unmarked-side-effect
    name: str = "herald"
    description: str = "Tells everybody."

    def _run(self, text: str) -> str:
        with smtplib.SMTP("127.0.0.1") as server:
            server.sendmail("a", "b", text)
        return "told"
