"""What the processes say, line by line, each with the name of its process before it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

#: A line longer than this is cut into lines: nobody's output may fill the supervisor's memory.
LONGEST_LINE = 64_000
_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)
_OWN_NAME = "up"


class Lines:
    """Collects bytes per process and writes whole lines to one stream."""

    def __init__(self, names: Iterable[str], *, fd: int, coloured: bool) -> None:
        known = [_OWN_NAME, *names]
        width = max(len(name) for name in known)
        self._fd = fd
        self._prefix = {
            name: _painted(f"{name:<{width}} |", _COLOURS[place % len(_COLOURS)] if coloured else 0)
            for place, name in enumerate(known)
        }
        self._rest: dict[str, bytes] = {}

    def feed(self, name: str, chunk: bytes) -> None:
        """Write the lines that are complete now."""
        *whole, rest = (self._rest.pop(name, b"") + chunk).split(b"\n")
        if len(rest) > LONGEST_LINE:
            whole, rest = [*whole, rest], b""
        if rest:
            self._rest[name] = rest
        self._write(name, whole)

    def end(self, name: str) -> None:
        """The process is gone: write what it left without an end of line."""
        rest = self._rest.pop(name, b"")
        self._write(name, [rest] if rest else [])

    def say(self, words: str) -> None:
        """A line of the supervisor's own."""
        self._write(_OWN_NAME, words.encode().split(b"\n"))

    def _write(self, name: str, lines: Iterable[bytes]) -> None:
        prefix = self._prefix[name]
        text = b"".join(prefix + b" " + line.rstrip(b"\r") + b"\n" for line in lines)
        while text:
            try:
                text = text[os.write(self._fd, text) :]
            except OSError:  # the terminal is gone; that is no reason to stop delivering
                return


def is_coloured() -> bool:
    """Whether the standard output is a terminal whose user has not asked for plain text."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _painted(words: str, colour: int) -> bytes:
    return (f"\x1b[{colour}m{words}\x1b[0m" if colour else words).encode()
