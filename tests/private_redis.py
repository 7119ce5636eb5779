"""A Redis of one test alone, which may be killed."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from config.embedded.programs import usable, valkey_candidates


class PrivateRedis:
    """A server on a free port. What it saved in its folder it remembers when it is started again."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._folder = folder
        # The one from the wheel, as a newcomer has no other.
        self._program = next(usable(valkey_candidates(), None, folder)).executable
        self.start()

    def start(self) -> None:
        """Start it, or start it again."""
        command = [self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self._folder]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        """Kill it: it saves nothing."""
        self._process.kill()
        self._process.wait()
