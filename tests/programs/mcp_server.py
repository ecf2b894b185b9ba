"""An MCP server with a few tools, written with the SDK: over standard input and output when it is started as a program.

Each line of the file `MCP_LEDGER` is a start of the program or a call of `note`.
"""

from __future__ import annotations

import os
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("tides")


def _written(line: str) -> None:
    ledger = os.environ.get("MCP_LEDGER")
    if ledger:
        with Path(ledger).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


@server.tool()
def tide(place: str, hour: int = 6) -> str:
    """The height of the tide."""
    return f"{place} at {hour}: 3.2 m"


@server.tool()
def note(text: str) -> str:
    """Writes a note down."""
    _written(text)
    return f"noted {text}, key {os.environ.get('MCP_KEY')}, other {os.environ.get('MCP_OTHER')}"


@server.tool()
def sink(place: str) -> str:
    """Fails."""
    raise ToolError(f"no harbour at {place}")


@server.tool(name="Stop it")
def stop() -> str:
    """Ends the server in the middle of a call."""
    os._exit(3)


if __name__ == "__main__":
    _written("started")
    server.run("stdio")
