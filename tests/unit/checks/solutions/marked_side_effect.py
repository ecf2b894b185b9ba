"""Tools that say what they are."""

from pathlib import Path

from jackstay.tools import BaseTool, tool


@tool(side_effect=True)
def send_invoice(customer: str) -> str:
    """Sends an invoice."""
    return customer


@tool(side_effect=False)
def keep(text: str) -> str:
    """Keeps a text: twice is as good as once."""
    Path("kept.txt").write_text(text)
    return "kept"


@tool
def search_notes(query: str) -> str:
    """Searches the notes."""
    return Path("notes.txt").read_text() + query


class Herald(BaseTool):
    name: str = "send news"
    description: str = "Tells everybody."
    side_effect: bool | None = True

    def _run(self, text: str) -> str:
        return text
