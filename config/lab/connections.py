"""Cut one connection of this process, as a dying peer or a broken network does."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

#: SO_LINGER with no time: closing sends a reset instead of a farewell.
_RESET = struct.pack("ii", 1, 0)


def cut_connection(peer: str) -> None:
    """Cut the connection whose other end is `host:port`; the server that owns it finds it gone."""
    for descriptor in Path("/dev/fd").iterdir():
        try:
            connection = socket.socket(fileno=os.dup(int(descriptor.name)))
        except OSError:
            continue  # no socket, or gone meanwhile
        with connection:
            if _peer_of(connection) == peer:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                connection.shutdown(socket.SHUT_RDWR)
                return


def _peer_of(connection: socket.socket) -> str:
    try:
        host, port = connection.getpeername()[:2]
    except (OSError, ValueError):
        return ""
    return f"{host}:{port}"
