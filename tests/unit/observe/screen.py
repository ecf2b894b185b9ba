"""A terminal's screen, as far as our progress uses one: lines, carriage return, cursor up, clear line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Self

_PIECE = re.compile(r"\x1b\[([\d;]*)([A-Za-z])|(.)", re.S)


@dataclass
class Screen:
    lines: list[str] = field(default_factory=lambda: [""])
    row: int = 0
    column: int = 0

    @classmethod
    def of(cls, written: str) -> Self:
        screen = cls()
        for arguments, command, character in _PIECE.findall(written):
            if command:
                screen._command(arguments, command)
            else:
                screen._put(character)
        while screen.lines and not screen.lines[-1]:
            screen.lines.pop()
        return screen

    @staticmethod
    def plain(written: str) -> str:
        """What was written, without the commands to the terminal."""
        return re.sub(r"\x1b\[[\d;]*[A-Za-z]", "", written)

    def _command(self, arguments: str, command: str) -> None:
        if command == "A":
            self.row = max(0, self.row - int(arguments or 1))
        elif command == "K":
            assert arguments == "2"
            self.lines[self.row] = ""
        else:
            assert command == "m", command

    def _put(self, character: str) -> None:
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row, self.column = self.row + 1, 0
            self.lines += [""] * (self.row + 1 - len(self.lines))
        else:
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
            self.column += 1
